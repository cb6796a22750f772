//! What a manifest may and may not ask of the sandbox.

use remotemedia_core::manifest::{Limits, Permissions};
use remotemedia_core::{ErrorKind, Runtime};
use serde_json::json;

use crate::fixture::{error_of, manifest, runtime};

#[test]
fn permissions_are_refused_because_nothing_is_granted() {
    let runtime = runtime();
    let mut node = manifest("gain", json!({}));
    node.permissions = Some(Permissions { net_http: vec!["example.org".into()], ..Permissions::default() });
    for error in [error_of(runtime.describe(&node)), error_of(runtime.create(&node))] {
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert!(error.message.contains("`net.http`") && error.message.contains("nothing yet"), "{error}");
    }
    node.permissions = Some(Permissions::default());
    assert!(runtime.create(&node).is_ok(), "asking for nothing is fine");
}

#[test]
fn limits_beyond_the_host_s_are_refused() {
    let mut node = manifest("gain", json!({}));
    node.limits = Some(Limits { memory_mb: Some(4_096), call_timeout_ms: None });
    let error = error_of(runtime().create(&node));
    assert_eq!(error.kind, ErrorKind::PermissionDenied);
    assert!(error.message.contains("`limits.memory_mb` asks for 4096"), "{error}");
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
