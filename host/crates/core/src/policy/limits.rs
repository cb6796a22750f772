//! What one node may use, and what its manifest may raise that to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node gets whose manifest says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxLimits {
    /// All linear memories of a node together, in MiB.
    #[schemars(range(min = 1, max = 4_096))]
    pub memory_mb: u32,
    /// Linear memories of a node.
    #[schemars(range(min = 1, max = 100))]
    pub memories: usize,
    /// Tables of a node.
    #[schemars(range(min = 1, max = 1_000))]
    pub tables: usize,
    /// Elements of all tables of a node together.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub table_elements: usize,
    /// Core instances of a node.
    #[schemars(range(min = 1, max = 1_000))]
    pub instances: usize,
    /// Depth of the guest's call stack, in bytes. The most is what a thread of the host has to spare.
    #[schemars(range(min = 16_384, max = 1_048_576))]
    pub stack_bytes: usize,
    /// Longest processor time of one `process`, `flush` or `cleanup`, in milliseconds. Left out, it follows from
    /// the packet: the time that its audio plays.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub call_timeout_ms: Option<u64>,
    /// Longest time of one call by the clock, waiting included, in milliseconds. Not less than a busy machine may
    /// keep a call from the processor: what a guest uses itself is limited by `call_timeout_ms`.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub wall_timeout_ms: u64,
    /// Longest time of instantiating, `describe` or `initialize`, in milliseconds.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub start_timeout_ms: u64,
    /// How often deadlines are looked at, in milliseconds: a call ends this much after its deadline at the latest.
    #[schemars(range(min = 1, max = 1_000))]
    pub deadline_tick_ms: u64,
    /// What a guest may hand over to the host in one call or return value, in bytes.
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub transfer_bytes: usize,
    /// Component handles alive at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub handles: usize,
    /// WASI resources alive at once: open files and directories, streams, timers.
    #[schemars(range(min = 8, max = 10_000))]
    pub resources: usize,
    /// Entries of directories that a node may list at once: the host keeps them until the node has read them.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub directory_entries: usize,
    /// What a node may write to files, in MiB, counted until it ends and again for what it writes over.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub written_mb: u32,
    /// Files, directories and links that a node may create until it ends.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub created_files: u32,
    /// Random bytes that a guest gets at once.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub random_bytes: u64,
    /// All payloads that one call returns together, in bytes.
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub returned_bytes: usize,
    /// One text that a guest returns, in bytes.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub text_bytes: usize,
    /// One JSON value that a guest returns, in bytes.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub json_bytes: usize,
    /// How deeply arrays and objects nest in a JSON value that a guest returns.
    #[schemars(range(min = 1, max = 127))]
    pub json_depth: usize,
    /// Samples that a guest returns and that are no numbers (NaN, infinities): `zero` replaces them by silence and
    /// counts them, `keep` passes them on, `refuse` stops the node.
    pub non_finite: NonFinite,
    /// Packets that one call may return.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub packets_per_call: usize,
    /// One line of the log, in bytes; longer ones are cut.
    #[schemars(range(min = 1, max = 65_536))]
    pub log_line_bytes: usize,
    /// The log, stdout and stderr of a node together, in bytes per second; more is dropped and counted.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub log_bytes_per_second: usize,
    /// An error message that comes from the guest, in bytes; longer ones are cut.
    #[schemars(range(min = 16, max = 65_536))]
    pub message_bytes: usize,
    /// Frames of the backtrace that is kept of a trap.
    #[schemars(range(min = 1, max = 100))]
    pub backtrace_frames: usize,
    /// Lowest sample rate that a guest may return, in Hz: what comes after it may turn one sample into many.
    #[schemars(range(min = 1, max = 48_000))]
    pub lowest_sample_rate_hz: u32,
    /// Highest sample rate that a guest may return, in Hz.
    #[schemars(range(min = 1, max = 6_144_000))]
    pub sample_rate_hz: u32,
    /// Most channels that a guest may return.
    #[schemars(range(min = 1, max = 65_535))]
    pub channels: u16,
    /// Most dimensions of a tensor that a guest may return.
    #[schemars(range(min = 1, max = 64))]
    pub tensor_dimensions: usize,
    /// Wasm nodes that may run at once in this process.
    #[schemars(range(min = 1, max = 100_000))]
    pub running_nodes: u32,
    /// Whether the address space of all these nodes must be reserved at the start (`required`), or nodes may start
    /// slower where the system does not give it (`optional`).
    pub pool: Pool,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_mb: 64,
            memories: 8,
            tables: 16,
            table_elements: 20_000,
            instances: 32,
            stack_bytes: 256 << 10,
            call_timeout_ms: None,
            wall_timeout_ms: 30_000,
            start_timeout_ms: 5_000,
            deadline_tick_ms: 5,
            transfer_bytes: 16 << 20,
            handles: 256,
            resources: 128,
            directory_entries: 10_000,
            written_mb: 256,
            created_files: 1_000,
            random_bytes: 64 << 10,
            returned_bytes: 16 << 20,
            text_bytes: 1 << 20,
            json_bytes: 1 << 20,
            json_depth: 64,
            non_finite: NonFinite::Zero,
            packets_per_call: 1_024,
            log_line_bytes: 1 << 10,
            log_bytes_per_second: 16 << 10,
            message_bytes: 4 << 10,
            backtrace_frames: 24,
            lowest_sample_rate_hz: 1_000,
            sample_rate_hz: 768_000,
            channels: 256,
            tensor_dimensions: 16,
            running_nodes: 1_000,
            pool: Pool::Required,
        }
    }
}

/// What happens to samples that are no numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonFinite {
    /// They become silence, and are counted.
    #[default]
    Zero,
    /// They are passed on.
    Keep,
    /// They stop the node.
    Refuse,
}

/// Whether the address space of all nodes is reserved at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// It is, or no wasm node runs.
    #[default]
    Required,
    /// It is where the system gives it.
    Optional,
}

/// What a manifest may raise its node's limits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Maximum {
    /// Most that `limits.memory_mb` of a manifest may ask for, in MiB.
    #[schemars(range(min = 1, max = 4_096))]
    pub memory_mb: u32,
    /// Most that `limits.call_timeout_ms` or `timeout_ms` of a manifest may ask for, in milliseconds.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub call_timeout_ms: u64,
}

impl Default for Maximum {
    fn default() -> Self {
        Self { memory_mb: 256, call_timeout_ms: 5_000 }
    }
}
