//! What a manifest may and may not ask of the sandbox.

use remotemedia_core::manifest::Limits;
use remotemedia_core::policy::Pool;
use remotemedia_core::{ErrorKind, Runtime, SandboxPolicy};
use remotemedia_wasm::{WasmConfig, WasmRuntime};
use serde_json::json;

use crate::fixture::{error_of, manifest, runtime, start};

#[test]
fn limits_beyond_the_host_s_are_refused() {
    let mut node = manifest("gain", json!({}));
    node.limits = Some(Limits { memory_mb: Some(4_096), call_timeout_ms: None });
    let error = error_of(runtime().create(&node));
    assert_eq!(error.kind, ErrorKind::PermissionDenied);
    assert!(error.message.contains("limits.memory_mb: it asks for 4096"), "{error}");
    assert!(error.message.contains("`maximum.memory_mb`"), "{error}");
}

#[test]
fn a_memory_limit_too_small_to_start_is_named() {
    let runtime = runtime();
    let mut node = manifest("gain", json!({}));
    node.limits = Some(Limits { memory_mb: Some(1), call_timeout_ms: None });
    let error = error_of(runtime.create(&node));
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert!(error.message.contains("its limit is 1.0 MiB"), "{error}");
}

#[test]
fn a_node_type_other_than_the_component_s_names_both() {
    let mut node = manifest("gain", json!({}));
    node.node_type = "AudioGain".into();
    let error = error_of(runtime().describe(&node));
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert!(error.message.contains("`AudioGain`") && error.message.contains("`gain`"), "{error}");
}

#[test]
fn a_pool_that_cannot_be_reserved_is_an_error_unless_the_policy_lets_nodes_start_slower() {
    // 100,000 nodes with guard pages would take more address space than a processor has.
    let mut policy = SandboxPolicy::default();
    policy.limits.running_nodes = 100_000;
    policy.compile.in_process = true;
    let runtime = |policy: SandboxPolicy| {
        WasmRuntime::new(WasmConfig { policy: policy.into(), ..WasmConfig::default() })
    };
    let error = error_of(runtime(policy.clone()).create(&manifest("gain", json!({}))));
    assert_eq!(error.kind, ErrorKind::Unavailable);
    for words in ["100000 wasm nodes", "ulimit -v", "`limits.running_nodes`", "`limits.pool`"] {
        assert!(error.message.contains(words), "{error}");
    }
    policy.limits.pool = Pool::Optional;
    assert!(start(&runtime(policy), &manifest("gain", json!({}))).is_ok());
}

#[test]
fn an_unsound_policy_starts_no_engine() {
    let mut policy = SandboxPolicy::default();
    policy.limits.stack_bytes = 0;
    let runtime = WasmRuntime::new(WasmConfig { policy: policy.into(), ..WasmConfig::default() });
    let error = error_of(runtime.create(&manifest("gain", json!({}))));
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("limits.stack_bytes") && error.message.contains("16384 to"), "{error}");
}
