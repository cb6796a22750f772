//! The manifest format by example: `manifests/valid` must be read and survive a round trip, `manifests/invalid` must
//! be refused with exactly the faults that the `.expected` file beside each lists (`path | part of the text`).
//!
//! The node types of these files are declared here, so that the format is tested without any runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use remotemedia_core::manifest::json_schema;
use remotemedia_core::{
    Graph, Manifest, ManifestErrors, ManifestFormat, NodeDescriptor, PayloadKind, PortSpec,
};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(name)
}

/// The manifests of a folder, sorted by name, with their formats.
fn manifests(name: &str) -> Vec<(PathBuf, ManifestFormat)> {
    let mut found: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| match path.extension()?.to_str()? {
            "json" => Some((path, ManifestFormat::Json)),
            "yaml" => Some((path, ManifestFormat::Yaml)),
            _ => None,
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn read(path: &Path, format: ManifestFormat) -> Result<Manifest, ManifestErrors> {
    Manifest::parse(&std::fs::read(path).unwrap(), format)
}

fn object(properties: Value) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// What the node types of the example manifests say about themselves.
fn descriptor(node_type: &str) -> Option<Arc<NodeDescriptor>> {
    use PayloadKind::{Any, Audio, Text};
    let port = |name: &str, kind| vec![PortSpec::new(name, kind)];
    let (inputs, outputs, params) = match node_type {
        "Pass" => (port("in", Any), port("out", Any), json!({})),
        "Discard" => (port("in", Any), vec![], json!({})),
        "Tone" => (vec![], port("out", Audio), json!({"frequency_hz": {"type": "number"}})),
        "Gain" => (
            port("in", Audio),
            port("out", Audio),
            json!({"gain_db": {"type": "number", "minimum": -120, "maximum": 60}}),
        ),
        "Mix" => (
            vec![PortSpec::new("a", Audio), PortSpec::new("b", Audio)],
            port("mixed", Audio),
            json!({"weights": {"type": "array", "items": {"type": "number"}}}),
        ),
        "Recognise" => {
            (port("in", Audio), port("text", Text), json!({"model": {"enum": ["small", "large"]}}))
        }
        "Upper" => (port("text", Text), port("text", Text), json!({})),
        _ => return None,
    };
    let params_schema = object(params);
    let summary = NodeDescriptor::transform(node_type, Any, "for tests");
    Some(Arc::new(NodeDescriptor { inputs, outputs, params_schema, ..summary }))
}

fn build(manifest: &Manifest) -> Result<Graph, ManifestErrors> {
    let descriptors: Vec<_> = manifest.nodes.iter().map(|node| descriptor(&node.node_type)).collect();
    assert!(descriptors.iter().all(Option::is_some), "a type that this test does not declare");
    Graph::build(manifest, &descriptors)
}

#[test]
fn every_valid_manifest_is_a_graph_and_survives_a_round_trip() {
    let found = manifests("valid");
    assert!(found.len() >= 8, "only {} manifests found", found.len());
    for (path, format) in found {
        let manifest = read(&path, format).unwrap_or_else(|faults| panic!("{}: {faults}", path.display()));
        let graph = build(&manifest).unwrap_or_else(|faults| panic!("{}: {faults}", path.display()));
        assert_eq!(graph.order().len(), manifest.nodes.len());
        let written = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::parse(&written, ManifestFormat::Json).unwrap(), manifest, "{}", path.display());
    }
}

#[test]
fn every_invalid_manifest_is_refused_with_exactly_the_expected_faults() {
    let found = manifests("invalid");
    assert!(found.len() >= 25, "only {} manifests found", found.len());
    for (path, format) in found {
        let expected_path = PathBuf::from(format!("{}.expected", path.display()));
        let expected = std::fs::read_to_string(&expected_path).unwrap();
        let expected: Vec<(&str, &str)> =
            expected.lines().map(|line| line.split_once(" | ").unwrap()).collect();
        let faults = read(&path, format).and_then(|manifest| build(&manifest)).unwrap_err();
        let found: Vec<&str> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
        let paths: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
        assert_eq!(found, paths, "{}:\n{faults}", path.display());
        for (fault, (_, part)) in faults.0.iter().zip(expected) {
            let text = fault.to_string();
            assert!(text.contains(part), "{}: `{part}` is not in:\n{text}", path.display());
        }
    }
}

#[test]
fn json_and_yaml_of_one_graph_read_the_same() {
    let json = read(&folder("valid/linear.json"), ManifestFormat::Json).unwrap();
    let yaml = read(&folder("valid/linear.yaml"), ManifestFormat::Yaml).unwrap();
    assert_eq!(json, yaml);
}

#[test]
fn other_names_of_a_runtime_hint_mean_the_same_hint() {
    use remotemedia_core::RuntimeHint::{Auto, Cpython, CpythonWasm, Native, Rustpython, Wasm};
    let manifest = read(&folder("valid/every_runtime_hint.json"), ManifestFormat::Json).unwrap();
    let hints: Vec<_> = manifest.nodes.iter().map(|node| node.runtime_hint).collect();
    let expected = [Auto, Native, Native, Wasm, Cpython, Cpython, CpythonWasm, Rustpython, Rustpython];
    assert_eq!(hints, expected);
}

#[test]
fn policies_are_read_with_their_defaults() {
    use remotemedia_core::manifest::{BreakerSpec, OnError, OnOpen, RetrySpec};
    let node = |fields: Value| {
        let mut node = json!({"id": "a", "node_type": "X"});
        node.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let text = json!({"version": "v1", "metadata": {"name": "t"}, "nodes": [node], "connections": []});
        Manifest::parse(text.to_string().as_bytes(), ManifestFormat::Json)
            .map(|manifest| manifest.nodes[0].clone())
    };
    let plain = node(json!({})).unwrap();
    assert_eq!((plain.retry, plain.circuit_breaker, plain.on_error), (None, None, OnError::Fail));
    let defaults = node(json!({"retry": {}, "circuit_breaker": {}})).unwrap();
    let retry = RetrySpec { attempts: 3, base_ms: 100, factor: 2.0, max_ms: 10_000, jitter: false };
    let breaker = BreakerSpec { failures: 5, cooldown_ms: 30_000, on_open: OnOpen::Fail };
    assert_eq!((defaults.retry, defaults.circuit_breaker), (Some(retry), Some(breaker)));
    let all = read(&folder("valid/all_options.json"), ManifestFormat::Json).unwrap().nodes.remove(0);
    let retry = RetrySpec { attempts: 5, base_ms: 20, factor: 1.5, max_ms: 1_000, jitter: true };
    let breaker = BreakerSpec { failures: 7, cooldown_ms: 1_000, on_open: OnOpen::Fallback };
    assert_eq!((all.retry, all.circuit_breaker, all.on_error), (Some(retry), Some(breaker), OnError::Skip));
    for wrong in [
        json!({"retry": {"attempts": 0}}),
        json!({"retry": {"factor": 0.5}}),
        json!({"retry": {"max_attempts": 3}}),
        json!({"circuit_breaker": {"failures": 0}}),
        json!({"circuit_breaker": {"on_open": "wait"}}),
        json!({"on_error": "ignore"}),
    ] {
        assert!(node(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn the_committed_schema_is_the_one_that_the_types_generate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.schema.json");
    let committed: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(committed, json_schema(), "run `remotemedia schema > docs/manifest.schema.json`");
}

#[test]
fn a_manifest_of_ten_thousand_nodes_becomes_a_graph() {
    let nodes: Vec<_> = (0..10_000).map(|n| json!({"id": format!("n{n}"), "node_type": "Pass"})).collect();
    let connections: Vec<_> =
        (1..10_000).map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}")})).collect();
    let text =
        json!({"version": "v1", "metadata": {"name": "long"}, "nodes": nodes, "connections": connections});
    let manifest = Manifest::parse(text.to_string().as_bytes(), ManifestFormat::Json).unwrap();
    assert!(build(&manifest).unwrap().order().iter().copied().eq(0..10_000));
}
