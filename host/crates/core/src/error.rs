//! How a node fails: one error type that names the node, the operation and the cause.

use std::fmt;

use serde::Serialize;

/// What went wrong, as a policy and an exit code need to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The params do not describe a working node.
    InvalidParams,
    /// A packet is not what the node takes.
    InvalidInput,
    /// Failed now, may work again; the node's state is unchanged.
    Transient,
    /// A call took longer than it may.
    Timeout,
    /// What the node needs (a file, a class, an interpreter) is not there.
    Unavailable,
    /// Sandboxed code did something a correct program does not.
    Trap,
    /// The node asked for something it was not granted.
    PermissionDenied,
    /// The node used more of a resource than its limit.
    LimitExceeded,
    /// The circuit breaker keeps calls away from a failing node.
    CircuitOpen,
    /// The pipeline was cancelled.
    Cancelled,
    /// A fault of the node or the host that no other kind fits.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::InvalidParams,
        Self::InvalidInput,
        Self::Transient,
        Self::Timeout,
        Self::Unavailable,
        Self::Trap,
        Self::PermissionDenied,
        Self::LimitExceeded,
        Self::CircuitOpen,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The name on the wire, for example `invalid_params`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidParams => "invalid_params",
            Self::InvalidInput => "invalid_input",
            Self::Transient => "transient",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Trap => "trap",
            Self::PermissionDenied => "permission_denied",
            Self::LimitExceeded => "limit_exceeded",
            Self::CircuitOpen => "circuit_open",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// True when the same call may be tried again: the node promises that its state is as it was before, or it has
    /// none.
    #[must_use]
    pub const fn is_retryable(self, stateless: bool) -> bool {
        match self {
            Self::Transient => true,
            Self::Timeout | Self::Unavailable => stateless,
            _ => false,
        }
    }

    /// True when the node is to blame, and not the packet, the manifest or a person who cancelled.
    #[must_use]
    pub const fn is_the_nodes_fault(self) -> bool {
        match self {
            Self::Transient
            | Self::Timeout
            | Self::Unavailable
            | Self::Trap
            | Self::LimitExceeded
            | Self::Internal => true,
            Self::InvalidParams
            | Self::InvalidInput
            | Self::PermissionDenied
            | Self::CircuitOpen
            | Self::Cancelled => false,
        }
    }
}

/// Which of a node's verbs failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named after the verbs of `Node` and `Runtime`")]
pub enum Operation {
    Describe,
    Create,
    Initialize,
    Process,
    Reset,
    Flush,
    Cleanup,
}

impl Operation {
    /// The lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Create => "create",
            Self::Initialize => "initialize",
            Self::Process => "process",
            Self::Reset => "reset",
            Self::Flush => "flush",
            Self::Cleanup => "cleanup",
        }
    }
}

/// A node failed. The node or its runtime says what and why; the engine adds which node and which verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeError {
    /// What went wrong, for programs.
    pub kind: ErrorKind,
    /// The manifest's id of the node; empty until the engine fills it in.
    pub node_id: Box<str>,
    /// The verb that failed; `None` until the engine fills it in.
    pub operation: Option<Operation>,
    /// What was wrong and what to do about it, for people.
    pub message: Box<str>,
    /// The Python traceback or wasm backtrace, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<str>>,
    /// The packet is not even of a kind that the node takes: what Python calls a `TypeError`.
    #[serde(skip)]
    pub is_wrong_kind: bool,
}

impl NodeError {
    /// An error of `kind`. The message says what was wrong, where, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            node_id: "".into(),
            operation: None,
            message: message.into().into_boxed_str(),
            trace: None,
            is_wrong_kind: false,
        }
    }

    /// An [`ErrorKind::InvalidParams`] error.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidParams, message)
    }

    /// An [`ErrorKind::InvalidInput`] error about the kind of the payload.
    pub fn wrong_kind(message: impl Into<String>) -> Self {
        Self { is_wrong_kind: true, ..Self::invalid_input(message) }
    }

    /// An [`ErrorKind::InvalidInput`] error.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// An [`ErrorKind::Internal`] error.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds a traceback or backtrace.
    #[must_use]
    pub fn with_trace(mut self, trace: impl Into<String>) -> Self {
        self.trace = Some(trace.into().into_boxed_str());
        self
    }

    /// Names the node and verb, unless something closer to the fault already did.
    #[must_use]
    pub fn at(mut self, node_id: &str, operation: Operation) -> Self {
        if self.node_id.is_empty() {
            self.node_id = node_id.into();
        }
        self.operation.get_or_insert(operation);
        self
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.node_id.is_empty() {
            write!(f, "node `{}`", self.node_id)?;
            if let Some(operation) = self.operation {
                write!(f, " failed in {}", operation.name())?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{} [{}]", self.message, self.kind.name())
    }
}

impl std::error::Error for NodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_and_left_the_state_whole_is_retryable() {
        use ErrorKind::*;
        let kinds = [
            InvalidParams,
            InvalidInput,
            Transient,
            Timeout,
            Unavailable,
            Trap,
            PermissionDenied,
            LimitExceeded,
            CircuitOpen,
            Cancelled,
            Internal,
        ];
        let retryable = |stateless| kinds.into_iter().filter(move |kind| kind.is_retryable(stateless));
        assert!(retryable(false).eq([Transient]));
        assert!(retryable(true).eq([Transient, Timeout, Unavailable]));
    }

    #[test]
    fn an_error_names_node_operation_cause_and_kind() {
        let error = NodeError::invalid_input("wants audio, got text")
            .at("vad", Operation::Process)
            .at("outer", Operation::Create);
        assert_eq!(error.to_string(), "node `vad` failed in process: wants audio, got text [invalid_input]");
    }
}
