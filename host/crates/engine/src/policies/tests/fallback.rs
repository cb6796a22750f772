//! When another runtime takes over, and when it must not.

use std::collections::BTreeMap;
use std::sync::Arc;

use remotemedia_core::{ErrorKind, Manifest, NodeError, Operation, Packet, PayloadKind, RuntimeKind};
use serde_json::{Value, json};

use super::{Flaky, flaky, one};
use crate::tests::{TestRuntime, numbers, values};
use crate::{Metrics, Pipeline, PipelineOptions, Plan, Runtimes, Settings};

/// The type `Flaky` on another runtime: it never fails, and says who it is.
fn other(kind: RuntimeKind) -> TestRuntime {
    TestRuntime::nothing(kind).with("Flaky", PayloadKind::Any, |_, _, packet, out| {
        out.push(Packet::new(packet.pts_ns, "other"));
        Ok(())
    })
}

fn both(first: &TestRuntime, second: &TestRuntime) -> Runtimes {
    Runtimes::new(vec![Arc::new(first.clone()), Arc::new(second.clone())])
}

/// Which packets the other runtime served, of `packets`, and the metrics.
fn served(
    manifest: &Manifest,
    runtimes: &Runtimes,
    settings: &Settings,
    packets: i64,
) -> Result<(Vec<bool>, Metrics), NodeError> {
    let plan = Plan::new(manifest, runtimes, settings).unwrap();
    let mut pipeline = Pipeline::start(&plan, runtimes, PipelineOptions::default())?;
    let outputs = pipeline.run(numbers(0..packets).map(|packet| ("f", packet)))?;
    let by_other = values(manifest, &outputs).into_iter().map(|(_, value)| value == "other").collect();
    Ok((by_other, pipeline.metrics()))
}

fn counts(metrics: &Metrics) -> BTreeMap<&str, u64> {
    let counts = &metrics.node_metrics[0].policies.fallback_counts;
    counts.iter().map(|(reason, count)| (reason.as_str(), *count)).collect()
}

#[test]
fn a_runtime_that_cannot_create_the_node_is_replaced_at_the_start_and_that_is_counted() {
    let mut first = flaky(|_, _| None).runtime;
    first.fail_create = Some(ErrorKind::Unavailable);
    let mut second = other(RuntimeKind::Cpython);
    second.own_thread = true;
    let runtimes = both(&first, &second);
    let (by_other, metrics) = served(&one(json!({})), &runtimes, &Settings::default(), 2).unwrap();
    assert_eq!(by_other, [true, true]);
    assert_eq!(metrics.node_metrics[0].served_by, RuntimeKind::Cpython);
    assert_eq!(counts(&metrics), BTreeMap::from([("start", 1)]));
    // Neither where the operator or the manifest forbids it.
    let off = Settings { enable_fallback: false, ..Settings::default() };
    let error = served(&one(json!({})), &runtimes, &off, 1).unwrap_err();
    assert_eq!((error.kind, &*error.message), (ErrorKind::Unavailable, "cannot create it"));
    assert!(served(&one(json!({"fallback": "none"})), &runtimes, &Settings::default(), 1).is_err());
}

#[test]
fn a_runtime_that_does_not_know_the_node_is_replaced_in_the_plan_and_counted_the_same() {
    let manifest = one(json!({"runtime_hint": "native"}));
    let unknown = TestRuntime::nothing(RuntimeKind::Native);
    let runtimes = both(&unknown, &other(RuntimeKind::Cpython));
    let (by_other, metrics) = served(&manifest, &runtimes, &Settings::default(), 1).unwrap();
    assert_eq!((by_other, counts(&metrics)), (vec![true], BTreeMap::from([("start", 1)])));
}

#[test]
fn params_that_are_wrong_and_what_was_denied_are_no_reason_for_another_runtime() {
    for kind in [ErrorKind::InvalidParams, ErrorKind::PermissionDenied] {
        let mut first = flaky(|_, _| None).runtime;
        first.fail_create = Some(kind);
        let runtimes = both(&first, &other(RuntimeKind::Cpython));
        assert_eq!(served(&one(json!({})), &runtimes, &Settings::default(), 1).unwrap_err().kind, kind);
    }
}

#[test]
fn a_sandboxed_node_leaves_the_sandbox_at_the_start_only_by_the_operators_word() {
    let mut sandbox = other(RuntimeKind::CpythonWasm);
    sandbox.fail_create = Some(ErrorKind::Unavailable);
    let runtimes = both(&sandbox, &other(RuntimeKind::Cpython));
    let manifest = one(json!({"runtime_hint": "cpython_wasm", "fallback": "auto"}));
    assert!(served(&manifest, &runtimes, &Settings::default(), 1).is_err());
    let word = Settings { allow_unsandboxed_python: true, ..Settings::default() };
    let (_, metrics) = served(&manifest, &runtimes, &word, 1).unwrap();
    assert_eq!(metrics.node_metrics[0].served_by, RuntimeKind::Cpython);
}

fn stateless(mut flaky: Flaky) -> Flaky {
    flaky.runtime = flaky.runtime.describing("Flaky", |descriptor| descriptor.stateless = true);
    flaky
}

/// What happens to packets 0 to 2 when the first runtime fails on packet 1 with `kind`.
fn fails_in_stream(
    kind: ErrorKind,
    is_stateless: bool,
    fields: Value,
    settings: &Settings,
) -> Result<Vec<bool>, ErrorKind> {
    let first = flaky(move |_, packet| (packet.pts_ns == 1).then_some(kind));
    let first = if is_stateless { stateless(first) } else { first };
    let runtimes = both(&first.runtime, &other(RuntimeKind::Cpython));
    let served = served(&one(fields), &runtimes, settings, 3);
    served.map(|(by_other, _)| by_other).map_err(|error| error.kind)
}

#[test]
fn in_a_stream_another_runtime_serves_the_failed_call_of_a_stateless_node_that_asks_for_it() {
    use ErrorKind::{Internal, InvalidInput, LimitExceeded, Timeout, Transient, Trap, Unavailable};
    let (auto, settings) = (json!({"fallback": "auto"}), Settings::default());
    for kind in [Transient, Unavailable, Internal] {
        let served = |stateless, fields: &Value, settings: &Settings| {
            fails_in_stream(kind, stateless, fields.clone(), settings)
        };
        assert_eq!(served(true, &auto, &settings), Ok(vec![false, true, false]));
        assert_eq!(served(false, &auto, &settings), Err(kind), "a stateful node");
        assert_eq!(served(true, &json!({}), &settings), Err(kind), "not asked for");
        let off = Settings { enable_fallback: false, ..settings };
        assert_eq!(served(true, &auto, &off), Err(kind), "switched off");
    }
    for kind in [Trap, LimitExceeded, Timeout, InvalidInput] {
        assert_eq!(fails_in_stream(kind, true, auto.clone(), &settings), Err(kind), "never tried again");
    }
}

#[test]
fn fallbacks_are_counted_by_reason_and_come_after_retries() {
    let first = stateless(flaky(|_, packet| match packet.pts_ns {
        0 => Some(ErrorKind::Transient),
        1 | 2 => Some(ErrorKind::Internal),
        _ => None,
    }));
    let runtimes = both(&first.runtime, &other(RuntimeKind::Cpython))
        .with_clock(Arc::new(super::VirtualClock::default()));
    let manifest = one(json!({"fallback": "auto", "retry": {}}));
    let (by_other, metrics) = served(&manifest, &runtimes, &Settings::default(), 4).unwrap();
    assert_eq!(by_other, [true, true, true, false]);
    assert_eq!(counts(&metrics), BTreeMap::from([("internal", 2), ("transient", 1)]));
    assert_eq!(first.calls(), 4 + 2 + 1);
}

#[test]
fn an_open_circuit_is_served_by_another_runtime_when_the_manifest_says_so() {
    for (on_open, expected) in [("fallback", vec![true; 3]), ("fail", vec![])] {
        let first = stateless(flaky(|_, _| Some(ErrorKind::Trap)));
        let runtimes = both(&first.runtime, &other(RuntimeKind::Cpython))
            .with_clock(Arc::new(super::VirtualClock::default()));
        let manifest = one(json!({"on_error": "skip", "circuit_breaker": {"on_open": on_open}}));
        let (by_other, metrics) = served(&manifest, &runtimes, &Settings::default(), 8).unwrap();
        assert_eq!(by_other, expected, "{on_open}");
        let served = u64::try_from(expected.len()).unwrap();
        assert_eq!(counts(&metrics).get("circuit_open").copied().unwrap_or(0), served);
        assert_eq!(metrics.node_metrics[0].policies.skipped, 8 - served);
        assert_eq!(first.calls(), 5);
    }
}

#[test]
fn a_runtime_whose_node_has_other_ports_does_not_take_over() {
    let second = other(RuntimeKind::Cpython).describing("Flaky", crate::tests::two_ports);
    let mut first = stateless(flaky(|_, _| Some(ErrorKind::Internal)));
    let auto = one(json!({"fallback": "auto"}));
    let error = served(&auto, &both(&first.runtime, &second), &Settings::default(), 1).unwrap_err();
    assert_eq!(&*error.message, "not now");
    first.runtime.fail_create = Some(ErrorKind::Unavailable);
    let error = served(&auto, &both(&first.runtime, &second), &Settings::default(), 1).unwrap_err();
    assert_eq!(&*error.message, "cannot create it");
}

#[test]
fn calls_that_nobody_can_serve_are_told_beforehand() {
    let on_open = one(json!({"circuit_breaker": {"on_open": "fallback"}}));
    let auto = one(json!({"fallback": "auto"}));
    let both_ways = one(json!({"fallback": "auto", "circuit_breaker": {"on_open": "fallback"}}));
    for (manifest, is_stateless, others, expected) in [
        (&on_open, true, true, None),
        (&on_open, false, true, Some("the node is not stateless, so `on_open: fallback`")),
        (&on_open, true, false, Some("no other runtime may run it, so `on_open: fallback`")),
        (&auto, true, true, None),
        (&auto, false, true, Some("the node is not stateless, so `fallback: auto`")),
        (&auto, true, false, Some("no other runtime may run it, so `fallback: auto`")),
        (&both_ways, false, true, Some("so neither `fallback: auto` nor `on_open: fallback`")),
        (&one(json!({})), false, false, None),
    ] {
        let first = flaky(|_, _| None);
        let first = if is_stateless { stateless(first) } else { first };
        let runtimes = if others {
            both(&first.runtime, &other(RuntimeKind::Cpython))
        } else {
            first.runtime.runtimes()
        };
        let plan = Plan::new(manifest, &runtimes, &Settings::default()).unwrap();
        assert_eq!(plan.notices().len(), usize::from(expected.is_some()), "{:?}", plan.notices());
        assert!(plan.notices().iter().all(|notice| notice.contains(expected.unwrap())));
    }
}

#[test]
fn a_stand_in_is_initialized_flushed_and_cleaned_up_too() {
    let first = stateless(flaky(|_, _| Some(ErrorKind::Internal)));
    let second = other(RuntimeKind::Cpython);
    let runtimes = both(&first.runtime, &second);
    served(&one(json!({"fallback": "auto"})), &runtimes, &Settings::default(), 3).unwrap();
    for runtime in [&first.runtime, &second] {
        for verb in ["initialize", "flush", "cleanup"] {
            assert_eq!(runtime.verbs(verb), ["f"], "{verb}");
        }
    }
}

/// The stateless type `Flaky`, which panics on its first packet.
fn panics() -> TestRuntime {
    TestRuntime::nothing(RuntimeKind::Native)
        .with("Flaky", PayloadKind::Any, |_, _, _, _| panic!("gone"))
        .describing("Flaky", |descriptor| descriptor.stateless = true)
}

#[test]
fn a_panic_that_a_stand_in_survived_ends_the_pipeline_neither_at_an_interruption_nor_at_the_end() {
    let (first, second) = (panics(), other(RuntimeKind::Cpython));
    let runtimes = both(&first, &second);
    for on_error in ["fail", "skip"] {
        let manifest = one(json!({"fallback": "auto", "on_error": on_error}));
        let mut pipeline = super::start(&manifest, &runtimes);
        let feed = |pipeline: &mut Pipeline, range| {
            numbers(range).for_each(|packet| pipeline.feed("f", packet).unwrap());
            pipeline.quiesce().unwrap();
            std::iter::from_fn(|| pipeline.try_next().unwrap()).count()
        };
        assert_eq!(feed(&mut pipeline, 0..2), 2);
        pipeline.interrupt();
        assert_eq!(feed(&mut pipeline, 2..5), 3);
        pipeline.finish().unwrap();
        assert!(pipeline.next().unwrap().is_none());
        let metrics = pipeline.metrics();
        assert_eq!(counts(&metrics), BTreeMap::from([("internal", 5)]));
        assert_eq!(metrics.node_metrics[0].policies.skipped, 0);
    }
    assert_eq!((first.verbs("flush").len(), second.verbs("flush").len()), (0, 2));
    assert_eq!(second.verbs("reset").len(), 2);
}

#[test]
fn what_a_stand_in_refuses_is_skipped_and_its_panic_is_not() {
    let refuses = other_with(|pts_ns| assert!(pts_ns != 3, "gone too"));
    let manifest = one(json!({"fallback": "auto", "on_error": "skip"}));
    let runtimes = both(&panics(), &refuses);
    let (by_other, metrics) = served(&manifest, &runtimes, &Settings::default(), 3).unwrap();
    assert_eq!((by_other.len(), metrics.node_metrics[0].policies.skipped), (2, 1));
    let error = served(&manifest, &runtimes, &Settings::default(), 4).unwrap_err();
    assert!(error.message.ends_with("gone too"), "{error}");
    assert_eq!(error.operation, Some(Operation::Process));
}

/// As [`other`], which refuses the packet at 1 ns, and looks at every one before.
fn other_with(look: fn(i64)) -> TestRuntime {
    TestRuntime::nothing(RuntimeKind::Cpython).with("Flaky", PayloadKind::Any, move |_, _, packet, out| {
        look(packet.pts_ns);
        out.push(Packet::new(packet.pts_ns, "other"));
        if packet.pts_ns == 1 { Err(NodeError::invalid_input("not this one")) } else { Ok(()) }
    })
}
