//! Cuts a graph into stages: groups of nodes that run by direct calls in one thread.
//!
//! Nodes that a connection joins share a stage unless something asks for a queue between them: the manifest, or
//! a heavy consumer. Every stage gets a level, and queues only lead from a lower to a higher level, so that
//! bounded queues can never wait for each other in a circle.

use remotemedia_core::graph::Graph;

/// The stage of every node, and which edges are queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stages {
    of_node: Vec<usize>,
    count: usize,
}

impl Stages {
    /// Cuts `graph`; `heavy[i]` says that node `i` deserves a stage of its own to begin with.
    #[must_use]
    pub fn cut(graph: &Graph, heavy: &[bool]) -> Self {
        let mut groups = Groups::new(graph.nodes().len());
        let incoming = incoming_edges(graph);
        for &node in graph.order() {
            let mut level = 0;
            // A source that takes long must not hold up another one.
            let mut cut_root = heavy[node] && incoming[node].is_empty();
            for &edge in &incoming[node] {
                let edge = &graph.edges()[edge];
                let cut = edge.queue.is_some() || heavy[node];
                level = level.max(groups.level_of(edge.from) + usize::from(cut));
                cut_root |= cut;
            }
            let neighbours: Vec<usize> = incoming[node]
                .iter()
                .map(|&edge| graph.edges()[edge].from)
                .filter(|&from| groups.level_of(from) == level)
                .collect();
            let apart = groups.groups_kept_apart(&neighbours) + usize::from(cut_root);
            if apart > 1 {
                // Joining would make concurrent branches wait for each other: the merge gets its own stage.
                groups.place(node, level + 1, true);
            } else {
                groups.place(node, level, cut_root);
                for from in neighbours {
                    groups.join(from, node);
                }
            }
        }
        groups.number(graph.order())
    }

    /// The stage of node `index`. Stages are numbered in an order in which every queue leads forward.
    #[must_use]
    pub fn of(&self, index: usize) -> usize {
        self.of_node[index]
    }

    /// The stage of every node, in the graph's order of nodes.
    #[must_use]
    pub fn of_nodes(&self) -> &[usize] {
        &self.of_node
    }

    /// How many stages there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

fn incoming_edges(graph: &Graph) -> Vec<Vec<usize>> {
    let mut incoming = vec![Vec::new(); graph.nodes().len()];
    for (index, edge) in graph.edges().iter().enumerate() {
        incoming[edge.to].push(index);
    }
    incoming
}

/// A union-find over nodes whose groups know their level and whether a cut begins them.
struct Groups {
    parent: Vec<usize>,
    level: Vec<usize>,
    cut_root: Vec<bool>,
}

impl Groups {
    fn new(nodes: usize) -> Self {
        Self { parent: (0..nodes).collect(), level: vec![0; nodes], cut_root: vec![false; nodes] }
    }

    fn find(&mut self, mut node: usize) -> usize {
        while self.parent[node] != node {
            self.parent[node] = self.parent[self.parent[node]];
            node = self.parent[node];
        }
        node
    }

    fn level_of(&mut self, node: usize) -> usize {
        let root = self.find(node);
        self.level[root]
    }

    fn place(&mut self, node: usize, level: usize, cut_root: bool) {
        self.level[node] = level;
        self.cut_root[node] = cut_root;
    }

    /// How many groups the nodes are of, when one of these groups was cut off on purpose; otherwise 0.
    fn groups_kept_apart(&mut self, nodes: &[usize]) -> usize {
        let mut roots: Vec<usize> = nodes.iter().map(|&node| self.find(node)).collect();
        roots.sort_unstable();
        roots.dedup();
        if roots.iter().any(|&root| self.cut_root[root]) { roots.len() } else { 0 }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if a != b {
            self.cut_root[a] |= self.cut_root[b];
            self.parent[b] = a;
        }
    }

    /// Numbers the groups by level, then by the first of their nodes in `order`.
    fn number(mut self, order: &[usize]) -> Stages {
        let mut roots = Vec::new();
        for &node in order {
            let root = self.find(node);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots.sort_by_key(|&root| self.level[root]);
        let mut number = vec![0; self.parent.len()];
        for (stage, &root) in roots.iter().enumerate() {
            number[root] = stage;
        }
        let of_node = (0..self.parent.len()).map(|node| number[self.find(node)]).collect();
        Stages { of_node, count: roots.len() }
    }
}
