//! Interrupting a pipeline: what is discarded, what is reset, and that the stream goes on to its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

use remotemedia_core::{ErrorKind, NodeError, Packet, Payload, PayloadKind};
use serde_json::json;

use super::{TestRuntime, manifest, numbers};
use crate::{Interrupter, Pipeline, PipelineOptions};

/// `TestRuntime` with the type `Gate`, which takes one packet per `open`, and tells when a call of it has begun.
struct Gated {
    runtime: TestRuntime,
    open: mpsc::Sender<()>,
    begun: mpsc::Receiver<i64>,
}

fn gated() -> Gated {
    let ((open, gate), (tell, begun)) = (mpsc::channel(), mpsc::channel());
    let (gate, tell) = (Mutex::new(gate), Mutex::new(tell));
    let runtime = TestRuntime::new().with("Gate", PayloadKind::Any, move |_, _, packet, out| {
        tell.lock().unwrap().send(packet.pts_ns).unwrap();
        gate.lock().unwrap().recv().unwrap();
        out.push(packet);
        Ok(())
    });
    Gated { runtime, open, begun }
}

fn times(outputs: &[crate::Output]) -> Vec<i64> {
    outputs.iter().map(|output| output.packet.pts_ns).collect()
}

fn rest(pipeline: &mut Pipeline) -> Vec<i64> {
    pipeline.finish().unwrap();
    std::iter::from_fn(|| pipeline.next().unwrap()).map(|output| output.packet.pts_ns).collect()
}

#[test]
fn what_waits_and_what_a_running_call_emits_is_discarded_and_the_stream_goes_on() {
    let Gated { runtime, open, begun } = gated();
    let manifest = manifest(&[("a", "Pass"), ("g", "Gate"), ("z", "Pass")], &[("a", "=>g"), ("g", "=>z")]);
    let mut pipeline = runtime.start(&manifest);
    for packet in numbers(0..5) {
        pipeline.feed("a", packet).unwrap();
    }
    open.send(()).unwrap();
    assert_eq!((begun.recv().unwrap(), begun.recv().unwrap()), (0, 1));
    assert_eq!(pipeline.next().unwrap().map(|output| output.packet.pts_ns), Some(0));
    // 1 is in its call; 2, 3 and 4 wait.
    pipeline.interrupt();
    for packet in numbers(5..8) {
        pipeline.feed("a", packet).unwrap();
    }
    (0..4).for_each(|_| open.send(()).unwrap());
    assert_eq!(rest(&mut pipeline), [5, 6, 7]);
    let mut reset = runtime.verbs("reset");
    reset.sort();
    assert_eq!(reset, ["a", "g", "z"]);
    assert_eq!(runtime.verbs("flush"), ["a", "g", "z"]);
    let metrics = pipeline.metrics();
    assert_eq!((metrics.interruptions, metrics.interrupted_packets), (1, 4));
    let waiting = metrics.queue_metrics.iter().find(|queue| queue.to == "g").unwrap();
    assert_eq!((waiting.interrupted, waiting.dropped), (3, 0));
}

#[test]
fn outputs_that_nobody_took_are_discarded() {
    let runtime = TestRuntime::new();
    let mut pipeline = runtime.start(&manifest(&[("a", "Pass")], &[]));
    numbers(0..3).for_each(|packet| pipeline.feed("a", packet).unwrap());
    pipeline.interrupt();
    assert!(pipeline.try_next().unwrap().is_none());
    assert!(
        runtime.verbs("reset").is_empty(),
        "the node is on this thread, and is reset when that feeds next"
    );
    pipeline.feed("a", Packet::new(3, json!(3))).unwrap();
    assert_eq!(runtime.verbs("reset"), ["a"]);
    assert_eq!(rest(&mut pipeline), [3]);
    assert_eq!(pipeline.metrics().interrupted_packets, 3);
}

#[test]
fn an_interruption_from_another_thread_ends_the_way_of_a_packet_after_the_node_that_has_it() {
    let Gated { runtime, open, begun } = gated();
    let reached = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reached);
    let runtime = runtime.with("Count", PayloadKind::Any, move |_, _, packet, out| {
        counted.fetch_add(1, Ordering::Relaxed);
        out.push(packet);
        Ok(())
    });
    let mut pipeline = runtime.start(&manifest(&[("g", "Gate"), ("c", "Count")], &[("g", "c")]));
    let interrupter = pipeline.interrupter();
    let feeding = std::thread::spawn(move || {
        pipeline.feed("g", Packet::new(0, json!(0))).unwrap();
        pipeline.feed("g", Packet::new(1, json!(1))).unwrap();
        rest(&mut pipeline)
    });
    assert_eq!(begun.recv().unwrap(), 0);
    interrupter.interrupt();
    (0..2).for_each(|_| open.send(()).unwrap());
    assert_eq!(feeding.join().unwrap(), [1]);
    assert_eq!(reached.load(Ordering::Relaxed), 1, "the void packet reached no further node");
}

#[test]
fn after_the_end_of_the_stream_nodes_are_still_flushed_and_what_they_emit_is_discarded() {
    let runtime = TestRuntime { own_thread: true, ..TestRuntime::new() };
    let mut pipeline = runtime.start(&manifest(&[("a", "Last"), ("z", "Pass")], &[("a", "=>z")]));
    numbers(0..3).for_each(|packet| pipeline.feed("a", packet).unwrap());
    pipeline.finish().unwrap();
    pipeline.interrupt();
    assert!(pipeline.next().unwrap().is_none());
    assert_eq!((runtime.verbs("flush"), runtime.verbs("cleanup").len()), (vec!["a".into(), "z".into()], 2));
}

#[test]
fn an_interruption_of_nothing_resets_nothing() {
    let runtime = TestRuntime { own_thread: true, ..TestRuntime::new() };
    let mut pipeline = runtime.start(&manifest(&[("a", "Pass")], &[]));
    pipeline.interrupt();
    numbers(0..2).for_each(|packet| pipeline.feed("a", packet).unwrap());
    assert_eq!(pipeline.next().unwrap().map(|output| output.packet.pts_ns), Some(0));
    assert_eq!(rest(&mut pipeline), [1]);
    assert_eq!((runtime.verbs("reset").len(), pipeline.metrics().interruptions), (0, 0));
}

#[test]
fn a_feed_that_waits_for_room_is_let_go() {
    let Gated { runtime, open, begun } = gated();
    let mut manifest = manifest(&[("a", "Pass"), ("g", "Gate")], &[("a", "=>g")]);
    manifest.connections[0].queue = Some(serde_json::from_value(json!({"max_packets": 1})).unwrap());
    let mut pipeline = runtime.start(&manifest);
    let interrupter = pipeline.interrupter();
    let (fed, feeds) = mpsc::channel();
    let feeding = std::thread::spawn(move || {
        for packet in numbers(0..4) {
            pipeline.feed("a", packet).unwrap();
            fed.send(()).unwrap();
        }
        pipeline
    });
    assert_eq!(begun.recv().unwrap(), 0);
    // One packet is in its call and one waits, so the third feed has no room.
    (0..2).for_each(|_| feeds.recv().unwrap());
    interrupter.interrupt();
    feeds.recv_timeout(Duration::from_secs(60)).expect("the third feed returns although nothing was taken");
    (0..4).for_each(|_| open.send(()).unwrap());
    feeding.join().unwrap();
}

#[test]
fn a_wait_before_a_retry_ends_and_nothing_fails() {
    let failed = Arc::new(Barrier::new(2));
    let barrier = Arc::clone(&failed);
    let runtime = TestRuntime::new().with("Busy", PayloadKind::Any, move |_, _, packet, out| {
        if packet.pts_ns == 0 {
            barrier.wait();
            return Err(NodeError::new(ErrorKind::Transient, "not now"));
        }
        out.push(packet);
        Ok(())
    });
    let mut manifest = manifest(&[("b", "Busy")], &[]);
    // A wait that no test would see the end of.
    manifest.nodes[0].retry =
        Some(serde_json::from_value(json!({"base_ms": 3_600_000, "max_ms": 3_600_000})).unwrap());
    let mut pipeline = runtime.start(&manifest);
    pipeline.feed("b", Packet::new(0, json!(0))).unwrap();
    failed.wait();
    pipeline.interrupt();
    pipeline.feed("b", Packet::new(1, json!(1))).unwrap();
    assert_eq!(rest(&mut pipeline), [1]);
    assert_eq!(runtime.verbs("reset"), ["b"]);
}

#[test]
fn a_reset_that_fails_ends_the_pipeline_and_names_the_node() {
    let runtime = TestRuntime { fail_reset: Some("a"), ..TestRuntime::new() };
    let mut pipeline = runtime.start(&manifest(&[("a", "Pass")], &[]));
    pipeline.feed("a", Packet::new(0, json!(0))).unwrap();
    pipeline.interrupt();
    let error = pipeline.feed("a", Packet::new(1, json!(1))).unwrap_err();
    assert_eq!((&*error.node_id, error.operation.map(|verb| verb.name())), ("a", Some("reset")));
}

/// Branches that queues separate, merged again, fed by one thread and interrupted by another without any order between
/// them: everything that was fed after the last interruption comes out, in order, and nothing twice.
#[test]
fn interrupted_at_any_moment_the_rest_of_the_stream_comes_whole_and_in_order() {
    let runtime = TestRuntime { own_thread: true, ..TestRuntime::new() };
    let mut manifest = manifest(
        &[("s", "Pass"), ("l", "Pass"), ("r", "Pass"), ("m", "Pass")],
        &[("s", "=>l"), ("s", "=>r"), ("l", "=>m"), ("r", "=>m")],
    );
    for connection in &mut manifest.connections {
        connection.queue = Some(serde_json::from_value(json!({"max_packets": 2})).unwrap());
    }
    let mut took = Vec::new();
    for round in 0..100 {
        let options = PipelineOptions { max_waiting_outputs: Some(3), ..Default::default() };
        let pipeline = runtime.start_with(&manifest, options);
        took.extend(assert_interrupted_stream(pipeline, round));
    }
    took.sort();
    // The bench `interrupt` measures the 99th percentile; a busy machine spoils no median.
    let median = took[took.len() / 2];
    assert!(median < Duration::from_millis(1), "half of the interruptions took longer than {median:?}");
}

/// How long each interruption took.
fn assert_interrupted_stream(mut pipeline: Pipeline, round: i64) -> Vec<Duration> {
    const FEEDS: i64 = 60;
    let interrupter: Interrupter = pipeline.interrupter();
    // Where the feeding thread is; the interrupting one goes by it, so that interruptions come everywhere.
    let fed = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&fed);
    let interrupting = std::thread::spawn(move || {
        let (mut last, mut took) = (0, Vec::new());
        for step in 0..4 {
            while seen.load(Ordering::Acquire) < (step * 13 + round.unsigned_abs() % 13).min(60) {
                std::thread::yield_now();
            }
            // What is fed from here on is not touched by this interruption.
            let began = Instant::now();
            interrupter.interrupt();
            took.push(began.elapsed());
            last = seen.load(Ordering::Acquire);
        }
        (last, took)
    });
    let mut outputs = Vec::new();
    for packet in numbers(1..FEEDS + 1) {
        pipeline.feed("s", packet.clone()).unwrap();
        fed.store(packet.pts_ns.unsigned_abs(), Ordering::Release);
        while let Some(output) = pipeline.try_next().unwrap() {
            outputs.push(output);
        }
    }
    let (last, took) = interrupting.join().unwrap();
    let mut end = rest(&mut pipeline);
    let mut all = times(&outputs);
    all.append(&mut end);
    let counts = |wanted: i64| all.iter().filter(|&&pts_ns| pts_ns == wanted).count();
    // The feed after the one that the interrupting thread saw may have begun before the interruption.
    for pts_ns in i64::try_from(last).unwrap() + 2..=FEEDS {
        assert_eq!(counts(pts_ns), 2, "round {round}: packet {pts_ns} of {all:?}, interrupted before {last}");
    }
    assert!(all.is_sorted(), "round {round}: {all:?}");
    took
}

#[test]
fn packets_whose_turn_would_have_come_later_are_counted_when_a_void_call_gives_up() {
    let (begun, has_begun) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let runtime = TestRuntime::new()
        .with("Four", PayloadKind::Any, |_, _, packet, out| {
            (0..4).for_each(|_| out.push(packet.clone()));
            Ok(())
        })
        .with("GivesUp", PayloadKind::Any, move |_, _, packet, out| {
            if packet.pts_ns == 0 {
                begun.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap();
                return Err(NodeError::new(ErrorKind::Cancelled, "given up"));
            }
            out.push(packet);
            Ok(())
        });
    let mut pipeline = runtime.start(&manifest(&[("f", "Four"), ("g", "GivesUp")], &[("f", "g")]));
    let interrupter = pipeline.interrupter();
    let feeding = std::thread::spawn(move || {
        numbers(0..2).for_each(|packet| pipeline.feed("f", packet).unwrap());
        (rest(&mut pipeline), pipeline.metrics().interrupted_packets)
    });
    has_begun.recv().unwrap();
    interrupter.interrupt();
    open.send(()).unwrap();
    // The first of four was in its call, and three waited behind it.
    assert_eq!(feeding.join().unwrap(), (vec![1; 4], 4));
}

#[test]
fn who_holds_a_handle_of_a_pipeline_that_is_gone_holds_none_of_its_packets() {
    let Gated { runtime, open, begun } = gated();
    let manifest = manifest(&[("a", "Pass"), ("g", "Gate")], &[("a", "=>g")]);
    let mut pipeline = runtime.start(&manifest);
    let handles = (pipeline.interrupter(), pipeline.canceller(), pipeline.metrics_reader());
    let shared = Arc::new(json!("shared"));
    let held = Arc::downgrade(&shared);
    for pts_ns in 0..4 {
        let packet = Packet::new(pts_ns, Payload::Json(Arc::clone(&shared)));
        pipeline.feed("a", packet).unwrap();
    }
    drop(shared);
    open.send(()).unwrap();
    // 0 is among the outputs or will be, 1 is in its call, 2 and 3 wait.
    assert_eq!((begun.recv().unwrap(), begun.recv().unwrap()), (0, 1));
    assert!(held.upgrade().is_some());
    // After this its call returns, and the next one never comes.
    handles.1.cancel();
    open.send(()).unwrap();
    drop(pipeline);
    assert!(held.upgrade().is_none());
    drop(handles);
}
