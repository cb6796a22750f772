//! Every limit of the sandbox, in one place. Enforcing them is the business of the modules named there.

use std::time::Duration;

use remotemedia_core::{ErrorKind, NodeError, NodeManifest};

/// What a guest may use. Each value is both the default and the most that a manifest may ask for; none can be
/// switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxLimits {
    /// All linear memories of a node together, in bytes.
    pub memory_bytes: usize,
    /// Linear memories of a node.
    pub memories: usize,
    /// Tables of a node.
    pub tables: usize,
    /// Elements of all tables of a node together.
    pub table_elements: usize,
    /// Core instances of a node.
    pub instances: usize,
    /// Depth of the guest's call stack, in bytes.
    pub stack_bytes: usize,
    /// Longest time of one `process`, `flush` or `cleanup`, in milliseconds.
    pub call_timeout_ms: u64,
    /// Longest time of instantiating, `describe` or `initialize`, in milliseconds.
    pub start_timeout_ms: u64,
    /// How often deadlines are looked at, in milliseconds: a call ends this much after its deadline at the latest.
    pub deadline_tick_ms: u64,
    /// What a guest may hand over to the host in one call or return value, in bytes.
    pub transfer_bytes: usize,
    /// Component handles alive at once.
    pub handles: usize,
    /// WASI resources alive at once.
    pub resources: usize,
    /// Random bytes in one call.
    pub random_bytes: u64,
    /// Packets that one call may return.
    pub packets_per_call: usize,
    /// One line of the log, in bytes; longer ones are cut.
    pub log_line_bytes: usize,
    /// The log, stdout and stderr of a node together, in bytes per second; more is dropped and counted.
    pub log_bytes_per_second: usize,
    /// An error message that comes from the guest, in bytes; longer ones are cut.
    pub message_bytes: usize,
    /// Size of a `.wasm` file, in bytes.
    pub component_bytes: u64,
    /// Highest sample rate that a guest may return, in Hz.
    pub sample_rate_hz: u32,
    /// Most channels that a guest may return.
    pub channels: u16,
    /// Most dimensions of a tensor that a guest may return.
    pub tensor_dimensions: usize,
    /// Wasm nodes that may run at once in this process.
    pub running_nodes: u32,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            memories: 8,
            tables: 16,
            table_elements: 20_000,
            instances: 32,
            stack_bytes: 256 << 10,
            call_timeout_ms: 1_000,
            start_timeout_ms: 5_000,
            deadline_tick_ms: 5,
            transfer_bytes: 16 << 20,
            handles: 256,
            resources: 1_024,
            random_bytes: 64 << 10,
            packets_per_call: 1_024,
            log_line_bytes: 1 << 10,
            log_bytes_per_second: 16 << 10,
            message_bytes: 4 << 10,
            component_bytes: 32 << 20,
            sample_rate_hz: 768_000,
            channels: 256,
            tensor_dimensions: 16,
            running_nodes: 1_000,
        }
    }
}

/// The limits that a manifest may lower, as they hold for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeLimits {
    pub memory_bytes: usize,
    pub call_timeout: Duration,
    pub start_timeout: Duration,
}

impl SandboxLimits {
    /// What holds for a node whose manifest says nothing.
    pub(crate) fn unlowered(&self) -> NodeLimits {
        NodeLimits {
            memory_bytes: self.memory_bytes,
            call_timeout: Duration::from_millis(self.call_timeout_ms),
            start_timeout: Duration::from_millis(self.start_timeout_ms),
        }
    }

    /// What holds for `node`.
    ///
    /// # Errors
    /// `PermissionDenied` when the manifest asks for more than there is.
    pub(crate) fn lowered_by(&self, node: &NodeManifest) -> Result<NodeLimits, NodeError> {
        let mut lowered = self.unlowered();
        let limits = node.limits.clone().unwrap_or_default();
        if let Some(memory_mb) = limits.memory_mb {
            let most_mb = (self.memory_bytes >> 20) as u64;
            refuse_above("limits.memory_mb", memory_mb, most_mb)?;
            lowered.memory_bytes = (memory_mb as usize) << 20;
        }
        for (name, asked) in
            [("limits.call_timeout_ms", limits.call_timeout_ms), ("timeout_ms", node.timeout_ms)]
        {
            if let Some(asked_ms) = asked {
                refuse_above(name, asked_ms, self.call_timeout_ms)?;
                lowered.call_timeout = lowered.call_timeout.min(Duration::from_millis(asked_ms));
            }
        }
        Ok(lowered)
    }

    /// How many ticks a call of that length may see; the tick in progress does not count.
    pub(crate) fn ticks(&self, timeout: Duration) -> u64 {
        (timeout.as_millis() as u64).div_ceil(self.deadline_tick_ms.max(1)) + 1
    }
}

fn refuse_above(name: &str, asked: u64, most: u64) -> Result<(), NodeError> {
    if asked <= most {
        return Ok(());
    }
    Err(NodeError::new(
        ErrorKind::PermissionDenied,
        format!(
            "`{name}` asks for {asked}, and this host allows at most {most}: lower it, or raise the host's limit"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_core::manifest::Limits;

    fn node(memory_mb: Option<u64>, call_timeout_ms: Option<u64>, timeout_ms: Option<u64>) -> NodeManifest {
        let mut node = NodeManifest::new("n", "t");
        node.limits = Some(Limits { memory_mb, call_timeout_ms });
        node.timeout_ms = timeout_ms;
        node
    }

    #[test]
    fn a_manifest_may_lower_limits_and_the_lowest_timeout_holds() {
        let limits = SandboxLimits::default();
        assert_eq!(limits.lowered_by(&NodeManifest::new("n", "t")), Ok(limits.unlowered()));
        let lowered = limits.lowered_by(&node(Some(2), Some(300), Some(200))).unwrap();
        assert_eq!(lowered.memory_bytes, 2 * 1024 * 1024);
        assert_eq!(lowered.call_timeout, Duration::from_millis(200));
    }

    #[test]
    fn a_manifest_may_not_raise_limits() {
        let limits = SandboxLimits::default();
        for (asks, name) in [
            (node(Some(65), None, None), "limits.memory_mb"),
            (node(None, Some(1_001), None), "limits.call_timeout_ms"),
            (node(None, None, Some(u64::MAX)), "`timeout_ms`"),
        ] {
            let error = limits.lowered_by(&asks).unwrap_err();
            assert_eq!(error.kind, ErrorKind::PermissionDenied);
            assert!(error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn a_deadline_is_never_shorter_than_asked() {
        let limits = SandboxLimits { deadline_tick_ms: 10, ..SandboxLimits::default() };
        // With a tick about to fall, n ticks pass in a little more than (n - 1) * 10 ms.
        for (timeout_ms, ticks) in [(1, 2), (10, 2), (11, 3), (1_000, 101)] {
            assert_eq!(limits.ticks(Duration::from_millis(timeout_ms)), ticks);
        }
    }
}
