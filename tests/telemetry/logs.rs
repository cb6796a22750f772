//! The log: every line is a JSON object with the session and the node, whoever wrote it.

use std::path::Path;

use serde_json::{Value, json};

use super::{lines, run};
use crate::binary::{write_chain, write_wav};

#[test]
fn what_python_nodes_log_joins_the_host_s_log_with_node_and_session() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output.stderr);
    let of_python: Vec<&Value> =
        lines.iter().filter(|line| line["target"] == "remotemedia::python").collect();
    let said: Vec<_> =
        of_python.iter().map(|line| (line["level"].as_str(), line["message"].as_str())).collect();
    // The host logs warnings, whatever level an author sets.
    let of_one = |text| [(Some("warn"), Some(text)), (Some("error"), Some("went\nwrong"))];
    assert_eq!(said, [of_one("got one"), of_one("got two")].concat());
    for line in of_python {
        assert_eq!((&line["logger"], &line["node"]), (&json!("talk.inner"), &json!("talker")));
        let session = line["session"].as_str().unwrap();
        assert!(session.strip_prefix("talk-").unwrap().parse::<u64>().is_ok(), "{session}");
        let traceback = line["traceback"].as_str().unwrap_or_default();
        assert_eq!(traceback.contains("KeyError: 'key'"), line["level"] == "error", "{line}");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z') && line.get("trace_id").is_none());
    }
}

#[test]
fn the_filter_lets_python_s_lower_levels_through_and_comes_from_rust_log_too() {
    for variable in ["RUST_LOG", "REMOTEMEDIA_LOG"] {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), &[]).env(variable, "warn,remotemedia::python=info").output().unwrap();
        let lines = lines(&output.stderr);
        let informed = lines.iter().filter(|line| line["message"] == "no more" && line["level"] == "info");
        assert_eq!(informed.count(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line["message"] != "unheard"));
    }
}

#[test]
fn what_policies_do_is_logged_with_node_and_session() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        write_chain(folder.path(), &[("sum", "CalculatorNode", json!({"operation": "add", "operand": 1}))]);
    let mut manifest: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    manifest["nodes"][0]["on_error"] = "skip".into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, "7\n\"no number\"\n").unwrap();
    let arguments = ["run", &path, "-i", input.to_str().unwrap(), "--log-format", "json"];
    let output = crate::binary::command(&arguments).output().unwrap();
    let lines = lines(&output.stderr);
    let skipped = lines.iter().find(|line| line["target"] == "remotemedia::policy").unwrap_or_else(|| {
        panic!("{lines:?} {}", String::from_utf8_lossy(&output.stdout));
    });
    assert_eq!((&skipped["node"], &skipped["level"]), (&json!("sum"), &json!("warn")));
    // The number counts from one: values have no time.
    assert_eq!((&skipped["packet"], &skipped["pts_ns"]), (&json!(2), &json!(0)));
    let told = "note: node `sum` skipped 1 of its packets (`on_error: skip`)";
    assert_eq!(lines.iter().filter(|line| line["message"] == told).count(), 1, "{lines:?}");
    assert!(skipped["session"].as_str().unwrap().starts_with("test-"), "{skipped}");
}

/// The lines of the log of policies, of a run with that Python module and those nodes on `input`.
fn policies_of(folder: &Path, module: &str, nodes: Value, input: &str, more: &[&str]) -> Vec<Value> {
    std::fs::write(folder.join("policed_nodes.py"), module).unwrap();
    let ids: Vec<&str> = nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let connections: Vec<Value> =
        ids.windows(2).map(|pair| json!({"from": pair[0], "to": pair[1]})).collect();
    let manifest =
        json!({"version": "v1", "metadata": {"name": "test"}, "nodes": nodes, "connections": connections});
    let path = folder.join("pipeline.json");
    std::fs::write(&path, manifest.to_string()).unwrap();
    let arguments = [&["run", path.to_str().unwrap(), "-i", input, "--log-format", "json"], more].concat();
    let output = crate::binary::command(&arguments).env("REMOTEMEDIA_LOG", "info").output().unwrap();
    let mut lines = lines(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{lines:?}");
    lines.retain(|line| line["target"] == "remotemedia::policy");
    lines
}

#[test]
fn a_skipped_packet_of_audio_is_logged_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let module = "class Third:\n    calls = 0\n    def process(self, data):\n        self.calls += 1\n        \
                  if self.calls == 3: raise ValueError('the third')\n        return data\n";
    let wav = write_wav(&folder.path().join("in.wav"), 8_000, 1, [0.25; 800]);
    let nodes = json!([{"id": "it", "node_type": "policed_nodes:Third", "on_error": "skip"}]);
    let told = policies_of(folder.path(), module, nodes, &wav, &["--chunk-ms", "20"]);
    let [skipped] = &told[..] else { panic!("{told:?}") };
    // The third chunk of 20 ms begins after two.
    assert_eq!((&skipped["packet"], &skipped["pts_ns"]), (&json!(3), &json!(40_000_000)), "{skipped}");
}

#[test]
fn a_circuit_that_opens_tries_and_closes_is_three_events() {
    let folder = tempfile::tempdir().unwrap();
    // The first node takes longer than the cooldown of the second one's circuit.
    let module = "import time\nclass Waits:\n    def process(self, value):\n        time.sleep(0.01)\n        \
                  return value\nclass Recovers:\n    calls = 0\n    def process(self, value):\n        \
                  self.calls += 1\n        if self.calls < 3: raise RuntimeError('down')\n        return value\n";
    let nodes = json!([
        {"id": "waits", "node_type": "policed_nodes:Waits"},
        {"id": "it", "node_type": "policed_nodes:Recovers", "on_error": "skip",
         "circuit_breaker": {"failures": 2, "cooldown_ms": 1}},
    ]);
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, "1\n2\n3\n4\n").unwrap();
    let told = policies_of(folder.path(), module, nodes, input.to_str().unwrap(), &[]);
    let states: Vec<&str> = told.iter().filter_map(|line| line["breaker"].as_str()).collect();
    assert_eq!(states, ["open", "half_open", "closed"], "{told:?}");
    assert!(told.iter().all(|line| line["node"] == "it" && line["session"].is_string()), "{told:?}");
    assert_eq!(told.iter().filter(|line| line["packet"].is_u64()).count(), 2, "two were skipped: {told:?}");
}

#[test]
fn notes_and_the_final_error_are_lines_of_the_json_log_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_chain(folder.path(), &[("same", "PassThrough", json!({}))]);
    let input = folder.path().join("in.jsonl");
    let run = |text: &str| {
        std::fs::write(&input, text).unwrap();
        let arguments = ["run", &path, "-i", input.to_str().unwrap(), "--log-format", "json", "--table"];
        let output = crate::binary::command(&arguments).output().unwrap();
        (output.status.code(), lines(&output.stderr))
    };
    let told = |lines: &[Value]| -> Vec<(String, String)> {
        let own = lines.iter().filter(|line| line["target"] == "remotemedia::cli");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        own.map(|line| (text(&line["level"]), text(&line["message"]))).collect()
    };
    let (code, good) = run("1\n2\n");
    let [(counted_at, counted), (table_at, table)] = &told(&good)[..] else { panic!("{good:?}") };
    assert_eq!((code, counted_at.as_str(), counted.as_str()), (Some(0), "info", "same: 2 values"));
    assert_eq!((table_at.as_str(), table.starts_with("NODE ")), ("info", true), "{table:?}");
    assert!(table.contains("\nsame ") && table.contains("\nbottleneck: "), "{table:?}");
    let (code, failed) = run("1\nnothing of JSON\n");
    assert_ne!(code, Some(0));
    let told = told(&failed);
    let (level, message) = told.last().unwrap();
    assert_eq!(level, "error");
    assert!(message.contains("in.jsonl") && !message.starts_with("error"), "{message}");
    // Before anything runs, too, and the error of a node has the node.
    let arguments = ["--policy", "/nowhere.toml", "--log-format", "json", "run", &path, "-i", "x.jsonl"];
    let refused = lines(&crate::binary::command(&arguments).output().unwrap().stderr);
    assert!(
        refused.iter().any(|line| line["message"].as_str().unwrap().contains("/nowhere.toml")),
        "{refused:?}"
    );
    let nodes = [("sum", "CalculatorNode", json!({"operation": "add", "operand": 1}))];
    let path = write_chain(folder.path(), &nodes);
    std::fs::write(&input, "\"no number\"\n").unwrap();
    let arguments = ["run", &path, "-i", input.to_str().unwrap(), "--log-format", "json"];
    let failed = lines(&crate::binary::command(&arguments).output().unwrap().stderr);
    let [error] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!((&error["level"], &error["node"]), (&json!("error"), &json!("sum")), "{error}");
}

#[test]
fn a_node_s_own_words_are_no_lines_of_the_log_and_nothing_that_a_terminal_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let class = "class Forges:\n    def process(self, value):\n        raise ValueError('boom\\nERROR disk is full\\x1b[2J')\n";
    std::fs::write(folder.path().join("forging_nodes.py"), class).unwrap();
    let manifest = write_chain(folder.path(), &[("it", "forging_nodes:Forges", json!({}))]);
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, "1\n").unwrap();
    let mut run = crate::binary::command(&["run", &manifest, "-i", input.to_str().unwrap()]);
    let output = run.env("REMOTEMEDIA_VENV", crate::binary::repository().join(".venv")).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("\n      ERROR disk is full\\u{1b}[2J"), "{told}");
    assert!(!told.contains("\nERROR") && !told.contains('\u{1b}'), "{told}");
}
