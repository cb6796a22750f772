//! A panic becomes an error next to the node, so that the other policies see it as one. The node is never called again:
//! its state is whatever the panic left.

use remotemedia_core::{Node, NodeError, Outputs, Packet, Port};

use crate::panics::caught;

/// A node whose panics are errors.
pub(crate) struct Caught {
    node: Result<Box<dyn Node>, NodeError>,
}

impl Caught {
    pub(crate) fn new(node: Box<dyn Node>) -> Self {
        Self { node: Ok(node) }
    }

    fn call<R>(&mut self, body: impl FnOnce(&mut dyn Node) -> Result<R, NodeError>) -> Result<R, NodeError> {
        let node = match &mut self.node {
            Ok(node) => node,
            Err(panic) => {
                let message = format!("was stopped after an earlier failure: {}", panic.message);
                return Err(NodeError::new(panic.kind, message));
            }
        };
        caught(|| body(&mut **node)).unwrap_or_else(|panic| {
            self.poison(panic.clone());
            Err(panic)
        })
    }

    fn poison(&mut self, panic: NodeError) {
        let poisoned = std::mem::replace(&mut self.node, Err(panic));
        // It has said enough already.
        let _ = caught(|| drop(poisoned));
    }
}

impl Node for Caught {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.call(|node| node.initialize())
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let emitted = out.len();
        let result = self.call(|node| node.process(port, packet, out));
        if self.node.is_err() {
            // What a call emitted that panicked is not whole.
            out.truncate(emitted);
        }
        result
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.call(|node| node.reset())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(|node| node.flush(out))
    }

    fn cleanup(&mut self) {
        if let Ok(node) = &mut self.node
            && let Err(panic) = caught(|| node.cleanup())
        {
            tracing::error!("in cleanup, {}", panic.message);
            self.poison(panic);
        }
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.node.as_ref().ok()?.memory_bytes()
    }
}
