//! The native runtime: finds a node type by name and creates nodes of it. It holds no nodes and no state.

use std::sync::OnceLock;

use remotemedia_core::{ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Runtime, RuntimeKind};

use crate::register::REGISTER;

/// Descriptors by register index, each made when it is first asked for: a schema costs more than a node.
static DESCRIPTORS: [OnceLock<NodeDescriptor>; REGISTER.len()] = [const { OnceLock::new() }; REGISTER.len()];

/// Creates the nodes that are compiled into the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeRuntime;

impl NativeRuntime {
    /// The runtime. Free: descriptors are made when they are first asked for.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// Descriptors of every native node type, in a fixed order.
    pub fn descriptors(&self) -> impl Iterator<Item = &'static NodeDescriptor> {
        (0..REGISTER.len()).map(descriptor_at)
    }

    /// The names of every native node type, in a fixed order. Cheaper than [`NativeRuntime::descriptors`].
    pub fn node_types(&self) -> impl Iterator<Item = &'static str> {
        REGISTER.iter().map(|node_type| node_type.name)
    }

    /// The descriptor of the type that manifests call `name` (an alias will do); `None` when there is none.
    #[must_use]
    pub fn descriptor(&self, name: &str) -> Option<&'static NodeDescriptor> {
        find(name).map(descriptor_at)
    }
}

fn find(name: &str) -> Option<usize> {
    REGISTER.iter().position(|node_type| node_type.is_called(name))
}

fn descriptor_at(index: usize) -> &'static NodeDescriptor {
    DESCRIPTORS[index].get_or_init(|| REGISTER[index].make_descriptor())
}

impl Runtime for NativeRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Native
    }

    fn node_types(&self) -> Vec<String> {
        NativeRuntime::node_types(self).map(str::to_owned).collect()
    }

    fn lists(&self, node_type: &str) -> bool {
        find(node_type).is_some()
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        Ok(self.descriptor(&node.node_type).cloned())
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let index = find(&node.node_type).ok_or_else(|| {
            NodeError::new(ErrorKind::Unavailable, format!("there is no native node `{}`", node.node_type))
        })?;
        REGISTER[index].create(node, descriptor_at(index).inputs.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use remotemedia_core::{AudioBuffer, Outputs, Packet, Port};
    use serde_json::json;

    use super::*;

    #[test]
    fn no_two_node_types_share_a_name_or_alias() {
        let mut seen = HashSet::new();
        for node_type in REGISTER {
            for name in std::iter::once(&node_type.name).chain(node_type.aliases) {
                assert!(seen.insert(*name), "{name} is registered twice");
            }
        }
    }

    #[test]
    fn every_descriptor_carries_its_name_and_a_schema_that_refuses_unknown_params() {
        for descriptor in NativeRuntime::new().descriptors() {
            assert!(!descriptor.summary.is_empty(), "{}", descriptor.node_type);
            assert_eq!(descriptor.params_schema["type"], "object", "{}", descriptor.node_type);
            assert_eq!(descriptor.params_schema["additionalProperties"], false, "{}", descriptor.node_type);
        }
    }

    #[test]
    fn every_param_is_described() {
        for descriptor in NativeRuntime::new().descriptors() {
            let Some(properties) = descriptor.params_schema["properties"].as_object() else { continue };
            for (name, schema) in properties {
                let described = schema["description"].as_str().is_some_and(|text| text.len() > 10);
                assert!(described, "{}.{name} has no description: {schema}", descriptor.node_type);
            }
        }
    }

    #[test]
    fn a_type_is_found_by_its_alias_and_described_by_its_name() {
        let node = NodeManifest::new("a", "PassThroughNode");
        let descriptor = NativeRuntime::new().describe(&node).unwrap().unwrap();
        assert_eq!(descriptor.node_type, "PassThrough");
        assert!(NativeRuntime::new().create(&node).is_ok());
    }

    #[test]
    fn an_unknown_type_is_described_as_none_and_not_created() {
        let node = NodeManifest::new("a", "Nonesuch");
        assert_eq!(NativeRuntime::new().describe(&node).unwrap(), None);
        let error = NativeRuntime::new().create(&node).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }

    #[test]
    fn a_packet_for_an_input_that_there_is_not_is_refused() {
        for name in NativeRuntime::new().node_types() {
            let runtime = NativeRuntime::new();
            let params = if name == "ChannelMixer" { json!({"output_channels": 1}) } else { json!({}) };
            let mut node = runtime.create(&NodeManifest::new("a", name).with_params(params)).unwrap();
            let inputs = runtime.descriptor(name).unwrap().inputs.len();
            let packet = Packet::new(0, AudioBuffer::from_f32(48_000, 1, vec![0.0; 480]).unwrap());
            let error = node.process(Port(inputs as u16), packet, &mut Outputs::new()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{name}");
            assert!(error.message.contains("there is no port"), "{name}: {error}");
        }
    }

    #[test]
    fn an_unknown_param_is_an_error_that_names_it() {
        let node = NodeManifest::new("a", "PassThrough").with_params(json!({"gain": 3}));
        let error = NativeRuntime::new().create(&node).err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains("`gain`"), "{}", error.message);
    }
}
