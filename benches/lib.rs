//! What several benches need: manifests of a given size. It holds no measurements.

use remotemedia_core::manifest::{Connection, Metadata, Version};
use remotemedia_core::{Manifest, NodeManifest};

/// A chain of `nodes` nodes `n0`, `n1`, … of one type that needs no params.
#[must_use]
pub fn chain(nodes: usize, node_type: &str) -> Manifest {
    let id = |index: usize| format!("n{index}");
    Manifest {
        version: Version::V1,
        metadata: Metadata { name: "chain".into(), ..Metadata::default() },
        nodes: (0..nodes).map(|index| NodeManifest::new(id(index), node_type)).collect(),
        connections: (1..nodes).map(|index| Connection::new(id(index - 1), id(index))).collect(),
    }
}
