//! Which Python classes run sandboxed, and what happens when one cannot.

use std::path::Path;

use remotemedia_core::{ErrorKind, Manifest, RuntimeKind};
use remotemedia_engine::Settings;
use remotemedia_host::Host;
use serde_json::{Value, json};

use super::{HOST, cache_dir, config, runner, sandboxed};
use crate::binary::{Done, command, repository};

const COUNTS: &str =
    "class Words:\n    def process(self, text):\n        return {'words': len(text.split())}\n";
const NUMPY: &str = "import numpy\nclass Words:\n    def process(self, text):\n        return len(text)\n";

fn write(folder: &Path, source: &str, hint: &str) -> String {
    std::fs::write(folder.join("nodes.py"), source).unwrap();
    let manifest = json!({
        "version": "v1", "metadata": {"name": "test"}, "connections": [],
        "nodes": [{"id": "words", "node_type": "nodes:Words", "runtime_hint": hint}],
    });
    let path = folder.join("pipeline.json");
    std::fs::write(&path, manifest.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn load(folder: &Path, source: &str, hint: &str) -> Manifest {
    HOST.load_manifest(Path::new(&write(folder, source, hint))).unwrap()
}

fn call(args: &[&str], vars: &[(&str, &str)]) -> Done {
    let mut command = command(args);
    command.env("REMOTEMEDIA_CACHE_DIR", cache_dir()).env("REMOTEMEDIA_PYTHON_RUNNER", runner());
    // Whoever comes first compiles CPython, which takes a busy machine longer than a policy allows by default.
    command.env("REMOTEMEDIA_POLICY", repository().join("tests/node_kit/patient.toml"));
    for (name, value) in vars {
        command.env(name, value);
    }
    command.output().unwrap().into()
}

#[test]
fn a_hint_is_enough_to_run_a_class_sandboxed() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = write(folder.path(), COUNTS, "cpython_wasm");
    let planned = call(&["plan", &pipeline, "--json"], &[]);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    assert_eq!(planned.json()["nodes"][0]["runtime"], "cpython_wasm");
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out.jsonl"));
    std::fs::write(&input, "\"one two three\"\n\"four\"\n").unwrap();
    let ran = call(&["run", &pipeline, "-i", input.to_str().unwrap(), "-o", output.to_str().unwrap()], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let written = std::fs::read_to_string(&output).unwrap();
    assert!(written.contains("\"words\":3") && written.contains("\"words\":1"), "{written}");
}

#[test]
fn the_operator_can_sandbox_every_class() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = write(folder.path(), COUNTS, "auto");
    let planned = call(&["plan", &pipeline, "--json"], &[("REMOTEMEDIA_PYTHON_RUNTIME", "cpython_wasm")]);
    assert_eq!(planned.json()["nodes"][0]["runtime"], "cpython_wasm", "{}", planned.stderr);
    let planned = call(&["plan", &pipeline, "--json"], &[]);
    assert_eq!(planned.json()["nodes"][0]["runtime"], "cpython", "{}", planned.stderr);
}

#[test]
fn a_c_extension_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let faults = HOST.plan(&load(folder.path(), NUMPY, "cpython_wasm")).err().unwrap().to_string();
    for part in ["`numpy`", "C extension", "runtime_hint: cpython", "REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON"] {
        assert!(faults.contains(part), "{part}: {faults}");
    }
    let late = "class Late:\n    def process(self, name):\n        __import__(name)\n";
    for name in ["numpy", "torch", "sqlite3"] {
        let error = sandboxed(folder.path(), late, "Late", name.into()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.message.contains(&format!("`{name}`")), "{error}");
    }
    // One that nobody knows, found by its file.
    std::fs::write(folder.path().join("native.cpython-311-x86_64-linux-gnu.so"), "").unwrap();
    let caught = "try:\n    import numpy\nexcept ImportError:\n    numpy = None\nclass Copes:\n    def process(self, value):\n        return numpy is None\n";
    assert_eq!(super::json_of(sandboxed(folder.path(), caught, "Copes", json!(1).into())), Value::Bool(true));
}

#[test]
fn only_the_operators_word_lets_a_class_out_of_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    for (allow, enable_fallback, expected) in [
        (true, true, Some(RuntimeKind::Cpython)),
        (true, false, None),
        (false, true, None),
        (false, false, None),
    ] {
        let mut config = config();
        config.selector =
            Settings { allow_unsandboxed_python: allow, enable_fallback, ..Settings::default() };
        let pipeline = write(folder.path(), NUMPY, "cpython_wasm");
        let planned = Host::new(config).plan(&HOST.load_manifest(Path::new(&pipeline)).unwrap());
        assert_eq!(planned.as_ref().ok().map(|plan| plan.selection(0).kind), expected);
        if let Ok(plan) = planned {
            assert!(plan.notices().iter().any(|notice| notice.contains("numpy")), "{:?}", plan.notices());
        }
        // The same by the variables that an operator sets.
        let vars = [
            ("REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON", if allow { "true" } else { "false" }),
            ("REMOTEMEDIA_ENABLE_FALLBACK", if enable_fallback { "true" } else { "false" }),
        ];
        let told = call(&["plan", &pipeline, "--json"], &vars);
        match expected {
            Some(_) => assert_eq!(told.json()["nodes"][0]["runtime"], "cpython", "{}", told.stderr),
            None => assert!(told.code == 2 && told.stderr.contains("numpy"), "{}", told.stderr),
        }
    }
}

/// Is down in the sandbox, with every second packet.
const DOWN_INSIDE: &str = "
import sys
from remotemedia.core.exceptions import TransientError

class Words:
    remotemedia_stateless = True
    def process(self, number):
        if sys.platform == 'wasi' and number % 2:
            raise TransientError('no room here')
        return sys.platform
";

#[test]
fn with_the_operators_word_a_class_is_served_outside_packet_by_packet_and_the_log_tells() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = write(folder.path(), DOWN_INSIDE, "cpython_wasm");
    let mut manifest: Value = serde_json::from_str(&std::fs::read_to_string(&pipeline).unwrap()).unwrap();
    manifest["nodes"][0]["fallback"] = "auto".into();
    std::fs::write(&pipeline, manifest.to_string()).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (input, output, metrics) = (path("in.jsonl"), path("out.jsonl"), path("metrics.json"));
    std::fs::write(&input, "0\n1\n2\n3\n").unwrap();
    let args = ["run", &pipeline, "-i", &input, "-o", &output, "--metrics", &metrics, "--log-format", "json"];
    let word = ("REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON", "true");
    let ran = call(&args, &[word]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "\"wasi\"\n\"linux\"\n\"wasi\"\n\"linux\"\n");
    let counted: Value = serde_json::from_str(&std::fs::read_to_string(&metrics).unwrap()).unwrap();
    assert_eq!(counted["node_metrics"][0]["fallback_counts"], json!({"transient": 2}));
    let told = ran.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let served = |line: &Value| {
        let message = line["message"].as_str().unwrap();
        line["node"] == "words" && message.starts_with("cpython serves the packet instead of cpython_wasm:")
    };
    assert_eq!(told.filter(served).count(), 2, "{}", ran.stderr);
    for vars in [&[][..], &[word, ("REMOTEMEDIA_ENABLE_FALLBACK", "false")]] {
        let refused = call(&args, vars);
        assert!(refused.code == 1 && refused.stderr.contains("no room here"), "{}", refused.stderr);
    }
}

#[test]
fn a_missing_runner_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = write(folder.path(), COUNTS, "cpython_wasm");
    let failed = call(&["plan", &pipeline], &[("REMOTEMEDIA_PYTHON_RUNNER", "/nonexistent/r.wasm")]);
    assert_eq!(failed.code, 2, "{}", failed.stdout);
    for part in ["/nonexistent/r.wasm", "guest-nodes/build.sh", "REMOTEMEDIA_PYTHON_RUNNER"] {
        assert!(failed.stderr.contains(part), "{}", failed.stderr);
    }
}
