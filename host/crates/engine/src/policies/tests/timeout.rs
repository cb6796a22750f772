//! Calls that do not return: their pipeline ends, the host lives, and it counts the threads that it lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use remotemedia_core::{ErrorKind, Manifest, NodeError, Packet, PayloadKind, RuntimeKind};
use serde_json::json;

use super::{one, start};
use crate::control::Control;
use crate::life::MOST_LEFT_BEHIND;
use crate::policies::timeout::Watch;
use crate::tests::TestRuntime;
use crate::{Pipeline, PipelineOptions, Plan, Runtimes, Settings};

/// A runtime whose type `Flaky` hangs on packets at time 0 until it is let go.
fn hanging() -> (TestRuntime, mpsc::Sender<()>) {
    let (let_go, held) = mpsc::channel();
    let held = Mutex::new(held);
    let runtime = TestRuntime::new()
        .with("Flaky", PayloadKind::Any, move |_, _, packet, out| {
            if packet.pts_ns == 0 {
                // Disconnected when the test failed: then it returns as well.
                let _ = held.lock().unwrap().recv();
            }
            out.push(packet);
            Ok(())
        })
        .describing("Flaky", |descriptor| descriptor.heavy = true);
    (runtime, let_go)
}

fn run(manifest: &Manifest, runtimes: &Runtimes, pts_ns: i64) -> Result<usize, NodeError> {
    start(manifest, runtimes).run([("f", Packet::new(pts_ns, "x"))]).map(|outputs| outputs.len())
}

fn wait_until_none_is_left_behind(runtimes: &Runtimes) {
    while runtimes.shared().left_behind.count() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_call_that_does_not_return_fails_its_pipeline_and_the_host_counts_the_thread_until_it_does() {
    let (runtime, let_go) = hanging();
    let runtimes = runtime.runtimes();
    let mut pipeline = start(&one(json!({"timeout_ms": 1})), &runtimes);
    let error = pipeline.run([("f", Packet::new(0, "x"))]).unwrap_err();
    assert_eq!((error.kind, &*error.node_id), (ErrorKind::Timeout, "f"), "{error}");
    assert!(error.message.contains("within 1 ms (`timeout_ms`)"), "{error}");
    let reader = pipeline.metrics_reader();
    let counted = |threads: usize| {
        let metrics = reader.read();
        let node = &metrics.node_metrics[0];
        assert_eq!((metrics.threads_left_behind, node.execution_count, node.success_count), (threads, 1, 0));
        assert_eq!((node.error_count, &node.errors_by_kind), (1, &BTreeMap::from([("timeout".into(), 1)])));
    };
    counted(1);
    drop(pipeline);
    assert_eq!(run(&one(json!({"timeout_ms": 60_000})), &runtimes, 1).unwrap(), 1, "the host lives");
    let_go.send(()).unwrap();
    wait_until_none_is_left_behind(&runtimes);
    assert_eq!(runtime.verbs("cleanup"), ["f", "f"], "cleaned up when it came back");
    counted(0);
}

#[test]
fn when_too_many_threads_are_left_behind_no_node_starts_that_could_leave_another() {
    let (runtime, let_go) = hanging();
    let runtimes = runtime.runtimes();
    let manifest = one(json!({"timeout_ms": 1}));
    // The lock of the test's node lets one thread hang in `recv` and the others in `lock`.
    for _ in 0..MOST_LEFT_BEHIND {
        assert_eq!(run(&manifest, &runtimes, 0).unwrap_err().kind, ErrorKind::Timeout);
    }
    let plan = Plan::new(&manifest, &runtimes, &Settings::default()).unwrap();
    let refused = Pipeline::start(&plan, &runtimes, PipelineOptions::default()).unwrap_err();
    assert_eq!((refused.kind, &*refused.node_id), (ErrorKind::Unavailable, "f"));
    assert!(refused.message.starts_with("16 threads of this process"), "{refused}");
    assert_eq!(run(&one(json!({})), &runtimes, 1).unwrap(), 1, "others start");
    drop(let_go);
    wait_until_none_is_left_behind(&runtimes);
    assert_eq!(run(&one(json!({"timeout_ms": 60_000})), &runtimes, 1).unwrap(), 1);
}

#[test]
fn a_call_that_hangs_opens_the_circuit_at_once() {
    let (runtime, let_go) = hanging();
    let runtimes = runtime.runtimes();
    let manifest = one(json!({"timeout_ms": 1, "circuit_breaker": {"failures": 1}}));
    assert_eq!(run(&manifest, &runtimes, 0).unwrap_err().kind, ErrorKind::Timeout);
    assert_eq!(run(&manifest, &runtimes, 1).unwrap_err().kind, ErrorKind::CircuitOpen);
    drop(let_go);
    wait_until_none_is_left_behind(&runtimes);
    assert_eq!(
        run(&manifest, &runtimes, 1).unwrap_err().kind,
        ErrorKind::CircuitOpen,
        "its return says nothing"
    );
}

#[test]
fn a_timeout_is_for_nodes_that_can_be_left_behind_and_others_say_so() {
    for (kind, own_thread, heavy, noticed) in [
        (RuntimeKind::Cpython, true, false, false),
        (RuntimeKind::Cpython, false, false, true),
        (RuntimeKind::Native, false, true, false),
        (RuntimeKind::Native, false, false, true),
    ] {
        let mut runtime = TestRuntime::nothing(kind)
            .with("Flaky", PayloadKind::Any, |_, _, _, _| Ok(()))
            .describing("Flaky", |descriptor| descriptor.heavy = heavy);
        runtime.own_thread = own_thread;
        let plan = runtime.plan(&one(json!({"timeout_ms": 5})));
        assert_eq!(plan.needs_own_thread(0), !noticed, "{kind}");
        assert_eq!(plan.notices().len(), usize::from(noticed), "{:?}", plan.notices());
        assert!(plan.notices().iter().all(|notice| notice.starts_with("node `f`: `timeout_ms`")));
    }
}

fn watch(limit_ms: u64) -> Watch {
    Watch::new(
        "n".into(),
        Duration::from_millis(limit_ms),
        Control::new(Arc::default()),
        None,
        Arc::default(),
    )
}

#[test]
fn a_look_says_when_to_look_next_and_finds_a_call_overdue_once() {
    let ms = Duration::from_millis;
    let watch = watch(10);
    assert_eq!(watch.look(ms(0)), Some(ms(10)), "a call that begins now is overdue then");
    watch.begin(ms(5));
    assert_eq!(watch.look(ms(5)), Some(ms(10)));
    assert_eq!(watch.look(ms(14)), Some(ms(1)));
    assert!(watch.end(), "in time");
    watch.begin(ms(20));
    assert_eq!(watch.look(ms(30)), None);
    assert_eq!(watch.look(ms(31)), Some(ms(10)), "given up already");
    assert!(!watch.end());
}

#[test]
fn a_call_that_returns_while_it_is_given_up_is_one_or_the_other() {
    for _ in 0..500 {
        let (watch, start, given_up) = (watch(1), Barrier::new(2), AtomicUsize::new(0));
        watch.begin(Duration::from_millis(1));
        let in_time = std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                let overdue = watch.look(Duration::from_millis(2)).is_none();
                given_up.fetch_add(usize::from(overdue), Ordering::Relaxed);
            });
            start.wait();
            watch.end()
        });
        assert_eq!(usize::from(in_time) + given_up.into_inner(), 1);
    }
}
