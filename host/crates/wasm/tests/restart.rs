//! A node that was stopped is made anew as often as the policy allows, fresh and without the packet that stopped it.

use remotemedia_core::manifest::Permissions;
use remotemedia_core::policy::RestartBudget;
use remotemedia_core::{ErrorKind, Node, NodeError, Outputs, Packet, Payload, SandboxPolicy};
use remotemedia_wasm::WasmRuntime;
use serde_json::json;

use crate::fixture::{audio, buffer, error_of, manifest, process, runtime_of, start};

/// An hour: no test lasts so long that an attempt comes back. `restart.rs` of the crate tests the window.
const WITHIN_MS: u64 = 3_600_000;

fn runtime(attempts: u32) -> WasmRuntime {
    let restart = RestartBudget { attempts, within_ms: WITHIN_MS };
    runtime_of(SandboxPolicy { restart, ..SandboxPolicy::default() })
}

/// A node that does what packets say, and otherwise answers with how many it has seen since it began.
fn obedient(runtime: &WasmRuntime) -> Box<dyn Node> {
    start(runtime, &manifest("hostile", json!({"deed": "obey"}))).unwrap()
}

fn tell(node: &mut dyn Node, order: &str) -> Result<Option<String>, NodeError> {
    let out = process(node, Packet::new(7, order))?;
    Ok(out.into_iter().next().map(|(_, packet)| match packet.payload {
        Payload::Text(text) => text.to_string(),
        other => panic!("{}", other.type_name()),
    }))
}

fn seen(count: &str) -> Result<Option<String>, NodeError> {
    Ok(Some(count.into()))
}

#[test]
fn by_default_a_node_that_was_stopped_stays_down() {
    let runtime = runtime_of(SandboxPolicy::default());
    let mut node = obedient(&runtime);
    assert_eq!(tell(&mut *node, "hello"), seen("1"));
    let error = tell(&mut *node, "panic").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Trap);
    assert!(tell(&mut *node, "hello").is_err());
    assert_eq!((runtime.counts().restarts, runtime.counts().packets_lost), (0, 0));
}

#[test]
fn a_node_made_anew_has_its_params_and_no_state_and_never_sees_the_packet_again() {
    let runtime = runtime(2);
    let mut node = obedient(&runtime);
    assert_eq!(tell(&mut *node, "hello"), seen("1"));
    assert_eq!(tell(&mut *node, "hello"), seen("2"));
    assert_eq!(tell(&mut *node, "panic"), Ok(None), "the packet is lost");
    // With another param than `obey` it would send the text back.
    assert_eq!(tell(&mut *node, "hello"), seen("1"));
    assert_eq!(tell(&mut *node, "loop"), Ok(None), "a timeout is no different");
    assert_eq!(tell(&mut *node, "hello"), seen("1"));
    let counts = runtime.counts();
    assert_eq!((counts.restarts, counts.packets_lost), (2, 2));
    assert_eq!((counts.traps, counts.timeouts), (1, 1));
    assert!(node.flush(&mut Outputs::new()).is_ok());
    node.cleanup();
}

#[test]
fn a_budget_that_is_used_up_ends_with_the_error_that_stopped_the_node() {
    let runtime = runtime(2);
    let mut node = obedient(&runtime);
    assert_eq!(tell(&mut *node, "panic"), Ok(None));
    assert_eq!(tell(&mut *node, "panic"), Ok(None));
    let error = tell(&mut *node, "panic").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Trap);
    assert!(error.message.contains("index out of bounds"), "{error}");
    assert!(error.message.contains("as often as the host's policy allows (2 within 3600 s)"), "{error}");
    assert!(error_of(tell(&mut *node, "hello")).message.contains("stopped after an earlier failure"));
    assert_eq!(runtime.counts().restarts, 2);
}

#[test]
fn a_node_that_cannot_be_made_anew_ends_with_both_reasons_and_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let restart = RestartBudget { attempts: 5, within_ms: WITHIN_MS };
    let mut policy = SandboxPolicy { restart, ..SandboxPolicy::default() };
    policy.grants.fs_read = vec![folder.path().into()];
    let runtime = runtime_of(policy);
    let mut neighbour = obedient(&runtime);
    let mut manifest = manifest("hostile", json!({"deed": "obey"}));
    manifest.base_dir = folder.path().into();
    manifest.permissions = Some(Permissions { fs_read: vec!["data".into()], ..Permissions::default() });
    let mut node = start(&runtime, &manifest).unwrap();
    assert_eq!(tell(&mut *node, "panic"), Ok(None), "once it can be made anew");
    assert_eq!(tell(&mut *node, "hello"), seen("1"));
    std::fs::remove_dir(folder.path().join("data")).unwrap();
    let error = tell(&mut *node, "panic").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Trap, "what stopped it");
    assert!(error.message.contains("index out of bounds"), "{error}");
    assert!(error.message.contains("making it anew failed: the directory `data`"), "{error}");
    assert!(error.message.contains("No such file"), "{error}");
    // The cause is gone, and it stays down all the same: its pipeline has been told that it ended.
    std::fs::create_dir(folder.path().join("data")).unwrap();
    assert!(error_of(tell(&mut *node, "hello")).message.contains("stopped after an earlier failure"));
    assert!(node.flush(&mut Outputs::new()).is_err());
    node.cleanup();
    assert_eq!((runtime.counts().restarts, runtime.counts().packets_lost), (1, 1));
    assert_eq!(tell(&mut *neighbour, "hello"), seen("1"));
}

#[test]
fn an_error_that_the_node_returns_is_no_reason_to_make_it_anew() {
    let runtime = runtime(2);
    let mut node = start(&runtime, &manifest("hostile", json!({"deed": "transient"}))).unwrap();
    assert_eq!(error_of(process(&mut *node, Packet::new(0, "x"))).kind, ErrorKind::Transient);
    assert_eq!(runtime.counts().restarts, 0);
}

#[test]
fn what_a_broken_call_emitted_before_it_broke_the_contract_is_taken_back() {
    let runtime = runtime(1);
    let mut node = start(&runtime, &manifest("hostile", json!({"deed": "one_good_one_bad"}))).unwrap();
    assert_eq!(process(&mut *node, Packet::new(0, "x")).unwrap().len(), 0);
    assert_eq!(runtime.counts().restarts, 1);
}

#[test]
fn neighbours_of_a_node_that_is_made_anew_notice_nothing() {
    let runtime = runtime(100);
    let mut neighbour = start(&runtime, &manifest("gain", json!({"gain_db": 20}))).unwrap();
    let mut node = obedient(&runtime);
    for turn in 0..100 {
        assert_eq!(tell(&mut *node, "panic"), Ok(None));
        let input = turn as f32;
        let scaled = buffer(process(&mut *neighbour, audio(48_000, 1, vec![input])).unwrap().remove(0).1);
        assert_eq!(scaled.as_f32().unwrap(), [input * 10.0]);
    }
    assert_eq!(runtime.counts().restarts, 100);
}
