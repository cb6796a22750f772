//! What the tests share: where the guests are, and how to run a node without an engine. It holds no assertions
//! about behaviour.

use std::path::{Path, PathBuf};

use remotemedia_core::SandboxPolicy;
use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{AudioBuffer, Node, NodeError, NodeManifest, Outputs, Packet, Payload, Port, Runtime};
use remotemedia_wasm::{WasmConfig, WasmRuntime};
use serde_json::Value;

/// The component of a guest of this repository.
pub fn guest(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let file = root.join("target/guests").join(name).with_extension("wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    file
}

/// A node of that guest.
pub fn manifest(name: &str, params: Value) -> NodeManifest {
    let mut node = NodeManifest::new(format!("a-{name}"), name).with_params(params);
    node.component = Some(guest(name).into());
    node
}

/// A runtime without a disk cache. Calls get 200 ms, so that tests of endless loops are quick.
pub fn runtime() -> WasmRuntime {
    runtime_with(SandboxLimits {
        call_timeout_ms: Some(200),
        deadline_tick_ms: 2,
        ..SandboxLimits::default()
    })
}

pub fn runtime_with(limits: SandboxLimits) -> WasmRuntime {
    let mut policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
    let call_timeout_ms = policy.limits.call_timeout_ms.unwrap_or_default();
    policy.maximum.call_timeout_ms = policy.maximum.call_timeout_ms.max(call_timeout_ms);
    runtime_of(policy)
}

/// A runtime under that policy, for few nodes: a small pool is quickly made.
pub fn runtime_of(policy: SandboxPolicy) -> WasmRuntime {
    WasmRuntime::new(config_of(policy))
}

/// A runtime whose nodes follow their files.
pub fn watching_runtime() -> WasmRuntime {
    let mut policy = SandboxPolicy::default();
    // A node and the one that takes its place.
    policy.limits.running_nodes = 4;
    WasmRuntime::new(WasmConfig { watch: true, ..config_of(policy) })
}

/// A runtime under that policy that writes core dumps to `dir`.
pub fn dumping_runtime(policy: SandboxPolicy, dir: &Path) -> WasmRuntime {
    WasmRuntime::new(WasmConfig { coredump_dir: Some(dir.to_owned()), ..config_of(policy) })
}

fn config_of(mut policy: SandboxPolicy) -> WasmConfig {
    policy.limits.running_nodes = policy.limits.running_nodes.min(8);
    // Tests are about processor time: a busy machine must not run them into the clock on the wall.
    policy.limits.wall_timeout_ms = 60_000;
    // The process that compiles is the binary's, and is tested with it.
    policy.compile.in_process = true;
    WasmConfig { policy: policy.into(), ..WasmConfig::default() }
}

/// An initialized node.
pub fn start(runtime: &WasmRuntime, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
    let mut running = runtime.create(node)?;
    running.initialize()?;
    Ok(running)
}

/// What one packet on the first port gives.
pub fn process(node: &mut dyn Node, packet: Packet) -> Result<Vec<(Port, Packet)>, NodeError> {
    let mut out = Outputs::new();
    node.process(Port::FIRST, packet, &mut out)?;
    Ok(out.drain().collect())
}

pub fn audio(sample_rate_hz: u32, channels: u16, samples: Vec<f32>) -> Packet {
    Packet::new(0, AudioBuffer::from_f32(sample_rate_hz, channels, samples).unwrap())
}

/// The audio of a packet.
pub fn buffer(packet: Packet) -> AudioBuffer {
    match packet.payload {
        Payload::Audio(audio) => audio,
        other => panic!("expected audio, got {}", other.type_name()),
    }
}

/// The error of a result that must be one.
pub fn error_of<T>(result: Result<T, NodeError>) -> NodeError {
    match result {
        Err(error) => error,
        Ok(_) => panic!("succeeded"),
    }
}
