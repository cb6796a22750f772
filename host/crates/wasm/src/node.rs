//! A running component as a `Node`.

use std::sync::Arc;

use remotemedia_core::{Node, NodeError, Outputs, Packet, Port};

use crate::instance::Instance;
use crate::loader::Loaded;

pub(crate) struct WasmNode {
    pub instance: Instance,
    pub loaded: Arc<Loaded>,
    pub params_json: String,
    pub id: Box<str>,
}

impl WasmNode {
    /// The guest learns only of packets that its descriptor allows.
    fn refuse(&self, port: Port, packet: &Packet) -> Result<(), NodeError> {
        let descriptor = &self.loaded.descriptor;
        let Some(declared) = descriptor.inputs.get(usize::from(port.0)) else {
            return Err(NodeError::invalid_input(format!(
                "`{}` has {} input ports, there is no port {}",
                descriptor.node_type,
                descriptor.inputs.len(),
                port.0
            )));
        };
        if packet.payload.kind().fits(declared.kind) {
            return Ok(());
        }
        Err(NodeError::invalid_input(format!(
            "`{}` takes {} on `{}`, got {}",
            descriptor.node_type,
            declared.kind.name(),
            declared.name,
            packet.payload.type_name()
        )))
    }
}

impl Node for WasmNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.instance.initialize(&self.params_json)
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        self.refuse(port, &packet)?;
        self.instance.process(&self.loaded.descriptor, port, packet, out)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.instance.flush(&self.loaded.descriptor, out)
    }

    fn cleanup(&mut self) {
        if let Err(error) = self.instance.cleanup() {
            tracing::warn!(target: "remotemedia::guest", node = &*self.id, "cleanup failed: {error}");
        }
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.instance.memory_bytes()
    }
}
