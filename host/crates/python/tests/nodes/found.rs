//! Which class a node type names, and what is said when there is none.

use pyo3::prelude::*;
use remotemedia_core::{ErrorKind, NodeManifest, Runtime};
use serde_json::json;

use crate::project::{Project, runtime};

fn failure(project: &Project, node_type: &str) -> remotemedia_core::NodeError {
    let error = project.describe(node_type).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    error
}

/// A manifest far from any virtual environment but the one that the host was built with.
fn bare(name: &str) -> NodeManifest {
    let mut manifest = NodeManifest::new("it", name);
    manifest.base_dir = "/".into();
    manifest
}

#[test]
fn a_missing_class_suggests_the_nearest_one() {
    let project = Project::new("class PitchTracker:\n    def process(self, x): return x\nlimit = 3\n");
    let error = failure(&project, "nodes:PitchTraker");
    assert!(
        error.message.contains("has no class `PitchTraker`; did you mean `nodes:PitchTracker`?"),
        "{error}"
    );
    assert!(failure(&project, "nodes:limit").message.contains("has no class `limit`"));
}

#[test]
fn a_missing_module_names_module_class_and_where_it_was_looked_for() {
    let project = Project::new("");
    let error = failure(&project, "nowhere_at_all:Thing");
    assert!(error.message.contains("module `nowhere_at_all` for class `Thing`"), "{error}");
    let folder = project.path().canonicalize().unwrap();
    assert!(error.message.contains(folder.to_str().unwrap()), "{error}");
    assert!(error.message.contains("site-packages"), "{error}");
    assert!(error.trace.is_some());
}

#[test]
fn a_module_that_raises_or_needs_a_missing_package_says_so_with_its_traceback() {
    let project = Project::new("import no_such_package_here\n");
    let error = failure(&project, "nodes:Thing");
    assert!(error.message.contains("-m pip install no_such_package_here"), "{error}");
    assert!(error.trace.unwrap().contains("nodes.py\", line 1"));
    project.write("exits.py", "import sys\nsys.exit(3)\n");
    assert!(failure(&project, "exits:Thing").message.contains("SystemExit: 3"));
    project.write("broken.py", "def f(:\n");
    assert!(failure(&project, "broken:Thing").message.contains("SyntaxError"));
}

#[test]
fn what_is_not_a_node_class_is_refused_with_the_reason() {
    let project = Project::new(
        "
from abc import ABC, abstractmethod
class NoProcess: pass
class Abstract(ABC):
    @abstractmethod
    def process(self, x): ...
class Outputs:
    remotemedia_outputs = {'a': 'audio', 'b': 'json'}
    def process(self, x): return x
class Kind:
    remotemedia_inputs = {'a': 'video'}
    def process(self, x): return x
",
    );
    for (class, reason) in [
        ("NoProcess", "has no method `process`"),
        ("Abstract", "does not define process"),
        ("Outputs", "one output port"),
        ("Kind", "must map port names to one of"),
    ] {
        let error = failure(&project, &format!("nodes:{class}"));
        assert!(error.message.contains(reason), "{error}");
    }
    for malformed in ["nodes:", ":Class", "a:b:c", "./nodes:Class"] {
        assert!(failure(&project, malformed).message.contains("write `module:Class`"), "{malformed}");
    }
}

#[test]
fn a_module_imports_its_neighbours_and_classes_may_be_nested() {
    let project = Project::new(
        "
from neighbour import FACTOR
class Outer:
    class Scale:
        def process(self, x):
            from lazily import OFFSET
            return x * FACTOR + OFFSET
",
    );
    project.write("neighbour.py", "FACTOR = 3\n");
    project.write("lazily.py", "OFFSET = 1\n");
    assert_eq!(project.start("Outer.Scale").ask(json!(5)), json!(16));
}

#[test]
fn two_folders_with_modules_of_one_name_do_not_see_each_other() {
    let make = |n: i32| {
        let project =
            Project::new("from shared_name import N\nclass Which:\n    def process(self, x): return N + x\n");
        project.write("shared_name.py", &format!("N = {n}\n"));
        project
    };
    let (first, second) = (make(100), make(200));
    let mut nodes =
        [first.start("Which"), second.start("Which"), first.start("Which"), second.start("Which")];
    let answers: Vec<_> = nodes.iter_mut().map(|node| node.ask(json!(1))).collect();
    assert_eq!(answers, [json!(101), json!(201), json!(101), json!(201)]);
}

#[test]
fn a_module_is_imported_once_for_all_nodes_of_its_folder() {
    let project = Project::new(
        "
instances = []
class Count:
    def __init__(self): instances.append(self)
    def process(self, _): return len(instances)
",
    );
    let other = Project::new("class Other:\n    def process(self, x): return x\n");
    let mut first = project.start("Count");
    other.start("Other");
    project.start("Count");
    assert_eq!(first.ask(json!(0)), json!(2));
}

#[test]
fn a_module_named_like_one_that_python_already_uses_is_refused_by_name() {
    let project = Project::new("");
    project.write("json.py", "class Thing:\n    def process(self, x): return x\n");
    let error = failure(&project, "json:Thing");
    assert!(error.message.contains("the name `json` is taken by"), "{error}");
}

#[test]
fn bare_names_are_those_of_the_remotemedia_package() {
    let describe = |name: &str| runtime().describe(&bare(name));
    let descriptor = describe("SpectralCentroid").unwrap().unwrap();
    assert!(descriptor.summary.starts_with("The spectral centroid"), "{}", descriptor.summary);
    // The second is a word of the package's files, but no class of it.
    for foreign in ["AudioResample", "magnitudes", "audio-gain", "gain.wasm"] {
        assert_eq!(describe(foreign).unwrap(), None, "{foreign}");
    }
    let exported = Python::attach(|py| {
        py.import("remotemedia.nodes").unwrap().getattr("__all__").unwrap().extract::<Vec<String>>().unwrap()
    });
    assert!(exported.contains(&"SpectralCentroid".to_owned()));
    assert_eq!(runtime().node_types(), exported, "sorted, and read from the files");
    let error = runtime().create(&bare("AudioResample")).err().unwrap();
    assert!(error.message.contains("no Python node `AudioResample`"), "{error}");
}

#[test]
fn the_sample_node_finds_the_centroid_of_a_sine_at_its_frequency() {
    use std::f64::consts::TAU;
    let samples =
        (0..4_800).map(|i| (0.5 * (TAU * 1_000.0 * f64::from(i) / 48_000.0).sin()) as f32).collect();
    let audio = remotemedia_core::AudioBuffer::from_f32(48_000, 1, samples).unwrap();
    let node = runtime().create(&bare("SpectralCentroid")).unwrap();
    let out = crate::project::Running(node).ask(audio);
    // 100 whole periods: a Hann window leaves three bins, symmetric about 1 kHz. RMS of amplitude 0.5 is -9.03 dBFS.
    assert!((out["spectral_centroid_hz"].as_f64().unwrap() - 1_000.0).abs() < 0.01, "{out}");
    assert!((out["rms_dbfs"].as_f64().unwrap() + 9.030_9).abs() < 0.001, "{out}");
}
