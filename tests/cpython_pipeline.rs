//! Python nodes in whole pipelines, beside native ones: values, errors, manifest faults, the demo's features.

use std::f64::consts::TAU;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

use remotemedia_core::{AudioBuffer, ErrorKind, Manifest, ManifestErrors, Operation, Packet, Payload};
use remotemedia_engine::{Output, PipelineOptions};
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

use crate::binary::{names, remotemedia, repository, write_wav};

const NODES: &str = r#"
import numpy as np

made = []

class Tuples:
    def process(self, data):
        samples, rate = data
        made.append((samples.shape, {1: rate}))
        return made[-1]

class SameTuple:
    def process(self, value):
        return any(value is one for one in made)

class Rms:
    """Root mean square of a packet."""
    remotemedia_inputs = {"in": "audio"}
    remotemedia_outputs = {"out": "json"}
    def __init__(self, digits: int = 6): self.digits = digits
    def process(self, data):
        return round(float(np.sqrt(np.mean(data[0] ** 2))), self.digits)

closed = []

class FailsAt:
    def __init__(self, item: int): self.item, self.seen = item, 0
    def process(self, value):
        self.seen += 1
        if self.seen == self.item:
            raise ValueError(f"item {self.item} is bad")
        return value
    def cleanup(self): closed.append(self.item)

class Closed:
    def process(self, item): return item in closed

class Holds:
    """Keeps the interpreter to itself until somebody writes to the pipe."""
    def __init__(self, begun: int, end: int): self.begun, self.end = begun, end
    def process(self, data):
        import ctypes, os
        os.write(self.begun, b"!")
        ctypes.PyDLL(None).read(self.end, ctypes.create_string_buffer(1), 1)  # PyDLL does not let go of it
        return data

class Chatty:
    def process(self, data):
        print('{"not": "the summary"}')
        return (1, {2})
"#;

/// A linear pipeline of (id, type, params) in `folder`, with a queue on every connection when `queued`.
fn linear(folder: &Path, nodes: &[(&str, &str, Value)], queued: bool) -> Manifest {
    std::fs::write(folder.join("nodes.py"), NODES).unwrap();
    let edges: Vec<Value> = nodes
        .windows(2)
        .map(|pair| match queued {
            true => json!({"from": pair[0].0, "to": pair[1].0, "queue": {}}),
            false => json!({"from": pair[0].0, "to": pair[1].0}),
        })
        .collect();
    let nodes: Vec<Value> = nodes
        .iter()
        .map(|(id, kind, params)| json!({"id": id, "node_type": kind, "params": params}))
        .collect();
    let manifest =
        json!({"version": "v1", "metadata": {"name": "test"}, "nodes": nodes, "connections": edges});
    std::fs::write(folder.join("pipeline.json"), manifest.to_string()).unwrap();
    host().load_manifest(&folder.join("pipeline.json")).unwrap()
}

fn host() -> Host {
    Host::new(Config { current_dir: Some(repository().to_path_buf()), ..Config::default() })
}

fn run(
    manifest: &Manifest,
    inputs: Vec<(&str, Payload)>,
) -> Result<Vec<Output>, remotemedia_core::NodeError> {
    let host = host();
    let plan = host.plan(manifest).unwrap();
    let pipeline = host.start(&plan, PipelineOptions::default())?;
    let mut pipeline = pipeline;
    pipeline.run(
        inputs.into_iter().enumerate().map(|(i, (node, payload))| (node, Packet::new(i as i64, payload))),
    )
}

fn faults(manifest: &Manifest) -> ManifestErrors {
    host().plan(manifest).err().unwrap()
}

fn tone(frames: usize) -> AudioBuffer {
    AudioBuffer::from_f32(8_000, 1, vec![0.5; frames]).unwrap()
}

#[test]
fn native_nodes_feed_python_nodes_and_take_their_results() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [
        ("double", "AudioGain", json!({"gain_db": 20.0 * 2.0_f64.log10()})),
        ("rms", "nodes:Rms", json!({"digits": 4})),
        ("add", "Add", json!({"addend": 1})),
    ];
    for queued in [false, true] {
        let manifest = linear(folder.path(), &nodes, queued);
        let outputs = run(&manifest, vec![("double", tone(80).into()), ("double", tone(3).into())]).unwrap();
        let values: Vec<Value> =
            outputs.iter().map(|output| host().to_json(&output.packet.payload)).collect();
        // Constant 0.5, doubled: RMS 1; plus 1.
        assert_eq!(values, [json!(2.0), json!(2.0)]);
        assert_eq!(outputs[1].packet.pts_ns, 1);
    }
}

#[test]
fn native_pipelines_go_on_while_a_node_holds_the_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let (mut has_begun, begun) = std::io::pipe().unwrap();
    let (end, mut ends) = std::io::pipe().unwrap();
    let params = json!({"begun": begun.as_raw_fd(), "end": end.as_raw_fd()});
    let holding = linear(folder.path(), &[("holds", "nodes:Holds", params)], false);
    let native = [
        ("louder", "AudioGain", json!({"gain_db": 6.0})),
        ("quieter", "AudioGain", json!({"gain_db": -6.0})),
        ("resample", "AudioResample", json!({"target_sample_rate": 16_000})),
    ];
    let native = linear(folder.path(), &native, true);
    thread::scope(|scope| {
        let holder = scope.spawn(|| run(&holding, vec![("holds", json!(1).into())]).unwrap().len());
        has_begun.read_exact(&mut [0]).unwrap();
        // Each node on a thread of its own, from start to end: had one to ask for the interpreter, this would never end.
        let outputs = run(&native, vec![("louder", tone(160).into()); 1_000]).unwrap();
        let frames = |output: &Output| match &output.packet.payload {
            Payload::Audio(audio) => audio.frames(),
            other => panic!("audio went in, {other:?} came out"),
        };
        assert_eq!(outputs.iter().map(frames).sum::<usize>(), 320_000);
        ends.write_all(b"!").unwrap();
        assert_eq!(holder.join().unwrap(), 1);
    });
}

#[test]
fn a_tuple_crosses_a_queue_and_a_native_node_as_the_very_same_object() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [
        ("make", "nodes:Tuples", json!({})),
        ("through", "PassThrough", json!({})),
        ("same", "nodes:SameTuple", json!({})),
    ];
    for queued in [false, true] {
        let outputs = run(&linear(folder.path(), &nodes, queued), vec![("make", tone(8).into())]).unwrap();
        assert_eq!(host().to_json(&outputs[0].packet.payload), json!(true));
    }
}

#[test]
fn an_exception_ends_the_pipeline_names_the_node_and_still_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = linear(folder.path(), &[("bad", "nodes:FailsAt", json!({"item": 3}))], false);
    let inputs = (0..5).map(|n| ("bad", Payload::from(json!(n)))).collect();
    let error = run(&manifest, inputs).unwrap_err();
    assert_eq!(
        (&*error.node_id, error.operation, error.kind),
        ("bad", Some(Operation::Process), ErrorKind::Internal)
    );
    assert_eq!(&*error.message, "ValueError: item 3 is bad");
    assert!(error.trace.unwrap().contains("raise ValueError(f\"item {self.item} is bad\")"));
    let closed = linear(folder.path(), &[("closed", "nodes:Closed", json!({}))], false);
    let outputs = run(&closed, vec![("closed", json!(3).into())]).unwrap();
    assert_eq!(host().to_json(&outputs[0].packet.payload), json!(true));
}

#[test]
fn an_object_that_reaches_a_native_node_is_named_in_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [("make", "nodes:Tuples", json!({})), ("add", "Add", json!({}))];
    let error = run(&linear(folder.path(), &nodes, false), vec![("make", tone(8).into())]).unwrap_err();
    assert_eq!((&*error.node_id, error.kind), ("add", ErrorKind::InvalidInput));
    assert!(error.message.contains("tuple"), "{error}");
}

#[test]
fn wrong_params_ports_and_names_are_manifest_faults_with_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [
        ("typo", "nodes:Rms", json!({"digit": 3})),
        ("type", "nodes:Rms", json!({"digits": "three"})),
        ("needs", "nodes:FailsAt", json!({})),
        ("class", "nodes:Rmss", json!({})),
        ("module", "nowhere:Thing", json!({})),
    ];
    let mut manifest = linear(folder.path(), &nodes, false);
    manifest.connections.clear();
    let faults = faults(&manifest).0;
    let all = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for (path, part) in [
        ("$.nodes[0].params", "digits"),
        ("$.nodes[1].params.digits", "whole number"),
        ("$.nodes[2].params", "item"),
        ("$.nodes[3]", "nodes:Rms"),
        ("$.nodes[4]", "nowhere"),
    ] {
        let fault = faults
            .iter()
            .find(|fault| fault.path.starts_with(path))
            .unwrap_or_else(|| panic!("{path}: {all}"));
        assert!(fault.to_string().contains(part), "{fault}");
    }
    let text_into_audio = [("chunk", "nodes:Rms", json!({})), ("rms", "nodes:Rms", json!({}))];
    assert!(
        host().plan(&linear(folder.path(), &text_into_audio, false)).is_err(),
        "json into an audio-only input"
    );
}

#[test]
fn the_demos_features_find_pitch_level_and_length_of_a_voice_like_tone() {
    let document = json!({"version": "v1", "metadata": {"name": "test"}, "connections": [],
                          "nodes": [{"id": "features", "node_type": "features:SpeechFeatures"}]});
    let mut manifest: Manifest = serde_json::from_value(document).unwrap();
    manifest.nodes[0].base_dir = repository().join("docs/examples/speech");
    for pitch_hz in [85.0, 150.0, 331.0] {
        // Harmonics 1 to 8 falling by 1/k, 1 s; its power is the sum of (0.1/k)²/2.
        let samples: Vec<f32> = (0..16_000)
            .map(|n| {
                (1..=8)
                    .map(|k| 0.1 / f64::from(k) * (TAU * pitch_hz * f64::from(k * n) / 16_000.0).sin())
                    .sum()
            })
            .map(|sample: f64| sample as f32)
            .collect();
        let power: f64 = (1..=8).map(|k| (0.1 / f64::from(k)).powi(2) / 2.0).sum();
        let audio = AudioBuffer::from_f32(16_000, 1, samples).unwrap();
        let outputs = run(&manifest, vec![("features", audio.into())]).unwrap();
        let features = host().to_json(&outputs[0].packet.payload);
        assert!((features["pitch_hz"].as_f64().unwrap() - pitch_hz).abs() <= 0.005 * pitch_hz, "{features}");
        assert!((features["rms_dbfs"].as_f64().unwrap() - 10.0 * power.log10()).abs() < 0.05, "{features}");
        assert_eq!(features["duration_ms"], json!(1000.0));
    }
    // Uniform noise by a fixed 64-bit LCG (Knuth's constants): no pitch, and a centroid near half of Nyquist.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    });
    let audio = AudioBuffer::from_f32(16_000, 1, noise.take(16_000).collect()).unwrap();
    let outputs = run(&manifest, vec![("features", audio.into())]).unwrap();
    let features = host().to_json(&outputs[0].packet.payload);
    assert_eq!(features["pitch_hz"], Value::Null);
    assert!((features["spectral_centroid_hz"].as_f64().unwrap() - 4_000.0).abs() < 200.0, "{features}");
}

#[test]
fn what_a_python_node_prints_does_not_corrupt_the_summary_object() {
    let folder = tempfile::tempdir().unwrap();
    linear(folder.path(), &[("chatty", "nodes:Chatty", json!({}))], false);
    let manifest = folder.path().join("pipeline.json");
    let wav = write_wav(&folder.path().join("in.wav"), 8_000, 1, std::iter::repeat_n(0.0, 160));
    let done = remotemedia(&["run", manifest.to_str().unwrap(), "-i", &wav, "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
    assert_eq!(done.json()["served_by"], json!({"chatty": "cpython"}));
    assert!(done.stderr.contains(r#"{"not": "the summary"}"#), "{}", done.stderr);
}

#[test]
fn a_virtual_environment_that_does_not_fit_stops_python_nodes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let wav = write_wav(&folder.path().join("in.wav"), 8_000, 1, std::iter::repeat_n(0.0, 160));
    let call = |node_type: &str| {
        linear(folder.path(), &[("it", node_type, json!({}))], false);
        let manifest = folder.path().join("pipeline.json");
        let mut command = crate::binary::command(&["run", manifest.to_str().unwrap(), "-i", &wav, "--json"]);
        crate::binary::Done::from(command.env("REMOTEMEDIA_VENV", folder.path()).output().unwrap())
    };
    // A native pipeline never looks for an interpreter.
    assert_eq!(call("PassThrough").code, 0);
    let refused = call("nodes:Rms");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("pyvenv.cfg"), "{}", refused.stderr);
    assert_eq!(names(folder.path()), ["in.wav", "nodes.py", "pipeline.json"]);
}
