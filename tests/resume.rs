//! `run --checkpoint`: the process is killed again and again, and the files are those of a run without a break.

mod kills;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Done, names, remotemedia, write_wav};

/// Seconds of the input.
const SECONDS: usize = 12;
const RATE: u32 = 16_000;

/// A pipeline with its input, and what it writes.
pub struct Case {
    pub folder: TempDir,
    manifest: String,
    input: String,
    /// `-o` specs without their folder: `NODE.PORT=NAME`.
    outputs: Vec<&'static str>,
}

/// Bursts of a buzz with silence between, and a little noise: something for a voice activity detector to cut.
fn samples(rate: u32) -> impl Iterator<Item = f32> {
    let mut noise = 1_u32;
    (0..SECONDS * rate as usize).map(move |n| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let seconds = n as f32 / rate as f32;
        let loud = if (seconds * 0.6).fract() < 0.5 { 0.4 } else { 0.0 };
        loud * (2.0 * (seconds * 130.0).fract() - 1.0) + (noise >> 16) as f32 / 6.5e8
    })
}

impl Case {
    pub fn new(nodes: Value, connections: Value, outputs: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let input = write_wav(&folder.path().join("in.wav"), RATE, 1, samples(RATE));
        let manifest = json!({"version": "v1", "metadata": {"name": "resumed"}, "nodes": nodes, "connections": connections});
        let file = folder.path().join("pipeline.json");
        fs::write(&file, manifest.to_string()).unwrap();
        for part in ["checkpoint", "out", "expected"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let manifest = file.to_str().unwrap().to_owned();
        Self { folder, manifest, input, outputs: outputs.to_vec() }
    }

    /// A file beside the manifest, such as a Python module.
    pub fn with_file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line that writes into `folder`.
    fn args(&self, folder: &str) -> Vec<String> {
        let mut args = vec!["run".into(), self.manifest.clone(), "-i".into(), self.input.clone()];
        for output in &self.outputs {
            let (port, name) = output.split_once('=').unwrap();
            args.extend(["-o".into(), format!("{port}={}", self.path(folder).join(name).display())]);
        }
        args
    }

    /// The same with a checkpoint after every packet.
    pub fn resumable(&self) -> Vec<String> {
        self.resumable_every("0")
    }

    /// The same with milliseconds between two checkpoints.
    pub fn resumable_every(&self, interval_ms: &str) -> Vec<String> {
        let mut args = self.args("out");
        let checkpoint = self.path("checkpoint").to_str().unwrap().to_owned();
        args.extend([
            "--checkpoint".into(),
            checkpoint,
            "--checkpoint-interval-ms".into(),
            interval_ms.into(),
        ]);
        args
    }

    /// Runs without a checkpoint and without a break.
    pub fn run_expected(&self) -> Done {
        let done = call(&self.args("expected"));
        assert_eq!(done.code, 0, "{}", done.stderr);
        done
    }

    /// True when a run has ended: its files are there, and its checkpoint is not.
    pub fn is_done(&self) -> bool {
        !self.path("checkpoint/journal").exists() && names(&self.path("out")) == names(&self.path("expected"))
    }

    /// Removes the files of a run.
    pub fn clear(&self) {
        for name in names(&self.path("out")) {
            fs::remove_file(self.path("out").join(name)).unwrap();
        }
    }

    /// What a run has left: every output as it should be, no other file, nothing in the checkpoint's folder.
    pub fn check(&self) {
        let (out, expected) = (self.path("out"), self.path("expected"));
        assert_eq!(names(&out), names(&expected));
        assert_eq!(names(&out).len(), self.outputs.len());
        for name in names(&expected) {
            let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
            assert!(read(&expected).len() > 100, "{name} says too little");
            assert!(read(&out) == read(&expected), "{name} differs");
        }
        assert_eq!(names(&self.path("checkpoint")), [] as [String; 0]);
    }
}

pub fn call(args: &[String]) -> Done {
    remotemedia(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Gain in two steps: no node has a state.
pub fn stateless() -> Case {
    Case::new(
        json!([
            {"id": "half", "node_type": "AudioGain", "params": {"gain_db": -6.0}},
            {"id": "quarter", "node_type": "AudioGain", "params": {"gain_db": -6.0}},
        ]),
        json!([{"from": "half", "to": "quarter"}]),
        &["half=half.flac", "quarter=quarter.wav"],
    )
}
