//! A panic becomes an error next to the node, so that the other policies see it as one. The node is never called again:
//! its state is whatever the panic left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use remotemedia_core::{Node, NodeError, Outputs, Packet, Port};

use crate::panics::caught;

/// Whether the node that was called last is down: it panicked, then or before. The policies of one node share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Down(Arc<AtomicBool>);

impl Down {
    pub(crate) fn set(&self, is_down: bool) {
        self.0.store(is_down, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A node whose panics are errors.
pub(crate) struct Caught {
    node: Result<Box<dyn Node>, NodeError>,
    down: Down,
}

impl Caught {
    pub(crate) fn new(node: Box<dyn Node>, down: &Down) -> Self {
        Self { node: Ok(node), down: down.clone() }
    }

    fn call<R>(&mut self, body: impl FnOnce(&mut dyn Node) -> Result<R, NodeError>) -> Result<R, NodeError> {
        let node = match &mut self.node {
            Ok(node) => node,
            Err(panic) => {
                self.down.set(true);
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
        self.down.set(true);
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

    /// A node that is down has nothing to forget.
    fn reset(&mut self) -> Result<bool, NodeError> {
        if self.node.is_err() {
            return Ok(true);
        }
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
