//! When calls are tried again, after which waits, and who has to wait with them.

use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use proptest::prelude::*;
use remotemedia_core::manifest::RetrySpec;
use remotemedia_core::{ErrorKind, NodeError, Outputs, Packet, PayloadKind, Port, Runtime, RuntimeKind};
use serde_json::json;

use super::{VirtualClock, flaky, one, start};
use crate::control::Control;
use crate::epochs::Epoch;
use crate::policies::clock::Clock;
use crate::policies::retry::Backoff;
use crate::policies::wrap;
use crate::tests::{TestRuntime, manifest, numbers};

#[test]
fn a_call_that_fails_for_now_is_tried_again_after_100_200_and_400_ms() {
    let clock = Arc::new(VirtualClock::default());
    let flaky = flaky(|call, _| (call < 3).then_some(ErrorKind::Transient));
    let mut pipeline = start(&one(json!({"retry": {}})), &flaky.runtime.runtimes().with_clock(clock.clone()));
    let outputs = pipeline.run(numbers(0..2).map(|packet| ("f", packet))).unwrap();
    let times: Vec<_> = outputs.iter().map(|output| output.packet.pts_ns).collect();
    assert_eq!(times, [0, 1], "what the failed calls emitted was taken back");
    assert_eq!((clock.waits_ms(), flaky.calls()), (vec![100, 200, 400], 5));
    let node = &pipeline.metrics().node_metrics[0];
    assert_eq!((node.policies.retries, node.error_count, node.execution_count), (3, 0, 2));
}

#[test]
fn a_call_that_no_retry_helps_fails_with_the_last_error() {
    let clock = Arc::new(VirtualClock::default());
    let flaky = flaky(|_, _| Some(ErrorKind::Transient));
    let runtimes = flaky.runtime.runtimes().with_clock(clock.clone());
    let error = start(&one(json!({"retry": {}})), &runtimes)
        .run(numbers(0..2).map(|packet| ("f", packet)))
        .unwrap_err();
    assert_eq!(error.to_string(), "node `f` failed in process: not now; 3 retries did not help [transient]");
    assert_eq!((clock.waits_ms(), flaky.calls()), (vec![100, 200, 400], 4));
}

#[test]
fn only_errors_that_may_pass_are_tried_again_and_those_of_stateless_nodes_more_often() {
    use ErrorKind::{
        Internal, InvalidInput, LimitExceeded, PermissionDenied, Timeout, Transient, Trap, Unavailable,
    };
    for stateless in [false, true] {
        for (kind, calls) in [
            (Transient, 4),
            (Timeout, if stateless { 4 } else { 1 }),
            (Unavailable, if stateless { 4 } else { 1 }),
            (InvalidInput, 1),
            (Internal, 1),
            (LimitExceeded, 1),
            (PermissionDenied, 1),
            (Trap, 1),
        ] {
            let mut flaky = flaky(move |_, _| Some(kind));
            flaky.runtime = flaky.runtime.describing("Flaky", |descriptor| descriptor.stateless = stateless);
            let runtimes = flaky.runtime.runtimes().with_clock(Arc::new(VirtualClock::default()));
            let error =
                start(&one(json!({"retry": {}})), &runtimes).run([("f", Packet::new(0, "x"))]).unwrap_err();
            assert_eq!((error.kind, flaky.calls()), (kind, calls), "stateless: {stateless}");
        }
    }
}

#[test]
fn a_guest_that_was_stopped_for_taking_too_long_is_not_tried_again() {
    for (kind, calls) in [(RuntimeKind::Cpython, 4), (RuntimeKind::Wasm, 1), (RuntimeKind::CpythonWasm, 1)] {
        let mut flaky = flaky(|_, _| Some(ErrorKind::Timeout));
        flaky.runtime = flaky.runtime.describing("Flaky", |descriptor| descriptor.stateless = true);
        flaky.runtime.kind = kind;
        let manifest = one(json!({"retry": {}}));
        let node = flaky.runtime.create(&manifest.nodes[0]).unwrap();
        let descriptor = Arc::new(flaky.runtime.describe(&manifest.nodes[0]).unwrap().unwrap());
        let runtimes = flaky.runtime.runtimes().with_clock(Arc::new(VirtualClock::default()));
        let control = Control::new(Arc::default());
        let shared = runtimes.shared();
        let (mut node, _) =
            wrap(node, &manifest.nodes[0], &descriptor, &flaky.runtime, Vec::new(), shared, &control)
                .unwrap();
        let error = node.process(Port::FIRST, Packet::new(0, "x"), &mut Outputs::new()).unwrap_err();
        assert_eq!((error.kind, flaky.calls()), (ErrorKind::Timeout, calls), "{kind}");
    }
}

proptest! {
    #[test]
    fn waits_grow_by_the_factor_up_to_the_longest_and_jitter_at_most_halves_them(
        attempts in 1_u32..=100,
        base_ms in 0_u64..=3_600_000,
        factor in 1.0_f64..=100.0,
        max_ms in 0_u64..=3_600_000,
        random in proptest::option::of(0.0_f64..1.0),
    ) {
        let spec = RetrySpec { attempts, base_ms, factor, max_ms, jitter: random.is_some() };
        let mut backoff = Backoff::new(&spec);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.next(|| random.unwrap_or_default())).collect();
        prop_assert_eq!(waits.len(), attempts as usize);
        let mut grown_ms = base_ms as f64;
        for wait in waits {
            let whole_ms = grown_ms.min(max_ms as f64);
            let expected_ms = random.map_or(whole_ms, |random| whole_ms * (1.0 + random) / 2.0);
            let got_ms = wait.as_secs_f64() * 1_000.0;
            // The product of many factors is not exactly their power.
            prop_assert!((got_ms - expected_ms).abs() <= expected_ms * 1e-9 + 1e-5, "{got_ms} {expected_ms}");
            grown_ms *= factor;
        }
    }
}

#[test]
fn cancelling_ends_a_wait_at_once() {
    let called = Arc::new(Barrier::new(2));
    let node_called = Arc::clone(&called);
    let runtime = TestRuntime::new().with("Flaky", PayloadKind::Any, move |_, _, _, _| {
        node_called.wait();
        Err(NodeError::new(ErrorKind::Transient, "not now"))
    });
    // An hour by the system's clock.
    let manifest = one(json!({"retry": {"base_ms": 3_600_000, "max_ms": 3_600_000}}));
    let mut pipeline = start(&manifest, &runtime.runtimes());
    pipeline.feed("f", Packet::new(0, "x")).unwrap();
    called.wait();
    pipeline.canceller().cancel();
    let error = pipeline.next().unwrap_err();
    assert_eq!((error.kind, &*error.message), (ErrorKind::Cancelled, "the pipeline was cancelled"));
    assert_eq!(runtime.verbs("cleanup"), ["f"]);
}

/// Whoever waits for it waits until the test lets go.
struct HeldClock {
    waits: Mutex<mpsc::Sender<()>>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Clock for HeldClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _: Duration, _: &Control, _: Epoch) -> bool {
        self.waits.lock().unwrap().send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        true
    }
}

#[test]
fn while_one_node_waits_to_be_tried_again_the_caller_other_branches_and_other_sessions_go_on() {
    let flaky = flaky(|call, _| (call == 0).then_some(ErrorKind::Transient));
    let (waits, waiting) = mpsc::channel();
    let (let_go, go_on) = mpsc::channel();
    let clock = HeldClock { waits: Mutex::new(waits), go_on: Mutex::new(go_on) };
    let runtimes = flaky.runtime.runtimes().with_clock(Arc::new(clock));
    // `f` is a source, as `a` is; both could run on the caller's thread if nothing waited.
    let mut manifest =
        manifest(&[("f", "Flaky"), ("a", "Pass"), ("m", "Pass"), ("b", "Pass")], &[("f", "m"), ("a", "b")]);
    manifest.nodes[0].retry = Some(RetrySpec::default());
    let mut pipeline = start(&manifest, &runtimes);
    pipeline.feed("f", Packet::new(0, "f")).unwrap();
    waiting.recv().unwrap();
    pipeline.feed("a", Packet::new(1, "a")).unwrap();
    assert_eq!(pipeline.next().unwrap().unwrap().node, 3, "the other branch went on");
    let mut other = start(&one(json!({"retry": {}})), &runtimes);
    assert_eq!(other.run([("f", Packet::new(2, "x"))]).unwrap().len(), 1, "another session went on");
    let_go.send(()).unwrap();
    assert_eq!(pipeline.next().unwrap().unwrap().node, 2);
    pipeline.finish().unwrap();
    assert!(pipeline.next().unwrap().is_none());
}

#[test]
fn a_source_that_waits_does_not_share_a_stage_with_another_source() {
    let flaky = flaky(|_, _| None);
    let mut manifest = manifest(&[("f", "Flaky"), ("a", "Pass"), ("m", "Pass")], &[("f", "m"), ("a", "m")]);
    manifest.nodes[0].retry = Some(RetrySpec::default());
    let plan = flaky.runtime.plan(&manifest);
    let stages: Vec<_> = (0..3).map(|node| plan.stages().of(node)).collect();
    assert!(stages[0] != stages[1], "{stages:?}");
}
