//! What the nodes of one tenant use counts together; other tenants notice nothing, and what ends is given back.

use remotemedia_core::manifest::{Limits, Permissions};
use remotemedia_core::{ErrorKind, NodeManifest, Runtime, SandboxPolicy};

use crate::fixture::{error_of, start};
use crate::probing::{answer, probe, runtime, said, started};

fn of_tenant(name: &str) -> NodeManifest {
    let mut node = probe("".as_ref(), Permissions::default());
    node.tenant = Some(name.into());
    node
}

#[test]
fn the_memory_of_a_tenant_is_one_sum_over_its_nodes() {
    let mut policy = SandboxPolicy::default();
    policy.tenant.memory_mb = 48;
    let runtime = runtime(policy);
    let mut first = started(&runtime, &of_tenant("a"));
    let mut second = started(&runtime, &of_tenant("a"));
    let mut other = started(&runtime, &of_tenant("b"));
    assert_eq!(said(&mut *first, "grow 24"), "24");
    let error = error_of(answer(&mut *second, "grow 24"));
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert!(
        error.message.contains("the tenant `a`") && error.message.contains("tenant.memory_mb"),
        "{error}"
    );
    assert_eq!(said(&mut *other, "grow 24"), "24", "another tenant notices nothing");
    assert_eq!(said(&mut *first, "grow 1"), "25", "what the refused node held was given back");
    drop(first);
    assert_eq!(said(&mut *started(&runtime, &of_tenant("a")), "grow 24"), "24");
}

#[test]
fn running_nodes_are_limited_per_tenant_and_over_all() {
    let mut policy = SandboxPolicy::default();
    policy.tenant.running_nodes = 2;
    policy.limits.running_nodes = 3;
    let runtime = runtime(policy);
    let first = started(&runtime, &of_tenant("a"));
    let _second = started(&runtime, &of_tenant("a"));
    let error = error_of(start(&runtime, &of_tenant("a")));
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert!(error.message.contains("the tenant `a` runs at most 2 wasm nodes"), "{error}");
    let _third = started(&runtime, &of_tenant("b"));
    let error = error_of(start(&runtime, &of_tenant("b")));
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert!(error.message.contains("this host runs at most 3 wasm nodes"), "{error}");
    assert!(error.message.contains("limits.running_nodes"), "{error}");
    drop(first);
    assert!(start(&runtime, &of_tenant("b")).is_ok());
}

#[test]
fn a_node_that_trapped_has_left_its_tenant() {
    let mut policy = SandboxPolicy::default();
    policy.tenant.running_nodes = 1;
    let runtime = runtime(policy);
    let mut node = of_tenant("a");
    node.limits = Some(Limits { memory_mb: Some(8), ..Limits::default() });
    let mut fallen = started(&runtime, &node);
    assert_eq!(error_of(answer(&mut *fallen, "grow 24")).kind, ErrorKind::LimitExceeded);
    assert!(runtime.create(&node).is_ok(), "the store is gone although the node is still held");
}
