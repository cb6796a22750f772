//! What it may take to turn a component into machine code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What compiling a component may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompileLimits {
    /// Size of a `.wasm` file, in MiB.
    #[schemars(range(min = 1, max = 1_024))]
    pub component_mb: u32,
    /// Processor time of one compilation, of all its threads together, in milliseconds; rounded up to whole seconds.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub cpu_ms: u64,
    /// Longest time of one compilation by the clock, in milliseconds: for compilers that wait. A busy machine keeps
    /// one waiting, too.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub timeout_ms: u64,
    /// Address space of the process that compiles, in MiB.
    #[schemars(range(min = 64, max = 65_536))]
    pub memory_mb: u32,
    /// Functions of all modules of a component together.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub functions: u32,
    /// Size of the folder that keeps compiled components, in MiB. What was not used for longest is removed.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub cache_mb: u32,
    /// Machine code in memory of components that no node runs any more, in MiB. What was not used for longest is
    /// dropped.
    #[schemars(range(min = 0, max = 65_536))]
    pub unused_mb: u32,
    /// Whether the host itself compiles, without limits of time and memory. For components that you trust, where no
    /// other process can be started.
    pub in_process: bool,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            component_mb: 32,
            cpu_ms: 60_000,
            timeout_ms: 300_000,
            memory_mb: 2_048,
            functions: 50_000,
            cache_mb: 1_024,
            unused_mb: 256,
            in_process: false,
        }
    }
}
