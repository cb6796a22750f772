//! Which Python classes run sandboxed, and what happens when one cannot.

use std::path::Path;

use remotemedia_core::{ErrorKind, Manifest, RuntimeKind};
use remotemedia_engine::Settings;
use remotemedia_host::Host;
use serde_json::{Value, json};

use super::{HOST, cache_dir, config, runner, sandboxed};
use crate::binary::{Done, command};

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
        let planned = Host::new(config).plan(&load(folder.path(), NUMPY, "cpython_wasm"));
        assert_eq!(planned.as_ref().ok().map(|plan| plan.selection(0).kind), expected);
        if let Ok(plan) = planned {
            assert!(plan.notices().iter().any(|notice| notice.contains("numpy")), "{:?}", plan.notices());
        }
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
