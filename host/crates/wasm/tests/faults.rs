//! A guest that fails ends as a typed error, stays down, and harms nobody else.

use std::time::{Duration, Instant};

use remotemedia_core::{ErrorKind, Node, NodeError, NodeManifest, Outputs, Packet};
use remotemedia_wasm::WasmRuntime;
use serde_json::json;

use crate::fixture::{audio, buffer, error_of, manifest, process, runtime, start};

fn hostile(fault: &str) -> NodeManifest {
    manifest("hostile", json!({ "deed": fault }))
}

/// Runs one packet through a node with that fault, then shows that the node is down and that another one works.
fn fall(runtime: &WasmRuntime, fault: &str) -> NodeError {
    let mut node = start(runtime, &hostile(fault)).unwrap();
    let error = error_of(process(&mut *node, Packet::new(0, "x")));
    assert_down(&mut *node, &error);
    assert_neighbour_works(runtime);
    error
}

fn assert_down(node: &mut dyn Node, first: &NodeError) {
    for later in [error_of(process(node, Packet::new(0, "x"))), error_of(node.flush(&mut Outputs::new()))] {
        assert_eq!(later.kind, first.kind);
        assert!(later.message.contains("stopped after an earlier failure"), "{later}");
        assert!(later.message.contains(&*first.message), "{later}");
    }
    node.cleanup();
}

fn assert_neighbour_works(runtime: &WasmRuntime) {
    let mut gain = start(runtime, &manifest("gain", json!({"gain_db": 20}))).unwrap();
    let scaled = buffer(process(&mut *gain, audio(48_000, 1, vec![0.5])).unwrap().remove(0).1);
    assert_eq!(scaled.as_f32().unwrap(), [5.0]);
}

#[test]
fn a_panic_is_a_trap_that_tells_the_message_and_the_place() {
    let runtime = runtime();
    let error = fall(&runtime, "panic");
    assert_eq!(error.kind, ErrorKind::Trap);
    assert!(error.message.contains("index out of bounds: the len is 0 but the index is 7"), "{error}");
    let trace = error.trace.unwrap();
    assert!(trace.contains("wasm backtrace") && trace.contains("hostile"), "{trace}");
    assert_eq!(runtime.counts().traps, 1);
}

#[test]
fn a_memory_overrun_is_a_limit_that_tells_how_much() {
    let runtime = runtime();
    let mut node = hostile("allocate");
    node.limits = Some(remotemedia_core::manifest::Limits { memory_mb: Some(8), call_timeout_ms: None });
    let mut node = start(&runtime, &node).unwrap();
    let error = error_of(process(&mut *node, Packet::new(0, "x")));
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert!(error.message.contains("its limit is 8.0 MiB"), "{error}");
    assert_down(&mut *node, &error);
    assert_neighbour_works(&runtime);
    assert_eq!(runtime.counts().limits_exceeded, 1);
}

#[test]
fn an_endless_loop_is_a_timeout_at_its_deadline() {
    let runtime = runtime();
    let mut node = start(&runtime, &hostile("loop")).unwrap();
    let began = Instant::now();
    let error = error_of(process(&mut *node, Packet::new(0, "x")));
    let took = began.elapsed();
    assert_eq!(error.kind, ErrorKind::Timeout);
    let used =
        error.message.strip_prefix("the component did not return within its limit of 200 ms: it used ");
    let used_ms = used.and_then(|used| used.split_once(" ms")?.0.parse::<u64>().ok());
    assert!(used_ms.is_some_and(|ms| ms >= 200), "{error}");
    assert!(
        error.message.contains("`limits.call_timeout_ms` of the host's policy; the manifest may set"),
        "{error}"
    );
    assert!(error.trace.as_deref().unwrap().contains("wasm backtrace"));
    assert!(took >= Duration::from_millis(200), "only {took:?} were given");
    assert!(took < Duration::from_secs(10), "{took:?} is no deadline, even on a busy machine");
    assert_down(&mut *node, &error);
    assert_neighbour_works(&runtime);
    assert_eq!(runtime.counts().timeouts, 1);
}

#[test]
fn a_manifest_s_shorter_timeout_holds_even_when_the_node_outlives_its_runtime() {
    let mut node = hostile("loop");
    node.timeout_ms = Some(20);
    let runtime = runtime();
    let mut node = start(&runtime, &node).unwrap();
    drop(runtime);
    let error = error_of(process(&mut *node, Packet::new(0, "x")));
    assert!(
        error.message.starts_with("the component did not return within its limit of 20 ms: it used"),
        "{error}"
    );
    assert!(error.message.contains("The limit is the manifest's `timeout_ms`"), "{error}");
}

#[test]
fn sleeping_in_the_host_is_bounded_too() {
    let began = Instant::now();
    let error = fall(&runtime(), "sleep");
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn endless_recursion_is_a_limit() {
    let error = fall(&runtime(), "recurse");
    // The guest's own stack lies in its linear memory and may run out before the host's.
    let typed =
        error.kind == ErrorKind::LimitExceeded || error.message.contains("out of bounds memory access");
    assert!(typed, "{error}");
}

#[test]
fn exit_does_not_end_the_host() {
    let error = fall(&runtime(), "exit");
    assert_eq!(error.kind, ErrorKind::Trap);
    assert!(error.message.contains("exit("), "{error}");
}

#[test]
fn a_loop_in_initialize_and_a_panic_in_flush_and_a_loop_in_cleanup_end() {
    let runtime = crate::fixture::runtime_with(remotemedia_core::policy::SandboxLimits {
        call_timeout_ms: Some(100),
        start_timeout_ms: 300,
        ..Default::default()
    });
    let error = error_of(start(&runtime, &hostile("loop_in_initialize")));
    assert!(
        error.message.starts_with("the component did not return within its limit of 300 ms: it used"),
        "{error}"
    );
    assert!(error.message.contains("`limits.start_timeout_ms` of the host's policy"), "{error}");
    let mut node = start(&runtime, &hostile("panic_in_flush")).unwrap();
    assert_eq!(error_of(node.flush(&mut Outputs::new())).kind, ErrorKind::Trap);
    node.cleanup();
    let mut node = start(&runtime, &hostile("loop_in_cleanup")).unwrap();
    node.cleanup();
    assert_eq!(runtime.counts().timeouts, 2);
    node.cleanup();
    let error = error_of(process(&mut *node, Packet::new(0, "x")));
    assert!(
        error.message.contains("earlier failure") || error.message.contains("after `cleanup`"),
        "{error}"
    );
}

#[test]
fn an_error_that_the_node_returns_keeps_its_kind_and_the_node() {
    let runtime = runtime();
    for (fault, kind, message) in [
        ("refuse_input", ErrorKind::InvalidInput, "wants nothing of the kind"),
        ("transient", ErrorKind::Transient, "not now"),
    ] {
        let mut node = start(&runtime, &hostile(fault)).unwrap();
        for _ in 0..2 {
            let error = error_of(process(&mut *node, Packet::new(0, "x")));
            assert_eq!((error.kind, &*error.message), (kind, message));
        }
        assert!(node.flush(&mut Outputs::new()).is_ok());
    }
    let error = error_of(start(&runtime, &hostile("refuse_params")));
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert_eq!(runtime.counts().traps, 0);
}
