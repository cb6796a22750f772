//! The set of runtimes a host was composed with.

use std::sync::Arc;

use remotemedia_core::{NodeManifest, Runtime, RuntimeKind};

use crate::policies::Shared;
use crate::selector::Available;

/// At most one runtime of each kind, and what all pipelines that run on them share. Clones share it too.
#[derive(Clone, Default)]
pub struct Runtimes {
    list: Vec<Arc<dyn Runtime>>,
    shared: Arc<Shared>,
}

impl Runtimes {
    /// The given runtimes. Of two of one kind the first counts.
    #[must_use]
    pub fn new(runtimes: Vec<Arc<dyn Runtime>>) -> Self {
        Self { list: runtimes, shared: Arc::default() }
    }

    /// The same runtimes, sharing circuit breakers with `other`: for a host that is made of another one's parts.
    #[must_use]
    pub fn sharing_with(self, other: &Self) -> Self {
        Self { shared: Arc::clone(&other.shared), ..self }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The same runtimes, for pipelines that go by `clock`.
    #[cfg(test)]
    pub(crate) fn with_clock(self, clock: Arc<dyn crate::policies::clock::Clock>) -> Self {
        Self { shared: Arc::new(Shared::with_clock(clock)), ..self }
    }

    /// The runtime of that kind, when the host has one.
    #[must_use]
    pub fn get(&self, kind: RuntimeKind) -> Option<&Arc<dyn Runtime>> {
        self.list.iter().find(|runtime| runtime.kind() == kind)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Runtime>> {
        self.list.iter()
    }

    /// Which of them could run `node`, by its type's name: finding out for sure may start an interpreter or
    /// compile a component.
    #[must_use]
    pub fn available(&self, node: &NodeManifest) -> Available {
        let has = |kind| self.get(kind).is_some();
        let python = node.component.is_none() && may_be_python_class(&node.node_type);
        Available {
            native: self.get(RuntimeKind::Native).is_some_and(|native| native.lists(&node.node_type)),
            wasm: node.component.is_some() && has(RuntimeKind::Wasm),
            cpython: python && has(RuntimeKind::Cpython),
            cpython_wasm: python && has(RuntimeKind::CpythonWasm),
        }
    }
}

impl std::fmt::Debug for Runtimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|runtime| runtime.kind())).finish()
    }
}

/// True for `module:Class`, `package.module:Class` and a bare identifier.
fn may_be_python_class(node_type: &str) -> bool {
    let identifier = |part: &str| {
        part.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    match node_type.split_once(':') {
        Some((module, class)) => module.split('.').all(identifier) && class.split('.').all(identifier),
        None => identifier(node_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_classes_are_told_from_other_names() {
        for name in ["features:Pitch", "a.b.c:D", "SpectralCentroid", "_x:Outer.Inner", "modül:Ä"] {
            assert!(may_be_python_class(name), "{name}");
        }
        for name in ["", "a-b", "a:", ":B", "a b:C", "1a:B", "a..b:C", "a:b:c"] {
            assert!(!may_be_python_class(name), "{name}");
        }
    }
}
