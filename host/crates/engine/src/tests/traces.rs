//! What the recorder saw, against what is known to have happened.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};

use remotemedia_core::manifest::QueueSpec;
use remotemedia_core::{ErrorKind, NodeError, Operation, Packet, PayloadKind};
use serde_json::json;

use super::{TestRuntime, manifest, numbers};
use crate::PipelineOptions;
use crate::trace::{Call, Event, QueueLayout, ThreadOf, Trace, TraceRecorder, What};

fn recorded(recorder: &TraceRecorder) -> PipelineOptions {
    PipelineOptions { trace: Some(recorder.clone()), ..PipelineOptions::default() }
}

fn events(trace: &Trace) -> impl Iterator<Item = &Event> {
    trace.threads.iter().flat_map(|thread| &thread.events)
}

fn calls(trace: &Trace) -> impl Iterator<Item = (&Event, &Call)> {
    events(trace).filter_map(|event| match &event.what {
        What::Call(call) => Some((event, call)),
        _ => None,
    })
}

/// How often each node was called by `operation`.
fn counts(trace: &Trace, operation: Operation) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for (_, call) in calls(trace).filter(|(_, call)| call.operation == operation) {
        *counts.entry(call.node).or_default() += 1;
    }
    counts
}

#[test]
fn every_packet_can_be_followed_from_its_feed_through_a_fan_out_and_a_queue() {
    const PACKETS: i64 = 40;
    // s feeds l by a call and q by a queue of two, which q empties only when the test lets it.
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let runtime = TestRuntime::new().with("Gate", PayloadKind::Any, move |_, _, packet, out| {
        gate.lock().unwrap().recv().unwrap();
        out.push(packet);
        Ok(())
    });
    let mut manifest = manifest(&[("s", "Pass"), ("l", "Pass"), ("q", "Gate")], &[("s", "l"), ("s", "=>q")]);
    manifest.connections[1].queue = Some(QueueSpec { max_packets: 2, ..QueueSpec::default() });
    let recorder = TraceRecorder::new(100_000);
    let mut pipeline = runtime.start_with(&manifest, recorded(&recorder));
    let opener = std::thread::spawn(move || (0..PACKETS).for_each(|_| open.send(()).unwrap()));
    let outputs = pipeline.run(numbers(0..PACKETS).map(|packet| ("s", packet))).unwrap();
    opener.join().unwrap();
    assert_eq!(outputs.len(), 2 * PACKETS as usize);
    let metrics = pipeline.metrics();
    drop(pipeline);
    let trace = recorder.take();

    let layout = trace.layout.as_ref().unwrap();
    assert_eq!(layout.own_thread, [false, true]);
    assert_eq!(layout.nodes.iter().map(|node| node.stage).collect::<Vec<_>>(), [0, 0, 1]);
    assert_eq!(layout.queues, [QueueLayout { number: 1, from: Some(0), to: 2 }]);
    let each = |count| BTreeMap::from([(0, count), (1, count), (2, count)]);
    assert_eq!(counts(&trace, Operation::Process), each(PACKETS as usize));
    for verb in [Operation::Initialize, Operation::Flush, Operation::Cleanup] {
        assert_eq!(counts(&trace, verb), each(1));
    }

    let process = |node: usize, pts_ns: i64| {
        let mut found = calls(&trace).filter(|(_, call)| call.node == node && call.pts_ns == Some(pts_ns));
        let (event, call) = found.next().unwrap();
        assert!(found.next().is_none());
        (event, call)
    };
    for pts_ns in 0..PACKETS {
        let (fed, epoch, way) = events(&trace)
            .find_map(|event| match event.what {
                What::Feed { node: 0, epoch, pts_ns: its, flow } if its == pts_ns => {
                    Some((event, epoch, flow))
                }
                _ => None,
            })
            .unwrap();
        assert_eq!(epoch, pts_ns as u64 + 1);
        let [(s, s_call), (l, l_call), (q, q_call)] = [0, 1, 2].map(|node| process(node, pts_ns));
        assert_eq!(s_call.flow, Some(way));
        assert_eq!((s_call.packets_out, s_call.flows_out.1), (1, 2));
        let ways = [l_call.flow.unwrap(), q_call.flow.unwrap()];
        let mut expected = [s_call.flows_out.0, s_call.flows_out.0 + 1];
        if ways[0] > ways[1] {
            expected.reverse();
        }
        assert_eq!(ways, expected);
        assert!(
            [s_call, l_call, q_call].iter().all(|call| call.epoch == Some(epoch) && call.error.is_none())
        );
        let (waited, depths) = events(&trace)
            .find_map(|event| match event.what {
                What::Waited { queue: 1, flow, depth_then, depth_after } if flow == ways[1] => {
                    Some((event, [depth_then, depth_after]))
                }
                _ => None,
            })
            .unwrap();
        assert!((1..=2).contains(&depths[0]) && depths[1] <= 1, "{depths:?}");
        assert!(fed.begin_ns <= s.begin_ns && s.end_ns <= fed.end_ns);
        assert!(s.end_ns <= l.begin_ns && l.end_ns <= fed.end_ns);
        assert!(s.end_ns <= waited.begin_ns && waited.end_ns <= q.begin_ns);
    }
    for (node, counted) in metrics.node_metrics.iter().enumerate() {
        let of_node =
            calls(&trace).filter(|(_, call)| call.node == node && call.operation == Operation::Process);
        let sum_ns: u64 = of_node.map(|(event, _)| event.end_ns - event.begin_ns).sum();
        // The counters' clock runs from the end of one call to the end of the next.
        assert!(sum_ns as f64 <= counted.total_duration_us * 1e3, "node {node}: {sum_ns} ns");
    }
}

#[test]
fn what_happens_on_one_thread_is_nested() {
    let runtime = TestRuntime { own_thread: true, ..TestRuntime::new() };
    let manifest = manifest(&[("a", "Pass"), ("b", "Pass"), ("c", "Last")], &[("a", "b"), ("b", "=>c")]);
    let recorder = TraceRecorder::new(100_000);
    runtime
        .start_with(&manifest, recorded(&recorder))
        .run(numbers(0..1_000).map(|packet| ("a", packet)))
        .unwrap();
    let trace = recorder.take();
    for thread in trace.threads.iter().filter(|thread| thread.thread != ThreadOf::Caller) {
        let spans = |wanted: fn(&What) -> bool| {
            let mut spans: Vec<_> = thread
                .events
                .iter()
                .filter(|event| wanted(&event.what))
                .map(|event| (event.begin_ns, event.end_ns))
                .collect();
            spans.sort_unstable();
            assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "they overlap");
            spans
        };
        let work = spans(|what| matches!(what, What::Work { .. }));
        let processed = spans(|what| matches!(what, What::Call(Call { operation: Operation::Process, .. })));
        assert_eq!(work.len(), 1_001, "every packet and the flush");
        for call in processed {
            assert!(work.iter().any(|work| work.0 <= call.0 && call.1 <= work.1), "{call:?}");
        }
        assert_eq!((thread.left_out, thread.held_back, thread.unfinished), (0, 0, None));
    }
}

#[test]
fn what_is_beyond_the_bound_is_left_out_and_counted() {
    let recorder = TraceRecorder::new(10);
    let manifest = manifest(&[("a", "Pass")], &[]);
    TestRuntime::new()
        .start_with(&manifest, recorded(&recorder))
        .run(numbers(0..100).map(|packet| ("a", packet)))
        .unwrap();
    let trace = recorder.take();
    let of = |wanted| trace.threads.iter().find(|thread| thread.thread == wanted).unwrap();
    let (caller, stage) = (of(ThreadOf::Caller), of(ThreadOf::Stage(0)));
    assert_eq!((caller.events.len(), caller.left_out), (10, 90));
    // A call and the work around it per packet; initialize, and flush with its work, and cleanup.
    assert_eq!((stage.events.len(), stage.left_out, stage.held_back), (10, 194, 0));
}

#[test]
fn a_call_that_fails_or_panics_says_why_and_ends() {
    for (panics, expected) in [(false, "no more"), (true, "boom")] {
        let runtime = TestRuntime::new().with("Bad", PayloadKind::Any, move |_, _, packet, _| {
            assert!(!(panics && packet.pts_ns == 3), "boom");
            if packet.pts_ns == 3 { Err(NodeError::new(ErrorKind::Internal, "no more")) } else { Ok(()) }
        });
        let recorder = TraceRecorder::new(1_000);
        let manifest = manifest(&[("a", "Pass"), ("b", "Bad")], &[("a", "b")]);
        let mut pipeline = runtime.start_with(&manifest, recorded(&recorder));
        pipeline.run(numbers(0..10).map(|packet| ("a", packet))).unwrap_err();
        let trace = recorder.take();
        let failed: Vec<_> = calls(&trace).filter(|(_, call)| call.error.is_some()).collect();
        let [(event, call)] = failed[..] else { panic!("{failed:?}") };
        assert_eq!((call.node, call.pts_ns), (1, Some(3)));
        assert!(call.error.as_deref().unwrap().ends_with(expected), "{:?}", call.error);
        assert!(event.end_ns >= event.begin_ns);
        // Who panicked is not called again.
        let cleaned = if panics { BTreeMap::from([(0, 1)]) } else { BTreeMap::from([(0, 1), (1, 1)]) };
        assert_eq!(counts(&trace, Operation::Cleanup), cleaned);
        assert!(trace.threads.iter().all(|thread| thread.unfinished.is_none()));
    }
}

#[test]
fn a_call_that_has_not_returned_is_told() {
    let (begun, has_begun) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let runtime = TestRuntime::new().with("Stuck", PayloadKind::Any, move |_, _, _, _| {
        begun.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        Ok(())
    });
    let runtime = TestRuntime { own_thread: true, ..runtime };
    let recorder = TraceRecorder::new(1_000);
    let manifest = manifest(&[("a", "Pass"), ("b", "Stuck")], &[("a", "b")]);
    let mut pipeline = runtime.start_with(&manifest, recorded(&recorder));
    pipeline.feed("a", Packet::new(0, json!(0))).unwrap();
    has_begun.recv().unwrap();
    let trace = recorder.take();
    let stage = trace.threads.iter().find(|thread| thread.thread == ThreadOf::Stage(0)).unwrap();
    let (node, operation, since_ns) = stage.unfinished.unwrap();
    assert_eq!((node, operation), (1, Operation::Process));
    assert!(since_ns <= trace.taken_ns);
    // Its own record still holds them: two initializations, the wait in the queue and the call of `a`.
    assert_eq!((stage.events.len(), stage.left_out, stage.held_back), (0, 0, 4));
    open.send(()).unwrap();
    pipeline.finish().unwrap();
    while pipeline.next().unwrap().is_some() {}
    drop(pipeline);
    let after = recorder.take();
    let stage = after.threads.iter().find(|thread| thread.thread == ThreadOf::Stage(0)).unwrap();
    assert_eq!((stage.unfinished, stage.events.len() as u64), (None, 4 + 1 + 1 + 2 + 1 + 2));
}
