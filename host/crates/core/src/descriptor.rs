//! What a node type says about itself before it is created: ports, params schema, weight.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named after the payloads")]
pub enum PayloadKind {
    Audio,
    Text,
    Json,
    Tensor,
    Bytes,
    /// Every payload, opaque objects included.
    Any,
}

impl PayloadKind {
    /// The lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Text => "text",
            Self::Json => "json",
            Self::Tensor => "tensor",
            Self::Bytes => "bytes",
            Self::Any => "any",
        }
    }

    /// True when an output of this kind may be connected to an input of kind `input`. `Any` connects to
    /// everything: what really arrives is checked by the consumer at run time.
    #[must_use]
    pub fn fits(self, input: Self) -> bool {
        self == input || self == Self::Any || input == Self::Any
    }
}

/// One named port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortSpec {
    /// Unique among the node's inputs or outputs; what `node.port` in a manifest names.
    pub name: String,
    /// What it carries.
    pub kind: PayloadKind,
}

impl PortSpec {
    /// A port called `name`.
    pub fn new(name: impl Into<String>, kind: PayloadKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// Everything the graph, the selector and a reader need to know about a node type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeDescriptor {
    /// The name used in manifests.
    pub node_type: String,
    /// Version of the implementation.
    pub version: String,
    /// One line for people.
    pub summary: String,
    /// Input ports; index = port number. A source has none.
    pub inputs: Vec<PortSpec>,
    /// Output ports; index = port number. Outputs that no connection names can be left unconnected.
    pub outputs: Vec<PortSpec>,
    /// JSON Schema of the params object.
    pub params_schema: Value,
    /// True when a call depends on nothing but its own input: it may be retried elsewhere.
    pub stateless: bool,
    /// True when a call takes so long that it deserves its own stage.
    #[serde(default)]
    pub heavy: bool,
}

impl NodeDescriptor {
    /// A descriptor with one input and one output of `kind`, named `in` and `out`, taking no params.
    pub fn transform(node_type: impl Into<String>, kind: PayloadKind, summary: impl Into<String>) -> Self {
        Self {
            node_type: node_type.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: summary.into(),
            inputs: vec![PortSpec::new("in", kind)],
            outputs: vec![PortSpec::new("out", kind)],
            params_schema: serde_json::json!({"type": "object", "additionalProperties": false}),
            stateless: false,
            heavy: false,
        }
    }
}
