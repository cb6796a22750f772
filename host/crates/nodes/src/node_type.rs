//! What a native node type is: typed params, a descriptor, a constructor. No list of types: `register.rs` has it.

use remotemedia_core::{Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, Port};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A node that is compiled into the host. Its params are a Rust type, from which both the checks at creation and
/// the params schema in its descriptor come, so the two cannot disagree.
///
/// Give every params field a doc comment with its unit: it is what `remotemedia nodes describe` prints.
pub trait NativeNode: Node + Sized + 'static {
    /// The params object; use `#[serde(deny_unknown_fields)]`, and `#[serde(default)]` with a `Default` for
    /// optional fields, so that the defaults appear in the schema.
    type Params: DeserializeOwned + JsonSchema;

    /// The name used in manifests.
    const NODE_TYPE: &'static str;

    /// Other names that manifests of this format use for it.
    const ALIASES: &'static [&'static str] = &[];

    /// Ports and summary. The params schema is filled in from [`NativeNode::Params`] afterwards.
    fn descriptor() -> NodeDescriptor;

    /// A fresh node.
    ///
    /// # Errors
    /// `InvalidParams`, naming the field and what it may be, when the values do not describe a working node.
    fn from_params(params: Self::Params) -> Result<Self, NodeError>;

    /// A fresh node that also wants to know its place in the manifest. Most do not.
    ///
    /// # Errors
    /// As [`NativeNode::from_params`].
    fn from_manifest(params: Self::Params, node: &NodeManifest) -> Result<Self, NodeError> {
        let _ = node;
        Self::from_params(params)
    }
}

/// Makes a node that has that many inputs out of its manifest.
type MakeNode = fn(&NodeManifest, usize) -> Result<Box<dyn Node>, NodeError>;

/// One line of the register: a [`NativeNode`] with its type erased.
pub(crate) struct NodeType {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    make_descriptor: fn() -> NodeDescriptor,
    make_node: MakeNode,
}

impl NodeType {
    pub(crate) const fn of<N: NativeNode>() -> Self {
        Self {
            name: N::NODE_TYPE,
            aliases: N::ALIASES,
            make_descriptor: descriptor_with_schema::<N>,
            make_node: node_from_json::<N>,
        }
    }

    /// True when manifests may call this type `name`.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Derives the schema anew: tens of microseconds.
    pub(crate) fn make_descriptor(&self) -> NodeDescriptor {
        (self.make_descriptor)()
    }

    /// A node that has so many inputs.
    pub(crate) fn create(&self, node: &NodeManifest, inputs: usize) -> Result<Box<dyn Node>, NodeError> {
        (self.make_node)(node, inputs)
    }
}

fn descriptor_with_schema<N: NativeNode>() -> NodeDescriptor {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let params_schema = generator.into_generator().into_root_schema_for::<N::Params>().to_value();
    NodeDescriptor { params_schema, ..N::descriptor() }
}

fn node_from_json<N: NativeNode>(node: &NodeManifest, inputs: usize) -> Result<Box<dyn Node>, NodeError> {
    let params =
        serde_json::from_value::<N::Params>(Value::Object(node.params.clone())).map_err(|error| {
            NodeError::invalid_params(format!("the params of {} are wrong: {error}", N::NODE_TYPE))
        })?;
    Ok(Box::new(WithInputs { node: N::from_manifest(params, node)?, inputs }))
}

/// A node that refuses packets on inputs which it does not have, so that nodes need not look at the port.
struct WithInputs<N> {
    node: N,
    inputs: usize,
}

impl<N: NativeNode> Node for WithInputs<N> {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.node.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        if usize::from(port.0) < self.inputs {
            return self.node.process(port, packet, out);
        }
        Err(NodeError::invalid_input(format!(
            "{} has {} input ports, there is no port {}",
            N::NODE_TYPE,
            self.inputs,
            port.0
        )))
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.node.reset()
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.node.flush(out)
    }

    fn cleanup(&mut self) {
        self.node.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.node.memory_bytes()
    }
}
