//! What goes wrong ends as one typed error that names the node, with everything cleaned up.

use std::sync::{Arc, Barrier};

use remotemedia_core::{ErrorKind, NodeError, Operation, Packet, PayloadKind};
use serde_json::json;

use super::{TestRuntime, manifest, numbers};
use crate::{Pipeline, PipelineOptions, Plan, Settings};

fn with_fail() -> TestRuntime {
    TestRuntime::new().with("Fail", PayloadKind::Any, |_, _, packet, out| {
        if packet.pts_ns == 3 {
            return Err(NodeError::invalid_input("does not like 3"));
        }
        out.push(packet);
        Ok(())
    })
}

#[test]
fn a_failing_call_names_node_and_operation_and_cleans_up_every_node_once() {
    for connection in ["f", "=>f"] {
        let runtime = with_fail();
        let manifest =
            manifest(&[("a", "Pass"), ("f", "Fail"), ("z", "Pass")], &[("a", connection), ("f", "z")]);
        let error = runtime.start(&manifest).run(numbers(0..10).map(|p| ("a", p))).unwrap_err();
        assert_eq!((&*error.node_id, error.operation), ("f", Some(Operation::Process)));
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        let mut cleaned = runtime.verbs("cleanup");
        cleaned.sort();
        assert_eq!(cleaned, ["a", "f", "z"]);
        let flushed = runtime.verbs("flush");
        assert!(!flushed.contains(&"f".to_owned()) && !flushed.contains(&"z".to_owned()), "{flushed:?}");
    }
}

#[test]
fn partial_results_are_never_handed_out_after_a_failure() {
    let manifest = manifest(&[("f", "Fail")], &[]);
    let mut pipeline = with_fail().start(&manifest);
    for packet in numbers(0..3) {
        pipeline.feed("f", packet).unwrap();
    }
    assert!(pipeline.feed("f", Packet::new(3, json!(3))).is_err());
    assert!(pipeline.try_next().is_err(), "three packets were waiting");
    assert!(pipeline.next().is_err() && pipeline.finish().is_err());
    assert!(pipeline.feed("f", Packet::new(4, json!(4))).is_err());
}

#[test]
fn a_failing_initialize_cleans_up_what_was_initialized_and_starts_nothing() {
    for own_thread in [false, true] {
        let runtime = TestRuntime { fail_initialize: Some("b"), own_thread, ..TestRuntime::new() };
        let manifest = manifest(&[("a", "Pass"), ("b", "Pass"), ("c", "Pass")], &[("a", "b"), ("b", "c")]);
        let plan = runtime.plan(&manifest);
        let error = Pipeline::start(&plan, &runtime.runtimes(), PipelineOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "node `b` failed in initialize: no model [internal]");
        assert_eq!(runtime.verbs("cleanup"), ["b", "a"], "c was never initialized");
    }
}

#[test]
fn a_failing_flush_fails_the_run() {
    for connection in ["b", "=>b"] {
        let runtime = TestRuntime { fail_flush: Some("b"), ..TestRuntime::new() };
        let manifest = manifest(&[("a", "Pass"), ("b", "Pass")], &[("a", connection)]);
        let error = runtime.start(&manifest).run(numbers(0..2).map(|p| ("a", p))).unwrap_err();
        assert_eq!((&*error.node_id, error.operation), ("b", Some(Operation::Flush)));
        assert_eq!(runtime.verbs("cleanup").len(), 2);
    }
}

#[test]
fn a_panic_in_a_node_is_its_error_and_the_host_lives() {
    let runtime =
        TestRuntime::new().with("Panic", PayloadKind::Any, |_, _, _, _| panic!("index out of bounds"));
    for connection in ["p", "=>p"] {
        let manifest = manifest(&[("a", "Pass"), ("p", "Panic")], &[("a", connection)]);
        let error = runtime.start(&manifest).run(numbers(0..1).map(|p| ("a", p))).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("node `p` failed in process: the node panicked at "), "{text}");
        assert!(text.ends_with(": index out of bounds [internal]"), "{text}");
    }
    let manifest = manifest(&[("a", "Pass")], &[]);
    assert_eq!(runtime.start(&manifest).run(numbers(0..1).map(|p| ("a", p))).unwrap().len(), 1);
}

#[test]
fn a_payload_the_port_does_not_take_is_refused_by_name() {
    let manifest = manifest(&[("t", "Text")], &[]);
    let error = TestRuntime::new().start(&manifest).run([("t", Packet::new(5, json!(1)))]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "node `t` failed in process: input `in` takes text, but got json at 5 ns [invalid_input]"
    );
}

#[test]
fn feeding_what_is_no_source_lists_the_sources() {
    let manifest = manifest(&[("a", "Pass"), ("b", "Pass")], &[("a", "b")]);
    let mut pipeline = TestRuntime::new().start(&manifest);
    for wrong in ["b", "nobody"] {
        let error = pipeline.feed(wrong, Packet::new(0, "x")).unwrap_err();
        assert!(error.message.contains("its sources are: a"), "{error}");
    }
    assert!(pipeline.feed("a", Packet::new(0, "x")).is_ok(), "a wrong name does not end the pipeline");
}

#[test]
fn an_unknown_type_suggests_the_nearest_and_all_faults_come_at_once() {
    let runtime = TestRuntime::new();
    let manifest =
        manifest(&[("a", "Pas"), ("b", "Text"), ("c", "Zzzzzzzz")], &[("a", "b"), ("b", "nowhere")]);
    let errors = Plan::new(&manifest, &runtime.runtimes(), &Settings::default()).unwrap_err().0;
    let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["$.nodes[0].node_type", "$.nodes[2].node_type", "$.connections[1].to"]);
    assert_eq!(errors[0].suggestion.as_deref(), Some("did you mean `Pass`?"));
}

#[test]
fn cancelling_wakes_a_blocked_feed_and_cleans_up() {
    let entered = Arc::new(Barrier::new(2));
    let leave = Arc::new(Barrier::new(2));
    let (node_entered, node_leave) = (Arc::clone(&entered), Arc::clone(&leave));
    let runtime = TestRuntime::new().with("Stuck", PayloadKind::Any, move |_, _, packet, _| {
        if packet.pts_ns == 0 {
            node_entered.wait();
            node_leave.wait();
        }
        Ok(())
    });
    let manifest = manifest(&[("a", "Pass"), ("s", "Stuck")], &[("a", "=>s")]);
    let mut pipeline = runtime.start(&manifest);
    let canceller = pipeline.canceller();
    let feeder = std::thread::spawn(move || {
        // More than the queue holds: this blocks until the cancellation.
        let result = (0..1_000).try_for_each(|n| pipeline.feed("a", Packet::new(n, json!(n))));
        (result, pipeline)
    });
    entered.wait();
    canceller.cancel();
    leave.wait();
    let (result, pipeline) = feeder.join().unwrap();
    assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    drop(pipeline);
    assert_eq!(runtime.verbs("cleanup").len(), 2);
}

#[test]
fn dropping_a_pipeline_ends_its_threads_and_cleans_up() {
    let runtime = TestRuntime { own_thread: true, ..TestRuntime::new() };
    let manifest = manifest(&[("a", "Pass"), ("b", "Pass")], &[("a", "=>b")]);
    let mut pipeline = runtime.start(&manifest);
    pipeline.feed("a", Packet::new(0, "x")).unwrap();
    drop(pipeline);
    let mut cleaned = runtime.verbs("cleanup");
    cleaned.sort();
    assert_eq!(cleaned, ["a", "b"]);
}
