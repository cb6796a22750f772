//! How a node says that a call failed.

use crate::bindings::remotemedia::node::types as wit;

/// A failed call: what kind of failure, and a message for people.
#[derive(Clone, Debug)]
pub struct NodeError(pub(crate) wit::NodeError);

impl NodeError {
    fn new(kind: wit::ErrorKind, message: impl Into<String>) -> Self {
        Self(wit::NodeError { kind, message: message.into() })
    }

    /// The params do not describe a working node. Name the param and the values it may have.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(wit::ErrorKind::InvalidParams, message)
    }

    /// The packet is not what the node takes.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(wit::ErrorKind::InvalidInput, message)
    }

    /// Failed now, may work again. Promises that the node's state is as it was before the call.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(wit::ErrorKind::Transient, message)
    }

    /// A fault of the node itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(wit::ErrorKind::Internal, message)
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl std::fmt::Display for NodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.0.message, self.0.kind)
    }
}

impl std::error::Error for NodeError {}
