//! The binary under test: where it is and how a test calls it. It holds no tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Once};

use serde_json::Value;

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// `remotemedia`, built beside the test binary.
pub fn path() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("remotemedia");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace` first, as `make test` does",
        path.display()
    );
    path
}

/// A shell has what it starts in the background ignore Ctrl-C, programs hand that on to those they start, and the binary
/// keeps to it. A signal with a handler is not handed on.
fn let_children_hear_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    for signal in [SIGINT, SIGHUP, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 1) {
        signal_hook::flag::register(signal, Arc::default()).unwrap();
    }
}

/// A call of the binary in an environment where no setting of the user's counts, which hears signals.
pub fn command(args: &[&str]) -> Command {
    static HEARS: Once = Once::new();
    HEARS.call_once(let_children_hear_signals);
    let mut command = Command::new(path());
    for name in [
        "REMOTEMEDIA_RUNTIME_FORCE",
        "REMOTEMEDIA_PYTHON_RUNTIME",
        "REMOTEMEDIA_ENABLE_FALLBACK",
        "REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON",
        "REMOTEMEDIA_COMPILER",
        "REMOTEMEDIA_PYTHON_PACKAGES",
        "REMOTEMEDIA_PYTHON_RUNNER",
        "REMOTEMEDIA_LOG",
        "REMOTEMEDIA_LOG_FORMAT",
        "REMOTEMEDIA_COREDUMP_DIR",
        "REMOTEMEDIA_OTLP",
        "RUST_LOG",
        "TRACEPARENT",
        "TRACESTATE",
        "REMOTEMEDIA_POLICY",
        "REMOTEMEDIA_VENV",
        "VIRTUAL_ENV",
    ] {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// What one call did.
pub struct Done {
    /// The exit code; -1 when a signal ended the process.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Done {
    /// The last line of standard output as JSON.
    pub fn json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Calls the binary and waits for its end.
pub fn remotemedia(args: &[&str]) -> Done {
    command(args).output().unwrap().into()
}

/// A manifest of a chain of native nodes, written into `folder`.
pub fn write_chain(folder: &Path, nodes: &[(&str, &str, Value)]) -> String {
    let manifest = serde_json::json!({
        "version": "v1",
        "metadata": {"name": "test"},
        "nodes": nodes
            .iter()
            .map(|(id, node_type, params)| serde_json::json!({"id": id, "node_type": node_type, "params": params}))
            .collect::<Vec<_>>(),
        "connections": nodes
            .windows(2)
            .map(|pair| serde_json::json!({"from": pair[0].0, "to": pair[1].0}))
            .collect::<Vec<_>>(),
    });
    let path = folder.join("pipeline.json");
    std::fs::write(&path, manifest.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A wav file of `samples`, written by hound.
pub fn write_wav(
    path: &Path,
    sample_rate: u32,
    channels: u16,
    samples: impl IntoIterator<Item = f32>,
) -> String {
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    path.to_str().unwrap().to_owned()
}

/// The names in `folder`, sorted: to see that nothing half-written was left.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
