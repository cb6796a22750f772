//! A manifest of anybody's: parsed, or refused with faults that can be shown; and what parses becomes a sound plan.

use std::collections::HashSet;
use std::sync::LazyLock;

use remotemedia_core::{Manifest, ManifestError, ManifestFormat};
use remotemedia_engine::{Plan, Runtimes, Settings};

use super::here;

/// Most faults of one step: a thousand, and one that says that there may be more.
const MOST_FAULTS: usize = 1_001;
/// A fault is a sentence with an excerpt, whatever the manifest holds.
const LONGEST_FAULT: usize = 4 << 10;

static RUNTIMES: LazyLock<Runtimes> = LazyLock::new(|| Runtimes::new(vec![here::native()]));

/// Reads `data` as JSON and as YAML.
pub fn manifest(data: &[u8]) {
    for format in [ManifestFormat::Json, ManifestFormat::Yaml] {
        let (despite_faults, faults) = Manifest::parse_despite_faults(data, format);
        check_faults(&faults);
        match Manifest::parse(data, format) {
            Ok(manifest) => {
                assert_eq!(faults, []);
                let written = serde_json::to_vec(&manifest).unwrap();
                let again = Manifest::parse(&written, ManifestFormat::Json);
                assert_eq!(again.as_ref(), Ok(&manifest), "{}", String::from_utf8_lossy(&written));
                plan(&manifest);
            }
            Err(refused) => {
                assert!(!faults.is_empty());
                assert_eq!(refused.0, faults);
                // A person is told what else is wrong.
                if let Some(manifest) = despite_faults {
                    plan(&manifest);
                }
            }
        }
    }
}

/// Makes a plan of native nodes.
fn plan(manifest: &Manifest) {
    match Plan::new(manifest, &RUNTIMES, &Settings::default()) {
        Ok(plan) => {
            let (graph, nodes) = (plan.graph(), manifest.nodes.len());
            assert_eq!((graph.nodes().len(), graph.edges().len()), (nodes, manifest.connections.len()));
            let mut place = vec![None; nodes];
            for (position, &node) in graph.order().iter().enumerate() {
                assert_eq!(place[node].replace(position), None, "a node is ordered twice");
            }
            assert!(place.iter().all(Option::is_some), "a node is not ordered");
            let stages = plan.stages();
            assert!(stages.count() <= nodes);
            for edge in graph.edges() {
                assert!(place[edge.from] < place[edge.to], "an edge leads back");
                let (from, to) = (stages.of(edge.from), stages.of(edge.to));
                assert!(from < to || (from == to && edge.queue.is_none()), "a queue leads back");
            }
            let ids: HashSet<&str> = manifest.nodes.iter().map(|node| node.id.as_str()).collect();
            assert_eq!(ids.len(), nodes, "two nodes share an id");
        }
        Err(refused) => {
            assert!(!refused.0.is_empty());
            let most = MOST_FAULTS * (1 + manifest.nodes.len()) + 4 * manifest.connections.len();
            assert!(refused.0.len() <= most, "{} faults", refused.0.len());
            refused.0.iter().for_each(check_fault);
        }
    }
}

fn check_faults(faults: &[ManifestError]) {
    assert!(faults.len() <= MOST_FAULTS, "{} faults", faults.len());
    faults.iter().for_each(check_fault);
}

/// A fault has a place, and its text can be shown on a terminal.
fn check_fault(fault: &ManifestError) {
    assert!(fault.path.starts_with('$'), "{fault:?}");
    for text in [Some(&fault.path), Some(&fault.message), fault.suggestion.as_ref()].into_iter().flatten() {
        assert!(!text.is_empty(), "{fault:?}");
        assert!(text.len() <= LONGEST_FAULT, "a text of {} bytes: {fault:?}", text.len());
    }
    let shown = fault.to_string();
    assert!(!shown.chars().any(|letter| letter.is_control() && !"\n\t".contains(letter)), "{fault:?}");
}
