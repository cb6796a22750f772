//! What is read and kept of a component that was stopped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is read and kept of a node that was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CrashLimits {
    /// Debug info of a component that is read to name source files and lines in its backtraces, in MiB; 0 reads none.
    #[schemars(range(min = 0, max = 1_024))]
    pub debug_info_mb: u32,
    /// Size of one core dump, in MiB. Larger ones are not written.
    #[schemars(range(min = 1, max = 4_096))]
    pub coredump_mb: u32,
    /// Core dumps in the folder for them; when there are so many, no more are written.
    #[schemars(range(min = 1, max = 10_000))]
    pub coredumps: u32,
}

impl Default for CrashLimits {
    fn default() -> Self {
        Self { debug_info_mb: 32, coredump_mb: 256, coredumps: 16 }
    }
}
