//! Whatever the graph, its queues and the policies around its nodes: the stages are in order, every node is in one of
//! them, and the results are those of one thread.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use remotemedia_core::manifest::{BreakerSpec, Connection, OnError, QueueSpec, RetrySpec};
use remotemedia_core::{Manifest, Packet, Payload, PayloadKind};
use serde_json::{Value, json};

use super::sequential_model::{Behaviour, Item, Model};
use super::{TestRuntime, manifest, values};
use crate::Output;

/// `Tag`, but it drops some packets and doubles others, by what they hold.
fn moody(id: &str, (pts_ns, value): &Item) -> Vec<Item> {
    let mut path = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    path.push(Value::from(id));
    let mood = (*pts_ns as usize + path.len() * 7 + id.len()) % 5;
    let copies = [0, 1, 1, 1, 2][mood];
    let copy_of = |copy: usize| {
        let mut path = path.clone();
        path.push(json!(copy));
        (*pts_ns, Value::Array(path))
    };
    (0..copies).map(copy_of).collect()
}

fn runtime() -> TestRuntime {
    TestRuntime::new().with("Moody", PayloadKind::Json, |id, _, packet, out| {
        let Payload::Json(value) = &packet.payload else { return Ok(()) };
        for (pts_ns, value) in moody(id, &(packet.pts_ns, (**value).clone())) {
            out.push(Packet::new(pts_ns, value));
        }
        Ok(())
    })
}

#[derive(Clone, Debug)]
struct RandomGraph {
    nodes: usize,
    last: Vec<bool>,
    /// Per node: whether it may be tried again, has a breaker, and skips errors.
    policies: Vec<[bool; 3]>,
    edges: Vec<(usize, usize, Option<usize>)>,
    feeds: Vec<usize>,
}

fn random_graph() -> impl Strategy<Value = RandomGraph> {
    (2..8_usize).prop_flat_map(|nodes| {
        let edge = (0..nodes - 1, 1..nodes, proptest::option::of(1..4_usize));
        (
            Just(nodes),
            proptest::collection::vec(any::<bool>(), nodes),
            proptest::collection::vec(proptest::array::uniform3(proptest::bool::weighted(0.2)), nodes),
            proptest::collection::vec(edge, 1..12),
            proptest::collection::vec(0..nodes, 0..30),
        )
            .prop_map(|(nodes, last, policies, edges, feeds)| {
                let mut edges: Vec<_> = edges
                    .into_iter()
                    .map(
                        |(a, b, queue)| {
                            if a < b { (a, b, queue) } else { (b.min(nodes - 2), a.max(b), queue) }
                        },
                    )
                    .filter(|(a, b, _)| a < b)
                    .collect();
                edges.sort_by_key(|&(a, b, _)| (a, b));
                edges.dedup_by_key(|&mut (a, b, _)| (a, b));
                RandomGraph { nodes, last, policies, edges, feeds }
            })
    })
}

impl RandomGraph {
    fn is_last(&self, node: usize) -> bool {
        self.last[node] && node % 3 == 2
    }

    /// The packets, and the node that each is fed to.
    fn feeds(&self) -> impl Iterator<Item = (usize, i64)> {
        let is_source = |node: &usize| self.edges.iter().all(|(_, to, _)| to != node);
        let sources: Vec<usize> = (0..self.nodes).filter(is_source).collect();
        self.feeds.iter().enumerate().map(move |(nth, &pick)| (sources[pick % sources.len()], nth as i64))
    }

    fn manifest(&self, queues: bool) -> Manifest {
        let ids: Vec<String> = (0..self.nodes).map(id).collect();
        let node_type = |n: usize| if self.is_last(n) { "Last" } else { "Moody" };
        let nodes: Vec<_> = ids.iter().enumerate().map(|(n, id)| (id.as_str(), node_type(n))).collect();
        let mut manifest = manifest(&nodes, &[]);
        for &(from, to, queue) in &self.edges {
            let mut connection = Connection::new(id(from), id(to));
            connection.queue =
                queue.filter(|_| queues).map(|max_packets| QueueSpec { max_packets, ..QueueSpec::default() });
            manifest.connections.push(connection);
        }
        if queues {
            for (node, [retries, breaks, skips]) in manifest.nodes.iter_mut().zip(&self.policies) {
                node.retry = retries.then(RetrySpec::default);
                node.circuit_breaker = breaks.then(BreakerSpec::default);
                node.on_error = if *skips { OnError::Skip } else { OnError::Fail };
            }
        }
        manifest
    }

    fn runtime(&self, queues: bool) -> TestRuntime {
        TestRuntime { own_thread: queues && self.last[0], ..runtime() }
    }

    fn run(&self, queues: bool) -> Vec<(String, Value)> {
        let manifest = self.manifest(queues);
        let feeds: Vec<_> =
            self.feeds().map(|(node, nth)| (id(node), Packet::new(nth, json!(nth)))).collect();
        let feeds = feeds.iter().map(|(id, packet)| (id.as_str(), packet.clone()));
        values(&manifest, &self.runtime(queues).start(&manifest).run(feeds).unwrap())
    }

    /// What has come out after each feed, once it is quiet.
    fn run_in_steps(&self, queues: bool) -> Vec<Vec<(String, String)>> {
        let manifest = self.manifest(queues);
        let mut pipeline = self.runtime(queues).start(&manifest);
        let step = |(node, nth)| {
            pipeline.feed(&id(node), Packet::new(nth, json!(nth))).unwrap();
            pipeline.quiesce().unwrap();
            let outputs: Vec<Output> = std::iter::from_fn(|| pipeline.try_next().unwrap()).collect();
            sorted(values(&manifest, &outputs))
        };
        self.feeds().map(step).collect()
    }
}

fn id(node: usize) -> String {
    format!("n{node}")
}

impl Behaviour for &RandomGraph {
    fn process(&self, node: usize, item: &Item) -> Vec<Item> {
        if self.is_last(node) { Vec::new() } else { moody(&id(node), item) }
    }

    fn flush(&self, node: usize) -> Vec<Item> {
        let said = (i64::MAX, json!([format!("{} flushed", id(node))]));
        if self.is_last(node) { vec![said] } else { Vec::new() }
    }
}

/// What each node put out, as a sorted list: the merge order of a diamond's inner branches is a matter of how
/// the graph is cut, the packets are not.
fn sorted(mut outputs: Vec<(String, Value)>) -> Vec<(String, String)> {
    let mut outputs: Vec<_> = outputs.drain(..).map(|(id, value)| (id, value.to_string())).collect();
    outputs.sort();
    outputs
}

/// The same graphs on every machine; a graph that fails is kept in `proptest-regressions`.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn queues_and_threads_change_no_result(graph in random_graph()) {
        let alone = graph.run(false);
        let first = graph.run(true);
        prop_assert_eq!(sorted(alone), sorted(first.clone()));
        for _ in 0..3 {
            prop_assert_eq!(&graph.run(true), &first, "the order must not depend on the threads' timing");
        }
    }

    #[test]
    fn every_sink_gives_what_one_thread_would_give_and_in_that_order(graph in random_graph()) {
        for queues in [false, true] {
            let plan = graph.runtime(queues).plan(&graph.manifest(queues));
            let edges: Vec<_> = graph.edges.iter().map(|&(from, to, _)| (from, to)).collect();
            let model = Model {
                edges: &edges,
                stage_of: plan.stages().of_nodes(),
                order: plan.graph().order(),
                behaviour: &graph,
            };
            let expected = model.run(graph.feeds().map(|(node, nth)| (node, (nth, json!(nth)))));
            let mut given: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
            for (id, value) in graph.run(queues) {
                given.entry(id[1..].parse().unwrap()).or_default().push(value);
            }
            prop_assert_eq!(given, expected, "with queues: {}", queues);
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn stages_are_in_order_along_every_queue_and_hold_every_node_once(graph in random_graph()) {
        let plan = graph.runtime(true).plan(&graph.manifest(true));
        let (stages, order) = (plan.stages(), plan.graph().order());
        prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..graph.nodes).collect());
        prop_assert_eq!(order.len(), graph.nodes);
        let used: BTreeSet<usize> = stages.of_nodes().iter().copied().collect();
        prop_assert_eq!(used, (0..stages.count()).collect());
        for &(from, to, queue) in &graph.edges {
            let place = |wanted: usize| order.iter().position(|&node| node == wanted);
            prop_assert!(place(from) < place(to), "n{} comes before n{}", to, from);
            let (from, to) = (stages.of(from), stages.of(to));
            prop_assert!(from < to || (from == to && queue.is_none()), "a queue leads from {} to {}", from, to);
        }
    }

    #[test]
    fn when_it_is_quiet_everything_that_came_of_the_feeds_is_there(graph in random_graph()) {
        prop_assert_eq!(graph.run_in_steps(true), graph.run_in_steps(false));
    }
}
