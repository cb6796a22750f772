//! Where a graph is cut into stages.

use remotemedia_core::PayloadKind;

use super::{TestRuntime, manifest};

fn stages(nodes: &[(&str, &str)], connections: &[(&str, &str)]) -> Vec<usize> {
    let runtime = TestRuntime::new()
        .with("Heavy", PayloadKind::Any, |_, _, packet, out| {
            out.push(packet);
            Ok(())
        })
        .describing("Heavy", |descriptor| descriptor.heavy = true);
    runtime.plan(&manifest(nodes, connections)).stages().of_nodes().to_vec()
}

#[test]
fn connected_light_nodes_share_one_stage() {
    let diamond = [("s", "l"), ("s", "r"), ("l", "m"), ("r", "m")];
    assert_eq!(stages(&[("s", "Pass"), ("l", "Pass"), ("r", "Pass"), ("m", "Pass")], &diamond), [0, 0, 0, 0]);
}

#[test]
fn unconnected_parts_are_stages_of_their_own() {
    assert_eq!(stages(&[("a", "Pass"), ("b", "Pass"), ("c", "Pass")], &[("a", "b")]), [0, 0, 1]);
}

#[test]
fn a_queue_in_the_manifest_begins_a_stage() {
    assert_eq!(
        stages(&[("a", "Pass"), ("b", "Pass"), ("c", "Pass")], &[("a", "=>b"), ("b", "c")]),
        [0, 1, 1]
    );
}

#[test]
fn a_heavy_node_begins_a_stage_and_a_heavy_source_needs_no_queue() {
    assert_eq!(stages(&[("a", "Pass"), ("h", "Heavy"), ("c", "Pass")], &[("a", "h"), ("h", "c")]), [0, 1, 1]);
    assert_eq!(stages(&[("h", "Heavy"), ("c", "Pass")], &[("h", "c")]), [0, 0]);
}

#[test]
fn a_light_path_around_a_heavy_node_does_not_pull_it_back() {
    let nodes = [("s", "Pass"), ("h", "Heavy"), ("l", "Pass"), ("m", "Pass")];
    assert_eq!(stages(&nodes, &[("s", "h"), ("s", "l"), ("h", "m"), ("l", "m")]), [0, 1, 0, 1]);
}

#[test]
fn the_merge_of_two_heavy_branches_is_a_stage_of_its_own() {
    let nodes = [("s", "Pass"), ("g", "Heavy"), ("h", "Heavy"), ("m", "Pass"), ("n", "Pass")];
    let connections = [("s", "g"), ("s", "h"), ("g", "m"), ("h", "m"), ("g", "n"), ("h", "n")];
    let of = stages(&nodes, &connections);
    assert_eq!(of[..3], [0, 1, 2]);
    assert!(of[3] > 2 && of[4] > 2, "{of:?}");
}
