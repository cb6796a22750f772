//! Components in pipelines: a guest's failure ends its pipeline with an error that names the node, and nothing else.

use std::path::PathBuf;

use remotemedia_core::manifest::{Connection, Limits, Manifest, Metadata, Version};
use remotemedia_core::policy::{RestartBudget, SandboxPolicy};
use remotemedia_core::{AudioBuffer, ErrorKind, NodeError, NodeManifest, Operation, Packet, Payload};
use remotemedia_engine::PipelineOptions;
use remotemedia_host::{Config, Host};
use serde_json::json;

use crate::hostile::hand_made::HandMade;

fn guest(name: &str) -> PathBuf {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/guests").join(name).with_extension("wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    file
}

fn component(id: &str, name: &str, params: serde_json::Value) -> NodeManifest {
    let mut node = NodeManifest::new(id, name).with_params(params);
    node.component = Some(guest(name).into());
    node
}

fn chain(nodes: Vec<NodeManifest>) -> Manifest {
    let ids: Vec<String> = nodes.iter().map(|node| node.id.clone()).collect();
    Manifest {
        version: Version::V1,
        metadata: Metadata { name: "components".into(), ..Metadata::default() },
        nodes,
        connections: ids.windows(2).map(|pair| Connection::new(pair[0].as_str(), pair[1].as_str())).collect(),
    }
}

/// What the pipeline gives for one block of audio fed into `first`.
fn run(host: &Host, manifest: &Manifest, first: &str) -> Result<Vec<Packet>, NodeError> {
    let plan = host.plan(manifest).unwrap();
    let mut pipeline = host.start(&plan, PipelineOptions::default())?;
    let block = AudioBuffer::from_f32(48_000, 1, vec![0.5; 480]).unwrap();
    let outputs = pipeline.run([(first, Packet::new(0, block))])?;
    Ok(outputs.into_iter().map(|output| output.packet).collect())
}

fn with_deed(deed: &str) -> Manifest {
    let mut bad = component("bad", "hostile", json!({ "deed": deed }));
    bad.limits = Some(Limits { memory_mb: Some(8), call_timeout_ms: Some(100) });
    chain(vec![component("before", "gain", json!({})), bad])
}

#[test]
fn metrics_tell_the_exact_memory_of_a_guest_and_how_often_it_was_made_anew() {
    const PAGE_BYTES: u64 = 65_536;
    // Three pages more with every packet but the third, which traps.
    let node = HandMade::node().with(
        "process",
        "(if (i64.eq (local.get $pts) (i64.const 2)) (then unreachable)) (drop (memory.grow (i32.const 3)))",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grows.wasm");
    std::fs::write(&file, node.bytes()).unwrap();
    let mut manifest = chain(vec![NodeManifest::new("grows", "handmade")]);
    manifest.nodes[0].component = Some(file.into());
    let policy = SandboxPolicy {
        restart: RestartBudget { attempts: 1, within_ms: 3_600_000 },
        ..SandboxPolicy::default()
    };
    let host = Host::new(Config { policy: policy.into(), ..Config::default() });
    let mut pipeline = host.start(&host.plan(&manifest).unwrap(), PipelineOptions::default()).unwrap();
    let block = AudioBuffer::from_f32(48_000, 1, vec![0.5; 480]).unwrap();
    let mut node_after = |pts_ns| {
        pipeline.feed("grows", Packet::new(pts_ns, block.clone())).unwrap();
        let node = pipeline.metrics().node_metrics.remove(0);
        (node.memory_bytes.unwrap() / PAGE_BYTES, node.peak_memory_bytes.unwrap(), node.restarts)
    };
    // It begins with four.
    assert_eq!(node_after(0), (7, 7 * PAGE_BYTES, 0));
    assert_eq!(node_after(1), (10, 10 * PAGE_BYTES, 0));
    assert_eq!(node_after(2).2, 1);
    assert_eq!(node_after(3), (7, 10 * PAGE_BYTES, 1));
}

#[test]
fn a_trap_a_memory_overrun_and_an_endless_loop_name_the_node_and_the_host_goes_on() {
    let host = Host::new(Config::default());
    for (deed, kind) in [
        ("panic", ErrorKind::Trap),
        ("allocate", ErrorKind::LimitExceeded),
        ("loop", ErrorKind::Timeout),
        ("zero_rate", ErrorKind::Trap),
    ] {
        let error = run(&host, &with_deed(deed), "before").unwrap_err();
        assert_eq!((&*error.node_id, error.operation), ("bad", Some(Operation::Process)), "{deed}: {error}");
        assert_eq!(error.kind, kind, "{deed}: {error}");
        let good = chain(vec![component("good", "gain", json!({"gain_db": 20}))]);
        let packets = run(&host, &good, "good").unwrap();
        let Payload::Audio(audio) = &packets[0].payload else { panic!("no audio") };
        assert_eq!(audio.as_f32().unwrap(), [5.0; 480]);
    }
}

#[test]
fn a_failure_in_initialize_names_the_node_and_the_verb() {
    let host = Host::new(Config::default());
    let error = run(&host, &with_deed("refuse_params"), "before").unwrap_err();
    assert_eq!((&*error.node_id, error.operation), ("bad", Some(Operation::Initialize)));
    assert_eq!(error.kind, ErrorKind::InvalidParams);
}

#[test]
fn native_and_component_nodes_work_in_one_pipeline() {
    let host = Host::new(Config::default());
    let mut native = NodeManifest::new("down", "AudioGain").with_params(json!({"gain_db": -20}));
    native.runtime_hint = remotemedia_core::RuntimeHint::Native;
    let manifest = chain(vec![component("up", "gain", json!({"gain_db": 20})), native]);
    let packets = run(&host, &manifest, "up").unwrap();
    let Payload::Audio(audio) = &packets[0].payload else { panic!("no audio") };
    for &sample in audio.as_f32().unwrap() {
        assert!((sample - 0.5).abs() < 1e-6, "{sample}");
    }
}

#[test]
fn a_component_file_that_is_none_is_a_manifest_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("noise.wasm"), b"no component").unwrap();
    let mut node = NodeManifest::new("n", "gain");
    node.component = Some(dir.path().join("noise.wasm").into());
    let errors = Host::new(Config::default()).plan(&chain(vec![node])).err().unwrap();
    assert!(errors.to_string().contains("noise.wasm"), "{errors}");
    assert!(errors.to_string().contains("not a WebAssembly component"), "{errors}");
}
