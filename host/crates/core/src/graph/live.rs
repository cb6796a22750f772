//! Only a source can be live, and a live source cannot be made to wait.

use super::Edge;
use crate::manifest::{Manifest, ManifestError, OnFull};

/// Every fault of every `live`.
pub(super) fn check(manifest: &Manifest, edges: &[Edge], faults: &mut Vec<ManifestError>) {
    for (index, node) in manifest.nodes.iter().enumerate() {
        let Some(queue) = node.live.and_then(|live| live.queue()) else { continue };
        if let Some(edge) = edges.iter().find(|edge| edge.to == index) {
            let (id, feeder) = (&node.id, &manifest.nodes[edge.from].id);
            let message =
                format!("the node `{id}` is fed by `{feeder}`, so it is no source and cannot be live");
            faults.push(ManifestError::new(format!("$.nodes[{index}].live"), message).suggest(
                "write `live` at the source, or put a queue with `on_full: drop_oldest` on the connection",
            ));
        }
        if queue.on_full == OnFull::Block {
            let message = format!("nobody can make the live source `{}` wait", node.id);
            faults.push(
                ManifestError::new(format!("$.nodes[{index}].live.on_full"), message)
                    .suggest("write drop_oldest or drop_newest"),
            );
        }
    }
}
