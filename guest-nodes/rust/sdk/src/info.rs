//! What a node type says about itself: its name, its ports, whether it keeps state.

use crate::bindings::remotemedia::node::types as wit;

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the payloads")]
pub enum PayloadKind {
    Audio,
    Text,
    Json,
    Tensor,
    Bytes,
    /// Every payload.
    Any,
}

/// A named port; its number is its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Letters, digits, `_` and `-`; what `node.port` in a manifest names.
    pub name: &'static str,
    /// What it carries.
    pub kind: PayloadKind,
}

/// What the host reads before it runs a node. Built in a `const` with [`Info::new`] or [`Info::audio`].
#[derive(Clone, Copy, Debug)]
pub struct Info {
    pub(crate) node_type: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) inputs: &'static [Port],
    pub(crate) outputs: &'static [Port],
    pub(crate) stateless: bool,
}

impl Info {
    /// A node called `node_type` in manifests, with one line of `summary` for people and the given ports.
    #[must_use]
    pub const fn new(
        node_type: &'static str,
        summary: &'static str,
        inputs: &'static [Port],
        outputs: &'static [Port],
    ) -> Self {
        Self { node_type, summary, inputs, outputs, stateless: false }
    }

    /// A node with one audio input `in` and one audio output `out`.
    #[must_use]
    pub const fn audio(node_type: &'static str, summary: &'static str) -> Self {
        const IN: &[Port] = &[Port { name: "in", kind: PayloadKind::Audio }];
        const OUT: &[Port] = &[Port { name: "out", kind: PayloadKind::Audio }];
        Self::new(node_type, summary, IN, OUT)
    }

    /// Promises that a call depends on nothing but its own input, so that the host may repeat it elsewhere.
    #[must_use]
    pub const fn stateless(mut self) -> Self {
        self.stateless = true;
        self
    }
}

impl From<Port> for wit::Port {
    fn from(port: Port) -> Self {
        let kind = match port.kind {
            PayloadKind::Audio => wit::PayloadKind::Audio,
            PayloadKind::Text => wit::PayloadKind::Text,
            PayloadKind::Json => wit::PayloadKind::Json,
            PayloadKind::Tensor => wit::PayloadKind::Tensor,
            PayloadKind::Bytes => wit::PayloadKind::Bytes,
            PayloadKind::Any => wit::PayloadKind::Any,
        };
        Self { name: port.name.to_owned(), kind }
    }
}
