//! `on_error: skip`: a packet that a node fails on is left out, counted and logged; the pipeline goes on.
//!
//! Flushing is not skipped: what a node still holds would be missing from the end without a trace. Nor is a panic: the
//! node is not called again, so every later packet would be missing too.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use remotemedia_core::{ErrorKind, Node, NodeError, Outputs, Packet, Port};

use super::counts::{Counts, add_one};
use super::panics::Down;

/// A node whose errors cost their packet only.
pub(crate) struct Skip {
    pub(crate) inner: Box<dyn Node>,
    pub(crate) id: Arc<str>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) down: Down,
}

/// Counts and logs the packet at `pts_ns`, the last that came, on which the node failed with `error`. Its number is told
/// because values have no time.
///
/// # Errors
/// A cancellation: whoever cancelled wants an end, not the next packet.
#[cold]
pub(super) fn skip(id: &str, counts: &Counts, error: NodeError, pts_ns: i64) -> Result<(), NodeError> {
    if error.kind == ErrorKind::Cancelled {
        return Err(error);
    }
    counts.skip(error.kind);
    let packet = counts.came.load(Relaxed);
    tracing::warn!(
        target: "remotemedia::policy",
        node = id,
        packet,
        pts_ns,
        kind = error.kind.name(),
        "skipped packet {packet} of the node, at {pts_ns} ns (`on_error: skip`): {error}"
    );
    Ok(())
}

impl Node for Skip {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.inner.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, emitted) = (packet.pts_ns, out.len());
        add_one(&self.counts.came);
        match self.inner.process(port, packet, out) {
            Err(error) if self.down.get() => Err(error),
            Err(error) => {
                out.truncate(emitted);
                skip(&self.id, &self.counts, error, pts_ns)
            }
            Ok(()) => Ok(()),
        }
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.inner.reset()
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.inner.flush(out)
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.inner.memory_bytes()
    }
}
