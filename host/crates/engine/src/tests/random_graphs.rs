//! Whatever the graph and wherever its queues are, the results are those of one thread.

use proptest::prelude::*;
use remotemedia_core::manifest::{Connection, QueueSpec};
use remotemedia_core::{Packet, Payload, PayloadKind};
use serde_json::{Value, json};

use super::{TestRuntime, manifest, values};

/// `Tag`, but it drops some packets and doubles others, by what they hold.
fn runtime() -> TestRuntime {
    TestRuntime::new().with("Moody", PayloadKind::Json, |id, _, packet, out| {
        let Payload::Json(value) = &packet.payload else { return Ok(()) };
        let mut path = value.as_array().cloned().unwrap_or_else(|| vec![(**value).clone()]);
        path.push(Value::from(id));
        let mood = (packet.pts_ns as usize + path.len() * 7 + id.len()) % 5;
        let copies = [0, 1, 1, 1, 2][mood];
        for copy in 0..copies {
            let mut path = path.clone();
            path.push(json!(copy));
            out.push(Packet::new(packet.pts_ns, Value::Array(path)));
        }
        Ok(())
    })
}

#[derive(Clone, Debug)]
struct RandomGraph {
    nodes: usize,
    last: Vec<bool>,
    edges: Vec<(usize, usize, Option<usize>)>,
    feeds: Vec<usize>,
}

fn random_graph() -> impl Strategy<Value = RandomGraph> {
    (2..8_usize).prop_flat_map(|nodes| {
        let edge = (0..nodes - 1, 1..nodes, proptest::option::of(1..4_usize));
        (
            Just(nodes),
            proptest::collection::vec(any::<bool>(), nodes),
            proptest::collection::vec(edge, 1..12),
            proptest::collection::vec(0..nodes, 0..30),
        )
            .prop_map(|(nodes, last, edges, feeds)| {
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
                RandomGraph { nodes, last, edges, feeds }
            })
    })
}

fn run(graph: &RandomGraph, queues: bool) -> Vec<(String, Value)> {
    let ids: Vec<String> = (0..graph.nodes).map(|n| format!("n{n}")).collect();
    let node_type = |n: usize| if graph.last[n] && n % 3 == 2 { "Last" } else { "Moody" };
    let nodes: Vec<_> = ids.iter().enumerate().map(|(n, id)| (id.as_str(), node_type(n))).collect();
    let mut manifest = manifest(&nodes, &[]);
    for &(from, to, queue) in &graph.edges {
        let mut connection = Connection::new(ids[from].clone(), ids[to].clone());
        connection.queue =
            queue.filter(|_| queues).map(|max_packets| QueueSpec { max_packets, ..QueueSpec::default() });
        manifest.connections.push(connection);
    }
    let sources: Vec<&str> = (0..graph.nodes)
        .filter(|n| graph.edges.iter().all(|(_, to, _)| to != n))
        .map(|n| ids[n].as_str())
        .collect();
    let feeds = graph
        .feeds
        .iter()
        .enumerate()
        .map(|(nth, &pick)| (sources[pick % sources.len()], Packet::new(nth as i64, json!(nth))));
    let runtime = TestRuntime { own_thread: queues && graph.last[0], ..runtime() };
    values(&manifest, &runtime.start(&manifest).run(feeds).unwrap())
}

/// What each node put out, as a sorted list: the merge order of a diamond's inner branches is a matter of how
/// the graph is cut, the packets are not.
fn sorted(mut outputs: Vec<(String, Value)>) -> Vec<(String, String)> {
    let mut outputs: Vec<_> = outputs.drain(..).map(|(id, value)| (id, value.to_string())).collect();
    outputs.sort();
    outputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn queues_and_threads_change_no_result(graph in random_graph()) {
        let alone = run(&graph, false);
        let first = run(&graph, true);
        prop_assert_eq!(sorted(alone), sorted(first.clone()));
        for _ in 0..3 {
            prop_assert_eq!(&run(&graph, true), &first, "the order must not depend on the threads' timing");
        }
    }
}
