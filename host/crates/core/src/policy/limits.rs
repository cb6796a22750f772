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
    /// Longest time of one call by the clock, waiting included, in milliseconds.
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
    /// Random bytes in one call.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub random_bytes: u64,
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
            wall_timeout_ms: 5_000,
            start_timeout_ms: 5_000,
            deadline_tick_ms: 5,
            transfer_bytes: 16 << 20,
            handles: 256,
            resources: 128,
            random_bytes: 64 << 10,
            packets_per_call: 1_024,
            log_line_bytes: 1 << 10,
            log_bytes_per_second: 16 << 10,
            message_bytes: 4 << 10,
            backtrace_frames: 8,
            sample_rate_hz: 768_000,
            channels: 256,
            tensor_dimensions: 16,
            running_nodes: 1_000,
        }
    }
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
