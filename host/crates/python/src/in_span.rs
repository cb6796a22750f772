//! What a Python node logs, and what is logged about it, belongs to the node.

use remotemedia_core::{Node, NodeError, NodeManifest, Outputs, Packet, Port};
use tracing::Span;

/// A node that is called inside a span of its own, which names it. Costs nothing where nobody listens.
pub(crate) struct InSpan<N> {
    node: N,
    span: Span,
}

impl<N: Node> InSpan<N> {
    /// Makes the node inside the span.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn make(
        manifest: &NodeManifest,
        make: impl FnOnce() -> Result<Option<N>, NodeError>,
    ) -> Result<Option<Self>, NodeError> {
        let span = tracing::error_span!("node", node = manifest.id, node_type = manifest.node_type);
        let node = span.in_scope(make)?;
        Ok(node.map(|node| Self { node, span }))
    }
}

impl<N: Node> Node for InSpan<N> {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.span.in_scope(|| self.node.initialize())
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let _span = self.span.enter();
        self.node.process(port, packet, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.span.in_scope(|| self.node.reset())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.span.in_scope(|| self.node.flush(out))
    }

    fn cleanup(&mut self) {
        self.span.in_scope(|| self.node.cleanup());
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.node.memory_bytes()
    }
}
