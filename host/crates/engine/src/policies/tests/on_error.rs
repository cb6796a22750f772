//! What `on_error: skip` leaves out, and what it does not hide.

use std::sync::Arc;

use remotemedia_core::{ErrorKind, Operation, Packet, PayloadKind};
use serde_json::json;

use super::{VirtualClock, flaky, one, start};
use crate::tests::{TestRuntime, manifest, numbers};

#[test]
fn a_packet_that_fails_is_skipped_and_counted_and_the_others_come_through() {
    let flaky = flaky(|_, packet| (packet.pts_ns % 3 == 1).then_some(ErrorKind::Internal));
    let mut pipeline = start(&one(json!({"on_error": "skip"})), &flaky.runtime.runtimes());
    let outputs = pipeline.run(numbers(0..10).map(|packet| ("f", packet))).unwrap();
    let times: Vec<_> = outputs.iter().map(|output| output.packet.pts_ns).collect();
    assert_eq!(times, [0, 2, 3, 5, 6, 8, 9]);
    let node = &pipeline.metrics().node_metrics[0];
    assert_eq!((node.policies.skipped, node.execution_count), (3, 10));
}

#[test]
fn a_payload_that_the_port_does_not_take_is_skipped_too() {
    let mut manifest = manifest(&[("t", "Text")], &[]);
    manifest.nodes[0].on_error = remotemedia_core::manifest::OnError::Skip;
    let mut pipeline = TestRuntime::new().start(&manifest);
    let outputs = pipeline.run([("t", Packet::new(0, json!(1))), ("t", Packet::new(1, "x"))]).unwrap();
    assert_eq!(outputs.len(), 1);
    assert_eq!(pipeline.metrics().node_metrics[0].policies.skipped, 1);
}

#[test]
fn retries_come_before_skipping() {
    let clock = Arc::new(VirtualClock::default());
    let flaky = flaky(|_, packet| (packet.pts_ns == 0).then_some(ErrorKind::Transient));
    let manifest = one(json!({"on_error": "skip", "retry": {"attempts": 2}}));
    let mut pipeline = start(&manifest, &flaky.runtime.runtimes().with_clock(clock.clone()));
    assert_eq!(pipeline.run(numbers(0..2).map(|packet| ("f", packet))).unwrap().len(), 1);
    assert_eq!((clock.waits_ms(), flaky.calls()), (vec![100, 200], 4));
}

#[test]
fn a_failing_flush_a_panic_and_a_cancellation_are_not_skipped() {
    let mut flush = flaky(|_, _| None);
    flush.runtime.fail_flush = Some("f");
    let skip = one(json!({"on_error": "skip"}));
    let error = start(&skip, &flush.runtime.runtimes()).run([("f", Packet::new(0, "x"))]).unwrap_err();
    assert_eq!(&*error.message, "no flush");
    let panics = TestRuntime::new().with("Flaky", PayloadKind::Any, |_, _, _, _| panic!("gone"));
    let error = start(&skip, &panics.runtimes()).run([("f", Packet::new(0, "x"))]).unwrap_err();
    assert_eq!(error.operation, Some(Operation::Process));
    assert!(error.message.starts_with("the node panicked at "), "{error}");
    let cancelled = flaky(|_, _| Some(ErrorKind::Cancelled));
    let error = start(&skip, &cancelled.runtime.runtimes()).run([("f", Packet::new(0, "x"))]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}
