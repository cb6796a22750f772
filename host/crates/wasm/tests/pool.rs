//! A full pool refuses, and says so: it never makes instances in a slower way behind the operator's back.

use std::process::Command;

use remotemedia_core::manifest::Limits;
use remotemedia_core::policy::{Pool, SandboxLimits};
use remotemedia_core::{ErrorKind, Runtime, SandboxPolicy};
use remotemedia_wasm::WasmRuntime;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::json;

use crate::fixture::{audio, buffer, error_of, manifest, process, runtime_of, start};

#[test]
fn one_node_too_many_is_refused_and_there_is_room_again_when_one_ends() {
    let limits = SandboxLimits { running_nodes: 4, ..SandboxLimits::default() };
    let policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
    let runtime = runtime_of(policy);
    let gain = manifest("gain", json!({"gain_db": 20}));
    let mut running: Vec<_> = (0..4).map(|_| start(&runtime, &gain).unwrap()).collect();
    for _ in 0..10 {
        let error = error_of(runtime.create(&gain));
        assert_eq!(error.kind, ErrorKind::LimitExceeded);
        assert!(error.message.contains("at most 4 wasm nodes at once"), "{error}");
        assert!(error.message.contains("`limits.running_nodes` of the policy"), "{error}");
    }
    for (index, node) in running.iter_mut().enumerate() {
        let input = index as f32;
        let scaled = buffer(process(&mut **node, audio(48_000, 1, vec![input])).unwrap().remove(0).1);
        assert_eq!(scaled.as_f32().unwrap(), [input * 10.0], "those that run are not touched");
    }
    running.pop();
    start(&runtime, &gain).unwrap();
}

#[test]
fn a_slot_that_is_used_again_holds_nothing_of_its_last_guest() {
    let limits = SandboxLimits { running_nodes: 1, ..SandboxLimits::default() };
    let policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
    let runtime = runtime_of(policy);
    for _ in 0..20 {
        let mut node = start(&runtime, &manifest("hostile", json!({"deed": "obey"}))).unwrap();
        let mut out = process(&mut *node, remotemedia_core::Packet::new(0, "count")).unwrap();
        let remotemedia_core::Payload::Text(seen) = out.remove(0).1.payload else { panic!("no text") };
        assert_eq!(&*seen, "1", "the last guest's count is still there");
    }
}

/// Set in the processes that have little address space.
const CONFINED: &str = "REMOTEMEDIA_TEST_CONFINED";

/// Room for a few nodes that are made one by one, and not for a pool of eight and those that are being taken down.
const CONFINED_BYTES: u64 = 24 << 30;

/// Runs the test that calls it once more, in a process of its own with little address space. True in that process.
fn is_confined() -> bool {
    if std::env::var_os(CONFINED).is_some() {
        let limit = Rlimit { current: Some(CONFINED_BYTES), maximum: Some(CONFINED_BYTES) };
        setrlimit(Resource::As, limit).unwrap();
        return true;
    }
    let test = std::thread::current().name().unwrap().to_owned();
    let done = Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture"])
        .env(CONFINED, "1")
        .output()
        .unwrap();
    let (told, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}:\n{told}\n{complained}", done.status);
    assert!(told.contains("1 passed"), "{told}");
    false
}

fn runtime_with_pool(pool: Pool) -> WasmRuntime {
    let limits = SandboxLimits { pool, ..SandboxLimits::default() };
    runtime_of(SandboxPolicy { limits, ..SandboxPolicy::default() })
}

#[test]
fn a_pool_that_cannot_be_reserved_is_an_error_that_says_what_to_do() {
    if is_confined() {
        let runtime = runtime_with_pool(Pool::Required);
        let error = error_of(runtime.create(&manifest("gain", json!({}))));
        assert_eq!(error.kind, ErrorKind::Unavailable);
        for words in [
            "the address space for 8 wasm nodes cannot be reserved",
            "`ulimit -v`",
            "`limits.running_nodes`",
            "`limits.pool` to \"optional\"",
        ] {
            assert!(error.message.contains(words), "`{words}` is not in: {error}");
        }
        assert!(!runtime.is_engine_built());
    }
}

#[test]
fn where_the_policy_allows_it_nodes_run_without_a_pool_and_within_the_same_limits() {
    if is_confined() {
        let runtime = runtime_with_pool(Pool::Optional);
        let mut gain = start(&runtime, &manifest("gain", json!({"gain_db": 20}))).unwrap();
        let mut hoarder = manifest("hostile", json!({"deed": "allocate"}));
        hoarder.limits = Some(Limits { memory_mb: Some(8), call_timeout_ms: Some(5_000) });
        let error = error_of(process(&mut *start(&runtime, &hoarder).unwrap(), audio(48_000, 1, vec![0.0])));
        assert_eq!(error.kind, ErrorKind::LimitExceeded);
        assert!(error.message.contains("its limit is 8.0 MiB"), "{error}");
        let scaled = buffer(process(&mut *gain, audio(48_000, 1, vec![0.5])).unwrap().remove(0).1);
        assert_eq!(scaled.as_f32().unwrap(), [5.0]);
    }
}

#[test]
fn a_node_that_the_system_gives_no_memory_is_no_fault_of_its_component() {
    if is_confined() {
        let runtime = runtime_with_pool(Pool::Optional);
        let gain = manifest("gain", json!({"gain_db": 20}));
        let mut running = Vec::new();
        let error = loop {
            match start(&runtime, &gain) {
                Ok(node) => running.push(node),
                Err(error) => break error,
            }
            assert!(running.len() < 8, "there is no shortage");
        };
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(error.message.contains("`ulimit -v`"), "{error}");
        assert_eq!(runtime.counts().traps, 0);
        running.pop();
        start(&runtime, &gain).unwrap();
    }
}
