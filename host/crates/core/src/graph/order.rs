//! Topological order. Kahn's algorithm ("Topological sorting of large networks", 1962) with a heap, so that of
//! the nodes that are ready the one that the manifest names first comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A directed link between two different nodes, and the connection that it came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub from: usize,
    pub to: usize,
    pub connection: usize,
}

/// The links that leave each node, as one flat list and where each node's part starts.
pub(super) struct Adjacency {
    starts: Vec<usize>,
    links: Vec<Link>,
}

impl Adjacency {
    /// Groups `links` by producer, keeping their order.
    pub fn new(nodes: usize, links: &[Link]) -> Self {
        let mut starts = vec![0; nodes + 1];
        for link in links {
            starts[link.from + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut grouped = links.to_vec();
        grouped.sort_by_key(|link| link.from);
        Self { starts, links: grouped }
    }

    /// The links that leave `node`.
    pub fn leaving(&self, node: usize) -> &[Link] {
        &self.links[self.starts[node]..self.starts[node + 1]]
    }
}

/// Every node that no cycle reaches, each after all its producers. Shorter than `nodes` exactly when there is a
/// cycle.
pub(super) fn topological(nodes: usize, links: &[Link]) -> Vec<usize> {
    let adjacency = Adjacency::new(nodes, links);
    let mut waiting_for = vec![0_usize; nodes];
    for link in links {
        waiting_for[link.to] += 1;
    }
    let mut ready: BinaryHeap<_> = (0..nodes).filter(|&node| waiting_for[node] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(nodes);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for link in adjacency.leaving(node) {
            waiting_for[link.to] -= 1;
            if waiting_for[link.to] == 0 {
                ready.push(Reverse(link.to));
            }
        }
    }
    order
}
