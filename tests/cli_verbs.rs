//! The other verbs through the real binary: validate, plan, graph, nodes, schema, doctor, completions, help.

use std::fs;

use serde_json::{Value, json};

use crate::binary::{remotemedia, write_chain};

fn chain(folder: &std::path::Path) -> String {
    write_chain(
        folder,
        &[
            ("mono", "ChannelMixer", json!({"output_channels": 1})),
            ("rate", "AudioResample", json!({"target_sample_rate": 16_000})),
            ("vad", "VAD", json!({})),
        ],
    )
}

#[test]
fn validate_counts_what_is_right_and_lists_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = chain(folder.path());
    let done = remotemedia(&["validate", &manifest]);
    assert_eq!((done.code, done.stdout), (0, format!("{manifest}: ok (3 nodes, 2 connections)\n")));
    let wrong = write_chain(
        folder.path(),
        &[("a", "AudioGain", json!({"gain": 1})), ("a", "Nonesuch", json!({})), ("b c", "VAD", json!({}))],
    );
    let done = remotemedia(&["validate", &wrong, "--json"]);
    assert_eq!(done.code, 2);
    let error: Value = serde_json::from_str(&done.stderr).unwrap();
    let faults = error["error"]["errors"].as_array().unwrap();
    let paths: Vec<&str> = faults.iter().map(|fault| fault["path"].as_str().unwrap()).collect();
    for path in ["$.nodes[2].id", "$.nodes[1].node_type", "$.nodes[0].params.gain"] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
}

#[test]
fn plan_says_runtime_reason_stage_and_ports_of_every_node() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = chain(folder.path());
    let plan = remotemedia(&["plan", &manifest, "--json"]).json();
    assert_eq!(plan["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(plan["nodes"][2]["id"], "vad");
    assert_eq!(plan["nodes"][2]["runtime"], "native");
    assert_eq!(plan["nodes"][2]["stage"], 0);
    assert_eq!(plan["nodes"][2]["inputs"], json!([{"name": "in", "kind": "audio"}]));
    assert!(plan["nodes"][2]["reason"].as_str().unwrap().contains("native"), "{plan}");
    let table = remotemedia(&["plan", &manifest]).stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("NODE"), "{table}");
}

#[test]
fn graph_draws_svg_dot_and_mermaid() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = chain(folder.path());
    for (name, start) in
        [("g.svg", "<svg xmlns="), ("g.dot", "digraph \"test\" {"), ("g.mmd", "flowchart LR")]
    {
        let path = folder.path().join(name);
        let done = remotemedia(&["graph", &manifest, "-o", path.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        let picture = fs::read_to_string(path).unwrap();
        assert!(picture.starts_with(start), "{picture}");
        for id in ["mono", "rate", "vad"] {
            assert!(picture.contains(id), "{name} lacks {id}");
        }
        let arrows = [" -> ", "-->", "marker-end"].map(|arrow| picture.matches(arrow).count());
        assert_eq!(arrows.iter().sum::<usize>(), 2, "{picture}");
    }
    assert!(remotemedia(&["graph", &manifest]).stdout.starts_with("flowchart LR"));
    assert_eq!(remotemedia(&["graph", &manifest, "-o", "g.png"]).code, 2);
}

#[test]
fn hostile_names_do_not_break_out_of_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    let manifest = json!({
        "version": "v1", "connections": [],
        "metadata": {"name": "\"><script>alert(1)</script>"},
        "nodes": [{"id": "a", "node_type": "PassThrough"}]
    });
    fs::write(&path, manifest.to_string()).unwrap();
    for extension in ["svg", "mmd"] {
        let out = folder.path().join(format!("g.{extension}"));
        let done = remotemedia(&["graph", path.to_str().unwrap(), "-o", out.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(!fs::read_to_string(out).unwrap().contains("<script>"), "{extension}");
    }
}

#[test]
fn nodes_are_listed_and_described_with_their_params() {
    let list = remotemedia(&["nodes", "list", "--json"]).json();
    let names: Vec<&str> =
        list["nodes"].as_array().unwrap().iter().map(|node| node["node_type"].as_str().unwrap()).collect();
    for name in
        ["PassThrough", "Calculator", "AudioGain", "AudioResample", "ChannelMixer", "FormatConverter", "VAD"]
    {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let details = remotemedia(&["nodes", "describe", "AudioResample"]);
    assert_eq!(details.code, 0, "{}", details.stderr);
    for word in ["(native)", "inputs: in (audio)", "target_sample_rate", "quality", "16000"] {
        assert!(details.stdout.contains(word), "{word} is not in {}", details.stdout);
    }
    let unknown = remotemedia(&["nodes", "describe", "AudioResampel"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("`AudioResample`"), "{}", unknown.stderr);
}

#[test]
fn the_schema_is_a_json_schema_of_manifests() {
    let schema: Value = serde_json::from_str(&remotemedia(&["schema"]).stdout).unwrap();
    assert_eq!(schema["type"], "object");
    assert!(schema["properties"]["nodes"].is_object(), "{schema}");
}

#[test]
fn doctor_names_python_numpy_and_the_cache() {
    let done = remotemedia(&["doctor", "--json"]);
    let report = done.json();
    let checks = report["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "remotemedia",
            "native nodes",
            "wasmtime",
            "compiler",
            "Python",
            "numpy",
            "Python sandbox",
            "cache",
            "wasm target"
        ]
    );
    for check in checks {
        assert!(check["ok"] != json!(false) || check["mend"].is_string(), "{check}");
    }
    assert_eq!(done.code == 0, checks.iter().all(|check| check["ok"] != json!(false)), "{report}");
}

#[test]
fn completions_and_help_are_there_for_every_verb() {
    for shell in ["bash", "zsh", "fish"] {
        let done = remotemedia(&["completions", shell]);
        assert!(done.code == 0 && done.stdout.contains("chunk-ms"), "{shell}: {}", done.stderr);
    }
    for verb in
        ["run", "validate", "plan", "graph", "node", "nodes", "lock", "schema", "doctor", "completions"]
    {
        let done = remotemedia(&[verb, "--help"]);
        assert!(done.code == 0 && done.stdout.contains("Usage:"), "{verb}");
    }
    assert!(remotemedia(&["run", "--help"]).stdout.contains("Examples:"));
    assert_eq!(remotemedia(&["--version"]).code, 0);
}
