//! Policies around nodes of real runtimes.

use std::path::Path;

use remotemedia_core::{ErrorKind, NodeError, Packet};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

use crate::binary::{remotemedia, repository, write_wav};

const NODES: &str = r#"
import threading
from remotemedia.core.exceptions import TransientError

go = threading.Event()
failed = []

class Waits:
    def process(self, value):
        go.wait()
        return value

class LetsGo:
    def process(self, value):
        go.set()
        return value

class Spins:
    def process(self, value):
        while True:
            pass

class Twice:
    """Fails twice before it works."""
    def process(self, value):
        if len(failed) < 2:
            failed.append(value)
            raise TransientError("the model is still loading")
        return value
"#;

fn host() -> Host {
    Host::new(Config { current_dir: Some(repository().to_path_buf()), ..Config::default() })
}

/// Writes a pipeline of one Python node.
fn write(folder: &Path, module: &str, class: &str, fields: Value) -> std::path::PathBuf {
    std::fs::write(folder.join(format!("{module}.py")), NODES).unwrap();
    let mut node = json!({"id": "it", "node_type": format!("{module}:{class}")});
    node.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let manifest = json!({"version": "v1", "metadata": {"name": "test"}, "nodes": [node], "connections": []});
    let file = folder.join(format!("{class}.json"));
    std::fs::write(&file, manifest.to_string()).unwrap();
    file
}

fn start(host: &Host, file: &Path) -> Pipeline {
    let plan = host.plan(&host.load_manifest(file).unwrap()).unwrap();
    assert_eq!(plan.notices(), [] as [String; 0]);
    host.start(&plan, PipelineOptions::default()).unwrap()
}

fn run(pipeline: &mut Pipeline) -> Result<usize, NodeError> {
    pipeline.run([("it", Packet::new(0, "text"))]).map(|outputs| outputs.len())
}

#[test]
fn a_python_call_that_hangs_ends_its_pipeline_and_the_host_runs_others() {
    let (folder, host) = (tempfile::tempdir().unwrap(), host());
    let file = write(folder.path(), "hanging_nodes", "Waits", json!({"timeout_ms": 50}));
    let mut hanging = start(&host, &file);
    let error = run(&mut hanging).unwrap_err();
    assert_eq!((error.kind, &*error.node_id), (ErrorKind::Timeout, "it"), "{error}");
    assert_eq!(hanging.metrics().threads_left_behind, 1);
    let file = write(folder.path(), "hanging_nodes", "LetsGo", json!({}));
    assert_eq!(run(&mut start(&host, &file)).unwrap(), 1);
    while hanging.metrics().threads_left_behind > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn the_command_line_ends_although_a_python_node_never_returns() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "spinning_nodes", "Spins", json!({"timeout_ms": 50}));
    let wav = write_wav(&folder.path().join("in.wav"), 8_000, 1, std::iter::repeat_n(0.0, 160));
    let trace = folder.path().join("hung.pftrace");
    let done = remotemedia(&["run", file.to_str().unwrap(), "-i", &wav, "--trace", trace.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("did not return within 50 ms (`timeout_ms`)"), "{}", done.stderr);
    // What the thread in the call has recorded last it still has.
    assert!(done.stderr.contains("events of threads whose call has not returned"), "{}", done.stderr);
    assert!(!done.stderr.contains("the first ones of every thread"), "{}", done.stderr);
}

#[test]
fn a_python_node_that_raises_a_transient_error_is_tried_again() {
    let (folder, host) = (tempfile::tempdir().unwrap(), host());
    let file = write(folder.path(), "transient_nodes", "Twice", json!({"retry": {"base_ms": 1}}));
    let mut pipeline = start(&host, &file);
    assert_eq!(run(&mut pipeline).unwrap(), 1);
    assert_eq!(pipeline.metrics().node_metrics[0].policies.retries, 2);
}
