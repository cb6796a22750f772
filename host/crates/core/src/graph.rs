//! The graph: a manifest proven sound. Ids are unique, ports resolved and typed, params fit, no cycle, ordered.
//!
//! Which runtime serves a node, and how nodes are grouped into stages, is the engine's business.

mod connect;
mod cycles;
mod live;
mod order;
mod params;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::descriptor::NodeDescriptor;
use crate::manifest::{Manifest, ManifestError, ManifestErrors, NodeManifest, QueueSpec};
use crate::node::Port;

/// One node of a sound graph.
#[derive(Clone, Debug)]
pub struct GraphNode {
    /// What the user wrote.
    pub manifest: NodeManifest,
    /// What its type says about itself.
    pub descriptor: Arc<NodeDescriptor>,
}

/// One connection with its ends resolved. Nodes are indices into [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The producer.
    pub from: usize,
    /// Which of the producer's outputs.
    pub out_port: Port,
    /// The consumer.
    pub to: usize,
    /// Which of the consumer's inputs.
    pub in_port: Port,
    /// The queue that the manifest puts on this connection.
    pub queue: Option<QueueSpec>,
}

/// A manifest proven sound.
#[derive(Clone, Debug)]
pub struct Graph {
    name: String,
    nodes: Vec<GraphNode>,
    edges: Vec<Edge>,
    order: Vec<usize>,
    index_by_id: HashMap<String, usize>,
}

impl Graph {
    /// Proves `manifest` sound. `descriptors[i]` describes `manifest.nodes[i]`; `None` (or a slice that is too
    /// short) means that the caller already reported why that type cannot be described: its ports and params are
    /// not checked, and there is no graph.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the manifest. The list is empty only when the sole fault is a
    /// `None` in `descriptors`, which is the caller's to report.
    pub fn build(
        manifest: &Manifest,
        descriptors: &[Option<Arc<NodeDescriptor>>],
    ) -> Result<Self, ManifestErrors> {
        let mut faults = Vec::new();
        let index_by_id = index_ids(&manifest.nodes, &mut faults);
        params::check(manifest, descriptors, &mut faults);
        let (edges, links) = connect::resolve(manifest, descriptors, &index_by_id, &mut faults);
        live::check(manifest, &edges, &mut faults);
        let order = order::topological(manifest.nodes.len(), &links);
        if order.len() < manifest.nodes.len() {
            faults.extend(cycles::find(&manifest.nodes, &links));
        }
        let nodes: Option<Vec<GraphNode>> = manifest
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                let descriptor = descriptors.get(index)?.clone()?;
                Some(GraphNode { manifest: node.clone(), descriptor })
            })
            .collect();
        match nodes {
            Some(nodes) if faults.is_empty() => Ok(Self {
                name: manifest.metadata.name.clone(),
                nodes,
                edges,
                order,
                index_by_id: index_by_id.into_iter().map(|(id, index)| (id.to_owned(), index)).collect(),
            }),
            _ => {
                faults.sort_by_key(|fault| rank(&fault.path));
                Err(ManifestErrors(faults))
            }
        }
    }

    /// The pipeline's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The nodes in the manifest's order.
    #[must_use]
    pub fn nodes(&self) -> &[GraphNode] {
        &self.nodes
    }

    /// The connections in the manifest's order.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Every node once, each after all nodes that feed it; nodes that do not depend on each other are in the
    /// manifest's order.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The index of the node called `id`.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<usize> {
        self.index_by_id.get(id).copied()
    }

    /// The nodes that no connection feeds, in the manifest's order.
    #[must_use]
    pub fn sources(&self) -> Vec<usize> {
        self.without(|edge| edge.to)
    }

    /// The nodes that feed no connection, in the manifest's order: what they emit leaves the graph.
    #[must_use]
    pub fn sinks(&self) -> Vec<usize> {
        self.without(|edge| edge.from)
    }

    fn without(&self, end: impl Fn(&Edge) -> usize) -> Vec<usize> {
        let mut connected = vec![false; self.nodes.len()];
        for edge in &self.edges {
            connected[end(edge)] = true;
        }
        (0..self.nodes.len()).filter(|&node| !connected[node]).collect()
    }
}

/// Where a fault of this module lies in the manifest: nodes before connections, then by index.
fn rank(path: &str) -> (bool, usize) {
    let digits = path.split(['[', ']']).nth(1).unwrap_or_default();
    (path.starts_with("$.connections"), digits.parse().unwrap_or_default())
}

/// Maps ids to indices. Of nodes that share an id the first one keeps it.
fn index_ids<'a>(nodes: &'a [NodeManifest], faults: &mut Vec<ManifestError>) -> HashMap<&'a str, usize> {
    let mut index_by_id = HashMap::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let first = *index_by_id.entry(node.id.as_str()).or_insert(index);
        if first != index {
            faults.push(
                ManifestError::new(
                    format!("$.nodes[{index}].id"),
                    format!("the id `{}` is already taken by $.nodes[{first}]", node.id),
                )
                .suggest("ids must be unique: rename one of the two nodes"),
            );
        }
    }
    index_by_id
}
