//! The breaker around nodes of pipelines: when it opens, for whom, and when it closes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use remotemedia_core::manifest::BreakerSpec;
use remotemedia_core::{ErrorKind, Manifest, NodeError, NodeManifest, Packet, Runtime, RuntimeKind};
use serde_json::json;

use super::{VirtualClock, flaky, one, start};
use crate::policies::BreakerState;
use crate::policies::breaker::Breakers;
use crate::tests::numbers;
use crate::{Runtimes, Settings};

fn run_one(manifest: &Manifest, runtimes: &Runtimes) -> Result<usize, NodeError> {
    start(manifest, runtimes).run([("f", Packet::new(0, "x"))]).map(|outputs| outputs.len())
}

#[test]
fn breaker_opens_after_five_exhausted_calls() {
    let flaky = flaky(|_, _| Some(ErrorKind::Transient));
    let manifest =
        one(json!({"on_error": "skip", "retry": {"attempts": 1, "base_ms": 1}, "circuit_breaker": {}}));
    let runtimes = flaky.runtime.runtimes().with_clock(Arc::new(VirtualClock::default()));
    let mut pipeline = start(&manifest, &runtimes);
    assert!(pipeline.run(numbers(0..8).map(|packet| ("f", packet))).unwrap().is_empty());
    assert_eq!(flaky.calls(), 5 * 2, "five calls, each with its retry; three were kept away");
    let policies = &pipeline.metrics().node_metrics[0].policies;
    assert_eq!((policies.retries, policies.skipped, policies.breaker), (5, 8, Some(BreakerState::Open)));
}

#[test]
fn sessions_of_one_node_type_and_params_share_a_breaker_and_others_do_not() {
    let flaky = flaky(|_, _| Some(ErrorKind::Internal));
    let runtimes = flaky.runtime.runtimes().with_clock(Arc::new(VirtualClock::default()));
    let breaker = json!({"circuit_breaker": {}});
    for _ in 0..5 {
        assert_eq!(run_one(&one(breaker.clone()), &runtimes).unwrap_err().kind, ErrorKind::Internal);
    }
    let error = run_one(&one(breaker.clone()), &runtimes).unwrap_err();
    assert_eq!(error.kind, ErrorKind::CircuitOpen);
    assert!(error.message.contains("try again in 30000 ms"), "{error}");
    let calls = flaky.calls();
    // A host that is made of parts of another one shares too.
    let shared = flaky.runtime.runtimes().sharing_with(&runtimes);
    assert_eq!(run_one(&one(breaker.clone()), &shared).unwrap_err().kind, ErrorKind::CircuitOpen);
    assert_eq!((calls, flaky.calls()), (5, 5));
    let mut tenant = one(breaker.clone());
    tenant.nodes[0].tenant = Some("other".into());
    assert_eq!(run_one(&tenant, &runtimes).unwrap_err().kind, ErrorKind::Internal);
    assert_eq!(
        run_one(&one(json!({})), &runtimes).unwrap_err().kind,
        ErrorKind::Internal,
        "without a breaker"
    );
}

#[test]
fn circuits_are_told_apart_by_type_params_runtime_and_tenant() {
    let breakers = Breakers::default();
    let spec = BreakerSpec::default();
    let plain = |params| NodeManifest::new("any id", "T").with_params(params);
    let of = |node: &NodeManifest, runtime| breakers.of(node, runtime, spec);
    let first = of(&plain(json!({"a": 1, "b": [2]})), RuntimeKind::Native);
    let same = NodeManifest::new("another id", "T").with_params(json!({"b": [2], "a": 1}));
    assert!(Arc::ptr_eq(&first, &of(&same, RuntimeKind::Native)), "neither id nor order of params count");
    let mut tenant = same.clone();
    tenant.tenant = Some("t".into());
    let mut component = same.clone();
    component.component = Some("t.wasm".into());
    let others = [
        of(&plain(json!({"a": 1, "b": [3]})), RuntimeKind::Native),
        of(&NodeManifest::new("n", "U").with_params(json!({"a": 1, "b": [2]})), RuntimeKind::Native),
        of(&same, RuntimeKind::Wasm),
        of(&tenant, RuntimeKind::Native),
        of(&component, RuntimeKind::Native),
    ];
    assert!(others.iter().all(|other| !Arc::ptr_eq(&first, other)));
}

#[test]
fn after_the_cooldown_one_call_tries_and_closes_the_circuit_or_opens_it_again() {
    let works = Arc::new(AtomicBool::new(false));
    let node_works = Arc::clone(&works);
    let flaky = flaky(move |_, _| (!node_works.load(Ordering::Relaxed)).then_some(ErrorKind::Internal));
    let clock = Arc::new(VirtualClock::default());
    let runtimes = flaky.runtime.runtimes().with_clock(clock.clone());
    let manifest = one(json!({"circuit_breaker": {"failures": 1, "cooldown_ms": 1_000}}));
    let kind = || run_one(&manifest, &runtimes).map_err(|error| error.kind);
    assert_eq!(kind(), Err(ErrorKind::Internal));
    clock.advance(Duration::from_millis(999));
    assert_eq!(kind(), Err(ErrorKind::CircuitOpen));
    clock.advance(Duration::from_millis(1));
    assert_eq!(kind(), Err(ErrorKind::Internal), "one may try");
    assert_eq!(kind(), Err(ErrorKind::CircuitOpen), "and has failed");
    clock.advance(Duration::from_secs(1));
    works.store(true, Ordering::Relaxed);
    assert_eq!((kind(), kind()), (Ok(1), Ok(1)));
}

#[test]
fn packets_that_a_node_rightly_refuses_open_nothing_and_a_panic_does() {
    let refusing = flaky(|_, _| Some(ErrorKind::InvalidInput));
    let manifest = one(json!({"on_error": "skip", "circuit_breaker": {"failures": 2}}));
    let mut pipeline = start(&manifest, &refusing.runtime.runtimes());
    pipeline.run(numbers(0..10).map(|packet| ("f", packet))).unwrap();
    assert_eq!(refusing.calls(), 10);
    assert_eq!(pipeline.metrics().node_metrics[0].policies.breaker, Some(BreakerState::Closed));
    let panicking = flaky(|_, _| panic!("gone"));
    let runtimes = panicking.runtime.runtimes();
    for _ in 0..2 {
        assert!(run_one(&manifest, &runtimes).unwrap_err().message.contains("panicked"));
    }
    let mut failing = manifest.clone();
    failing.nodes[0].on_error = remotemedia_core::manifest::OnError::Fail;
    assert_eq!(run_one(&failing, &runtimes).unwrap_err().kind, ErrorKind::CircuitOpen);
}

#[test]
fn a_node_without_policies_is_called_directly() {
    let flaky = flaky(|_, _| None);
    let runtimes = flaky.runtime.runtimes();
    let plan = crate::Plan::new(&one(json!({})), &runtimes, &Settings::default()).unwrap();
    let control = crate::control::Control::new(Arc::default());
    let entry = &plan.graph().nodes()[0];
    let node = flaky.runtime.create(&entry.manifest).unwrap();
    let address = std::ptr::from_ref(&*node).cast::<u8>();
    let (wrapped, policies) = crate::policies::wrap(
        node,
        &entry.manifest,
        &entry.descriptor,
        &flaky.runtime,
        Vec::new(),
        runtimes.shared(),
        &control,
    )
    .unwrap();
    assert!(policies.is_none() && std::ptr::eq(std::ptr::from_ref(&*wrapped).cast::<u8>(), address));
}
