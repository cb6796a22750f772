//! What a pipeline gives, told by the rules of docs/decisions/0001 alone: one thread, one packet after the other. It
//! shares nothing with the engine but where the stages are.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

/// A packet of the model: its time and its value.
pub(super) type Item = (i64, Value);

/// What a node of the model does.
pub(super) trait Behaviour {
    /// One packet.
    fn process(&self, node: usize, item: &Item) -> Vec<Item>;
    /// The end of the stream.
    fn flush(&self, node: usize) -> Vec<Item>;
}

pub(super) struct Model<'a, B> {
    /// Connections in the manifest's order.
    pub edges: &'a [(usize, usize)],
    /// The stage of every node.
    pub stage_of: &'a [usize],
    /// Nodes in topological order.
    pub order: &'a [usize],
    pub behaviour: B,
}

/// What waits for a stage, by connection.
type Waiting = BTreeMap<usize, VecDeque<Item>>;

impl<B: Behaviour> Model<'_, B> {
    /// What every node without a consumer gives, in order, for these feeds and the end of the stream.
    pub fn run(&self, feeds: impl IntoIterator<Item = (usize, Item)>) -> BTreeMap<usize, Vec<Value>> {
        let mut given = BTreeMap::new();
        for feed in feeds {
            self.epoch(Some(feed), &mut given);
        }
        self.epoch(None, &mut given);
        given
    }

    /// Everything that one feed causes, stage after stage; without a feed, what the end of the stream causes.
    fn epoch(&self, feed: Option<(usize, Item)>, given: &mut BTreeMap<usize, Vec<Value>>) {
        let stages = self.stage_of.iter().max().map_or(0, |last| last + 1);
        let mut waiting = vec![Waiting::new(); stages];
        for stage in 0..stages {
            if let Some((node, item)) = feed.as_ref().filter(|(node, _)| self.stage_of[*node] == stage) {
                self.call(*node, item, &mut waiting, given);
            }
            for (edge, items) in std::mem::take(&mut waiting[stage]) {
                for item in items {
                    self.call(self.edges[edge].1, &item, &mut waiting, given);
                }
            }
            if feed.is_none() {
                for &node in self.order.iter().filter(|node| self.stage_of[**node] == stage) {
                    self.emit(node, self.behaviour.flush(node), &mut waiting, given);
                }
            }
        }
    }

    fn call(
        &self,
        node: usize,
        item: &Item,
        waiting: &mut [Waiting],
        given: &mut BTreeMap<usize, Vec<Value>>,
    ) {
        self.emit(node, self.behaviour.process(node, item), waiting, given);
    }

    /// Every packet goes to every consumer in the order of the connections: at once within the stage.
    fn emit(
        &self,
        node: usize,
        items: Vec<Item>,
        waiting: &mut [Waiting],
        given: &mut BTreeMap<usize, Vec<Value>>,
    ) {
        let consumers: Vec<_> =
            self.edges.iter().enumerate().filter(|(_, (from, _))| *from == node).collect();
        for item in items {
            if consumers.is_empty() {
                given.entry(node).or_default().push(item.1.clone());
            }
            for &(edge, &(_, to)) in &consumers {
                if self.stage_of[to] == self.stage_of[node] {
                    self.call(to, &item, waiting, given);
                } else {
                    waiting[self.stage_of[to]].entry(edge).or_default().push_back(item.clone());
                }
            }
        }
    }
}
