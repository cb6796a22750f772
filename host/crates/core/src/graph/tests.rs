//! Properties of random graphs, and what a table of files cannot show: getters, huge graphs, missing descriptors.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::descriptor::{PayloadKind, PortSpec};
use crate::manifest::Connection;

fn anything() -> Arc<NodeDescriptor> {
    Arc::new(NodeDescriptor::transform("Anything", PayloadKind::Any, "for tests"))
}

/// A manifest of `nodes` nodes `n0`, `n1`… with these links.
fn manifest(nodes: usize, links: impl IntoIterator<Item = (usize, usize)>) -> Manifest {
    let mut manifest = Manifest::parse(
        br#"{"version": "v1", "metadata": {"name": "test"}, "nodes": [{"id": "x", "node_type": "x"}],
            "connections": []}"#,
        crate::manifest::ManifestFormat::Json,
    )
    .unwrap();
    manifest.nodes = (0..nodes).map(|node| NodeManifest::new(format!("n{node}"), "Anything")).collect();
    manifest.connections =
        links.into_iter().map(|(from, to)| Connection::new(format!("n{from}"), format!("n{to}"))).collect();
    manifest
}

fn build(manifest: &Manifest) -> Result<Graph, ManifestErrors> {
    Graph::build(manifest, &vec![Some(anything()); manifest.nodes.len()])
}

/// The node numbers of "…: n1 -> n2 -> n1".
fn named_cycle(fault: &ManifestError) -> Vec<usize> {
    let (_, names) = fault.message.split_once(": ").unwrap();
    names.split(" -> ").map(|name| name[1..].parse().unwrap()).collect()
}

/// A shuffled labelling of `nodes` nodes and links that all go forward in it.
fn acyclic() -> impl Strategy<Value = (usize, Vec<(usize, usize)>, Vec<usize>)> {
    (2_usize..40).prop_flat_map(|nodes| {
        let labels = Just((0..nodes).collect::<Vec<_>>()).prop_shuffle();
        let pairs = proptest::collection::vec((0..nodes, 0..nodes), 0..3 * nodes);
        (Just(nodes), pairs, labels).prop_map(|(nodes, pairs, labels)| {
            let mut seen = HashSet::new();
            let links = pairs
                .into_iter()
                .filter(|(a, b)| a != b)
                .map(|(a, b)| (labels[a.min(b)], labels[a.max(b)]))
                .filter(|link| seen.insert(*link))
                .collect();
            (nodes, links, labels)
        })
    })
}

proptest! {
    #[test]
    fn every_edge_of_an_acyclic_graph_goes_forward_in_its_order((nodes, links, _) in acyclic()) {
        let graph = build(&manifest(nodes, links.clone())).unwrap();
        let mut place = vec![None; nodes];
        for (position, &node) in graph.order().iter().enumerate() {
            prop_assert_eq!(place[node].replace(position), None);
        }
        for (from, to) in links {
            prop_assert!(place[from].unwrap() < place[to].unwrap());
        }
    }

    #[test]
    fn the_order_is_the_first_of_all_orders_by_manifest_position((nodes, links, _) in acyclic()) {
        // The lexicographically first topological order, by its definition: always the first node that is ready.
        let mut expected = Vec::new();
        while expected.len() < nodes {
            let ready = (0..nodes).find(|node| {
                !expected.contains(node) && links.iter().all(|(from, to)| to != node || expected.contains(from))
            });
            expected.push(ready.unwrap());
        }
        let graph = build(&manifest(nodes, links)).unwrap();
        prop_assert_eq!(graph.order(), expected);
    }

    #[test]
    fn a_back_edge_is_reported_as_a_cycle_that_is_there(
        (nodes, mut links, labels) in acyclic(),
        ends in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let (a, b) = (ends.0.index(nodes), ends.1.index(nodes));
        prop_assume!(a != b);
        let (first, last) = (labels[a.min(b)], labels[a.max(b)]);
        // A way forward and the edge back: at least one cycle, more when other ways exist.
        if !links.contains(&(first, last)) {
            links.push((first, last));
        }
        links.push((last, first));
        let faults = build(&manifest(nodes, links.clone())).unwrap_err().0;
        prop_assert!(!faults.is_empty());
        let links: HashSet<_> = links.into_iter().collect();
        for fault in &faults {
            let cycle = named_cycle(fault);
            prop_assert_eq!(cycle.first(), cycle.last());
            prop_assert!(cycle.windows(2).all(|step| links.contains(&(step[0], step[1]))));
            let distinct: HashSet<_> = cycle[1..].iter().collect();
            prop_assert_eq!(distinct.len(), cycle.len() - 1);
        }
    }
}

#[test]
fn every_separate_cycle_is_reported_once_at_the_connection_that_closes_it() {
    let links = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (4, 5)];
    let faults = build(&manifest(6, links)).unwrap_err().0;
    let found: Vec<_> = faults.iter().map(|fault| (fault.path.as_str(), named_cycle(fault))).collect();
    assert_eq!(found, [("$.connections[2]", vec![0, 1, 2, 0]), ("$.connections[5]", vec![3, 4, 3])]);
}

#[test]
fn the_shortest_cycle_of_a_tangle_is_named() {
    // n0 -> n1 -> n2 -> n3 -> n0 and the short cut n1 -> n0.
    let faults = build(&manifest(4, [(0, 1), (1, 2), (2, 3), (3, 0), (1, 0)])).unwrap_err().0;
    assert_eq!(faults.iter().map(named_cycle).collect::<Vec<_>>(), [vec![0, 1, 0]]);
}

#[test]
fn a_cycle_of_ten_thousand_nodes_is_reported_with_its_middle_left_out() {
    let ring = manifest(10_000, (0..10_000).map(|node| (node, (node + 1) % 10_000)));
    let text = build(&ring).unwrap_err().to_string();
    assert!(text.contains("n0 -> n1 -> ") && text.contains("(9960 more nodes)"), "{text}");
    assert!(text.contains("-> n9999 -> n0") && text.len() < 1_000, "{text}");
}

#[test]
fn a_chain_of_ten_thousand_nodes_is_ordered_backwards_too() {
    let chain = manifest(10_000, (1..10_000).map(|node| (node, node - 1)));
    let graph = build(&chain).unwrap();
    assert!(graph.order().iter().copied().eq((0..10_000).rev()));
    assert_eq!((graph.sources(), graph.sinks()), (vec![9_999], vec![0]));
    assert_eq!(graph.index_of("n123"), Some(123));
    assert_eq!(graph.index_of("absent"), None);
}

#[test]
fn ten_thousand_unknown_endpoints_are_all_reported_and_the_first_with_a_suggestion() {
    let mut manifest = manifest(10_000, []);
    manifest.connections = (0..10_000).map(|node| Connection::new(format!("m{node}"), "n0")).collect();
    let faults = build(&manifest).unwrap_err().0;
    assert_eq!(faults.len(), 10_000);
    assert_eq!(faults[0].suggestion.as_deref(), Some("did you mean `n0`?"));
    assert_eq!(faults[9_999].path, "$.connections[9999].from");
    assert_eq!(faults[9_999].suggestion, None);
}

#[test]
fn ports_resolve_by_name_and_default_to_the_first() {
    let join = Arc::new(NodeDescriptor {
        inputs: vec![PortSpec::new("left", PayloadKind::Any), PortSpec::new("right", PayloadKind::Audio)],
        ..NodeDescriptor::transform("Join", PayloadKind::Audio, "for tests")
    });
    let mut manifest = manifest(3, []);
    manifest.connections = vec![Connection::new("n0", "n2.right"), Connection::new("n1.out", "n2")];
    let descriptors = [Some(anything()), Some(anything()), Some(join)];
    let graph = Graph::build(&manifest, &descriptors).unwrap();
    let ends: Vec<_> = graph.edges().iter().map(|e| (e.from, e.out_port.0, e.to, e.in_port.0)).collect();
    assert_eq!(ends, [(0, 0, 2, 1), (1, 0, 2, 0)]);
    assert_eq!(graph.name(), "test");
}

#[test]
fn a_node_without_descriptor_hides_no_fault_elsewhere_and_adds_none() {
    let sound = manifest(3, [(0, 1), (1, 2)]);
    let faults = Graph::build(&sound, &[Some(anything()), None, Some(anything())]).unwrap_err().0;
    assert_eq!(faults, []);
    let cyclic = manifest(3, [(0, 1), (1, 2), (2, 0)]);
    let faults = Graph::build(&cyclic, &[None, None]).unwrap_err().0;
    assert_eq!(faults.iter().map(named_cycle).collect::<Vec<_>>(), [vec![0, 1, 2, 0]]);
}

#[test]
fn a_schema_that_refers_to_itself_or_away_neither_hangs_nor_fetches() {
    for (schema, is_sound) in [
        (serde_json::json!({"$ref": "#"}), true),
        (serde_json::json!({"$ref": "file:///etc/hostname"}), false),
        (serde_json::json!({"$ref": "http://127.0.0.1:9/schema"}), false),
        (serde_json::json!({"type": 3}), false),
        (serde_json::json!({"properties": {"a": {"pattern": "("}}}), false),
    ] {
        let descriptor = NodeDescriptor { params_schema: schema, ..(*anything()).clone() };
        let result = Graph::build(&manifest(1, []), &[Some(Arc::new(descriptor))]);
        match result {
            Ok(_) => assert!(is_sound),
            Err(faults) => {
                assert!(!is_sound);
                assert_eq!(faults.0[0].path, "$.nodes[0].node_type");
            }
        }
    }
}
