//! A runtime: one way of creating nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::descriptor::NodeDescriptor;
use crate::error::NodeError;
use crate::manifest::{ManifestError, NodeManifest};
use crate::node::Node;

/// Which runtime runs a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeKind {
    /// Rust compiled into the host.
    Native,
    /// A sandboxed WebAssembly component.
    Wasm,
    /// A Python class in the in-process CPython.
    Cpython,
    /// A pure-Python class in a sandboxed CPython.
    CpythonWasm,
}

impl RuntimeKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Native, Self::Wasm, Self::Cpython, Self::CpythonWasm];

    /// The name in manifests and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
            Self::Cpython => "cpython",
            Self::CpythonWasm => "cpython_wasm",
        }
    }

    /// True when what it runs cannot do anything that was not granted.
    #[must_use]
    pub const fn is_sandboxed(self) -> bool {
        matches!(self, Self::Wasm | Self::CpythonWasm)
    }
}

impl std::fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One way of creating nodes. Implementations start expensive things (an interpreter, an engine) only when
/// `describe` or `create` is first asked about a node that is theirs.
pub trait Runtime: Send + Sync {
    /// Which one this is.
    fn kind(&self) -> RuntimeKind;

    /// The names of the node types this runtime can list without starting anything; empty when it looks types
    /// up elsewhere.
    fn node_types(&self) -> Vec<String> {
        Vec::new()
    }

    /// True when [`Runtime::node_types`] lists `node_type` or an alias of one of its names.
    fn lists(&self, node_type: &str) -> bool {
        self.node_types().iter().any(|known| known == node_type)
    }

    /// What the manifest of `node` asks for that the operator does not allow. Paths are relative to the node, such
    /// as `limits.memory_mb`.
    fn refusals(&self, node: &NodeManifest) -> Vec<ManifestError> {
        let _ = node;
        Vec::new()
    }

    /// What the node type of `node` says about itself; `None` when this runtime does not know the type.
    ///
    /// # Errors
    /// When the type is this runtime's but cannot be read: a file that is not a component, a module that
    /// raises on import.
    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError>;

    /// A node with the manifest's params. Nothing is shared between two nodes of one type.
    ///
    /// # Errors
    /// When the params are wrong or what the node needs is missing.
    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError>;

    /// True when nodes of this runtime need a thread that is theirs for the life of the stage (one that stays
    /// attached to an interpreter).
    fn wants_own_thread(&self) -> bool {
        false
    }

    /// Runs `body`, the whole life of a stage, on the current thread, with whatever this runtime keeps per
    /// thread set up around it.
    fn enter_thread(&self, body: &mut dyn FnMut()) {
        body();
    }
}
