//! Python classes in the sandbox: the same results as in the host's own CPython, and nothing of the host to be seen.

mod sandbox;
mod selection;
mod table;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{Node, NodeError, NodeManifest, Outputs, Packet, Payload, Port, RuntimeKind};
use remotemedia_host::{Config, Host};
use serde_json::Value;

use crate::binary::repository;

/// Compiled code that outlives the tests: compiling CPython takes seconds.
fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-cache")
}

fn runner() -> PathBuf {
    let file = repository().join("target/guests/python-runner.wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    file
}

/// A host that has the sandboxed CPython, and compiles it once for all tests.
pub fn config() -> Config {
    // The machine may be busy, and what is tested here is no question of time.
    let mut policy = SandboxPolicy::default();
    (policy.compile.timeout_ms, policy.compile.cpu_ms) = (600_000, 600_000);
    policy.limits.call_timeout_ms = Some(5_000);
    Config {
        policy: policy.into(),
        current_dir: Some(repository().to_path_buf()),
        cache_dir: Some(cache_dir()),
        python_runner: vec![runner()],
        ..Config::default()
    }
}

/// One for most tests.
static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(config()));

/// A class of nodes.py in `folder`.
fn class(folder: &Path, name: &str, params: Value) -> NodeManifest {
    let mut node = NodeManifest::new("a-node", format!("nodes:{name}")).with_params(params);
    node.base_dir = folder.to_path_buf();
    node
}

/// What one packet, or the end of the stream, gives.
type Given = Result<Vec<Packet>, NodeError>;

fn create(host: &Host, kind: RuntimeKind, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
    host.runtimes().get(kind).unwrap().create(node)
}

fn feed(node: &mut dyn Node, port: u16, pts_ns: i64, payload: Payload) -> Given {
    let mut out = Outputs::new();
    node.process(Port(port), Packet { pts_ns, payload }, &mut out)?;
    Ok(out.drain().map(|(_, packet)| packet).collect())
}

fn flush(node: &mut dyn Node) -> Given {
    let mut out = Outputs::new();
    node.flush(&mut out)?;
    Ok(out.drain().map(|(_, packet)| packet).collect())
}

/// The result of one value in a new sandboxed node of class `name` of `source`.
fn sandboxed(folder: &Path, source: &str, name: &str, value: Payload) -> Given {
    std::fs::write(folder.join("nodes.py"), source).unwrap();
    let mut node = create(&HOST, RuntimeKind::CpythonWasm, &class(folder, name, serde_json::json!({})))?;
    node.initialize()?;
    feed(&mut *node, 0, 0, value)
}

/// The JSON of a single packet.
fn json_of(given: Given) -> Value {
    let packets = given.unwrap();
    let [Packet { payload: Payload::Json(value), .. }] = &packets[..] else { panic!("{packets:?}") };
    (**value).clone()
}
