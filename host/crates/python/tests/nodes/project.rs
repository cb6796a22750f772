//! A folder with Python modules, and nodes made from them. It holds no assertions of its own.

use std::path::Path;

use remotemedia_core::{
    AudioBuffer, Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, Payload, Port, Runtime,
};
use remotemedia_python::{CpythonConfig, CpythonRuntime};
use serde_json::{Value, json};
use tempfile::TempDir;

pub fn runtime() -> CpythonRuntime {
    CpythonRuntime::new(CpythonConfig::default())
}

pub struct Project(TempDir);

impl Project {
    /// A folder with one module, `nodes`.
    pub fn new(source: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.write("nodes.py", source);
        project
    }

    pub fn write(&self, name: &str, source: &str) {
        std::fs::write(self.0.path().join(name), source).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn manifest(&self, node_type: &str, params: Value) -> NodeManifest {
        let mut manifest = NodeManifest::new("it", node_type).with_params(params);
        manifest.base_dir = self.path().to_path_buf();
        manifest
    }

    pub fn describe(&self, node_type: &str) -> Result<Option<NodeDescriptor>, NodeError> {
        runtime().describe(&self.manifest(node_type, json!({})))
    }

    pub fn create(&self, node_type: &str, params: Value) -> Result<Running, NodeError> {
        runtime().create(&self.manifest(node_type, params)).map(Running)
    }

    /// An initialised node of `nodes:Class`.
    pub fn start(&self, class: &str) -> Running {
        self.start_with(class, json!({}))
    }

    pub fn start_with(&self, class: &str, params: Value) -> Running {
        let mut node = self.create(&format!("nodes:{class}"), params).unwrap();
        node.0.initialize().unwrap();
        node
    }
}

pub struct Running(pub Box<dyn Node>);

impl Running {
    pub fn try_feed(&mut self, pts_ns: i64, payload: impl Into<Payload>) -> Result<Vec<Packet>, NodeError> {
        let mut out = Outputs::new();
        self.0.process(Port::FIRST, Packet::new(pts_ns, payload), &mut out)?;
        Ok(out.drain().map(|(_, packet)| packet).collect())
    }

    pub fn feed(&mut self, payload: impl Into<Payload>) -> Vec<Payload> {
        self.try_feed(0, payload).unwrap().into_iter().map(|packet| packet.payload).collect()
    }

    /// The one payload that comes out.
    pub fn call(&mut self, payload: impl Into<Payload>) -> Payload {
        let mut payloads = self.feed(payload);
        assert_eq!(payloads.len(), 1, "{payloads:?}");
        payloads.remove(0)
    }

    /// The one JSON or text value that comes out.
    pub fn ask(&mut self, payload: impl Into<Payload>) -> Value {
        as_json(&self.call(payload))
    }

    pub fn flush(&mut self) -> Vec<Packet> {
        let mut out = Outputs::new();
        self.0.flush(&mut out).unwrap();
        out.drain().map(|(_, packet)| packet).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.cleanup();
    }
}

pub fn as_json(payload: &Payload) -> Value {
    match payload {
        Payload::Json(value) => value.as_ref().clone(),
        Payload::Text(text) => text.as_ref().into(),
        other => panic!("not JSON: {other:?}"),
    }
}

pub fn as_audio(payload: &Payload) -> &AudioBuffer {
    match payload {
        Payload::Audio(audio) => audio,
        other => panic!("not audio: {other:?}"),
    }
}

/// `frames` stereo frames: the left channel counts up from 0, the right channel down from 0, by 1/1024.
pub fn stereo(frames: u16) -> AudioBuffer {
    let samples = (0..frames).flat_map(|i| [f32::from(i) / 1024.0, -f32::from(i) / 1024.0]).collect();
    AudioBuffer::from_f32(48_000, 2, samples).unwrap()
}
