//! A panic of a native node, whatever it was doing, is an error that names node, verb, file and line. The node is not
//! called again, everybody else is.

use std::sync::{Arc, Mutex};

use remotemedia_core::{
    ErrorKind, Manifest, Node, NodeDescriptor, NodeError, NodeManifest, Operation, Outputs, Packet,
    PayloadKind, Port, Runtime, RuntimeKind,
};
use serde_json::json;

use super::{manifest, numbers};
use crate::trace::{TraceRecorder, What};
use crate::{Pipeline, PipelineOptions, Plan, Runtimes, Settings};

/// What happened, in order: (node id, verb).
type Journal = Arc<Mutex<Vec<(String, &'static str)>>>;

/// Makes nodes that panic in the verb that their type names.
#[derive(Clone, Default)]
struct Panicking {
    journal: Journal,
}

struct Brittle {
    id: String,
    fault: String,
    journal: Journal,
}

impl Brittle {
    fn does(&self, verb: &'static str) {
        self.journal.lock().unwrap().push((self.id.clone(), verb));
        if self.fault == verb {
            panic!("in {verb}"); // HERE
        }
    }
}

impl Node for Brittle {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.does("initialize");
        Ok(())
    }

    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        out.push(packet);
        self.does("process");
        Ok(())
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.does("reset");
        Ok(true)
    }

    fn flush(&mut self, _: &mut Outputs) -> Result<(), NodeError> {
        self.does("flush");
        Ok(())
    }

    fn cleanup(&mut self) {
        self.does("cleanup");
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        self.does("drop");
    }
}

const TYPES: [&str; 9] =
    ["nothing", "describe", "create", "initialize", "process", "reset", "flush", "cleanup", "drop"];

impl Runtime for Panicking {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Native
    }

    fn node_types(&self) -> Vec<String> {
        TYPES.map(str::to_owned).into()
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        assert_ne!(node.node_type, "describe", "in describe"); // THERE
        Ok(Some(NodeDescriptor::transform(&node.node_type, PayloadKind::Any, "a test node")))
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let (id, fault) = (node.id.clone(), node.node_type.clone());
        let made = Brittle { id, fault, journal: Arc::clone(&self.journal) };
        made.does("create");
        Ok(Box::new(made))
    }
}

impl Panicking {
    fn run(&self, manifest: &Manifest) -> Result<usize, NodeError> {
        let runtimes = Runtimes::new(vec![Arc::new(self.clone())]);
        let plan = Plan::new(manifest, &runtimes, &Settings::default()).unwrap();
        let mut pipeline = Pipeline::start(&plan, &runtimes, PipelineOptions::default())?;
        pipeline.run(numbers(0..2).map(|packet| ("a", packet))).map(|outputs| outputs.len())
    }

    fn verbs_of(&self, id: &str) -> Vec<&'static str> {
        let journal = self.journal.lock().unwrap();
        journal.iter().filter(|(of, _)| of == id).map(|(_, verb)| *verb).collect()
    }
}

/// The line of this file that ends in that comment, counted from 1.
fn line_of(marker: &str) -> usize {
    let marked = include_str!("panics.rs").lines().position(|line| line.ends_with(&format!("; // {marker}")));
    marked.unwrap() + 1
}

/// Three nodes, of which the second, on the same thread or another one, panics in `fault`.
fn around(fault: &str, own_thread: bool) -> Manifest {
    let b = if own_thread { "=>b" } else { "b" };
    manifest(&[("a", "nothing"), ("b", fault), ("c", "nothing")], &[("a", b), ("b", "c")])
}

#[test]
fn a_panic_in_any_verb_is_an_error_that_tells_node_verb_file_and_line() {
    let verbs = [
        ("create", Operation::Create),
        ("initialize", Operation::Initialize),
        ("process", Operation::Process),
        ("flush", Operation::Flush),
    ];
    for (fault, operation) in verbs {
        for own_thread in [false, true] {
            let runtime = Panicking::default();
            let error = runtime.run(&around(fault, own_thread)).unwrap_err();
            assert_eq!(
                (error.kind, &*error.node_id, error.operation),
                (ErrorKind::Internal, "b", Some(operation))
            );
            let place = format!("engine/src/tests/panics.rs:{}:", line_of("HERE"));
            assert!(error.message.contains(&place), "{error}");
            assert!(error.message.ends_with(&format!(": in {fault}")), "{error}");
            assert_eq!(runtime.run(&around("nothing", own_thread)), Ok(2), "the next session works");
        }
    }
}

#[test]
fn a_panic_while_a_node_type_is_described_is_a_fault_of_the_manifest_s_plan() {
    let runtimes = Runtimes::new(vec![Arc::new(Panicking::default())]);
    let errors =
        Plan::new(&manifest(&[("a", "describe")], &[]), &runtimes, &Settings::default()).unwrap_err();
    let place = format!("engine/src/tests/panics.rs:{}:", line_of("THERE"));
    assert!(errors.to_string().contains(&place), "{errors}");
}

#[test]
fn a_node_that_panicked_is_never_called_again_and_its_neighbours_are_cleaned_up() {
    for fault in ["initialize", "process", "flush"] {
        for own_thread in [false, true] {
            let runtime = Panicking::default();
            runtime.run(&around(fault, own_thread)).unwrap_err();
            let verbs = runtime.verbs_of("b");
            assert_eq!(verbs[verbs.len() - 2..], [fault, "drop"], "{verbs:?}");
            assert!(runtime.verbs_of("a").ends_with(&["cleanup", "drop"]), "{:?}", runtime.verbs_of("a"));
        }
    }
}

#[test]
fn a_panic_in_cleanup_or_drop_fails_nothing_and_stops_no_other_node() {
    for fault in ["cleanup", "drop"] {
        for own_thread in [false, true] {
            let runtime = Panicking::default();
            assert_eq!(runtime.run(&around(fault, own_thread)), Ok(2));
            for id in ["a", "b", "c"] {
                assert!(
                    runtime.verbs_of(id).ends_with(&["cleanup", "drop"]),
                    "{fault}: {:?}",
                    runtime.verbs_of(id)
                );
            }
        }
    }
}

#[test]
fn a_call_that_panicked_is_over_in_the_trace_whatever_it_was() {
    let verbs = [
        ("initialize", Operation::Initialize),
        ("process", Operation::Process),
        ("reset", Operation::Reset),
        ("flush", Operation::Flush),
    ];
    for (fault, operation) in verbs {
        let runtimes = Runtimes::new(vec![Arc::new(Panicking::default())]);
        let plan = Plan::new(&manifest(&[("a", fault)], &[]), &runtimes, &Settings::default()).unwrap();
        let recorder = TraceRecorder::new(100);
        let options = PipelineOptions { trace: Some(recorder.clone()), ..PipelineOptions::default() };
        let ended = Pipeline::start(&plan, &runtimes, options).and_then(|mut pipeline| {
            for packet in numbers(0..2) {
                pipeline.feed("a", packet)?;
                pipeline.interrupt();
            }
            pipeline.finish()
        });
        assert_eq!(ended.unwrap_err().operation, Some(operation));
        let trace = recorder.take();
        assert!(trace.threads.iter().all(|thread| thread.unfinished.is_none()), "{fault}");
        let calls =
            trace.threads.iter().flat_map(|thread| &thread.events).filter_map(|event| match &event.what {
                What::Call(call) => call.error.as_deref().map(|error| (call.operation, error)),
                _ => None,
            });
        let [(failed, error)] = calls.collect::<Vec<_>>()[..] else { panic!("{fault}: {trace:?}") };
        assert_eq!(failed, operation);
        assert!(error.ends_with(&format!(": in {fault}")), "{error}");
    }
}

#[test]
fn a_panic_is_not_skipped_and_ends_the_pipeline_at_once() {
    let runtime = Panicking::default();
    let mut manifest = manifest(&[("a", "process")], &[]);
    manifest.nodes[0].on_error = serde_json::from_value(json!("skip")).unwrap();
    // A node that is down would lose every later packet of a stream that may have no end.
    let error = runtime.run(&manifest).unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Internal, Some(Operation::Process)));
    assert!(error.message.starts_with("the node panicked at "), "{error}");
    assert_eq!(runtime.verbs_of("a").iter().filter(|verb| **verb == "process").count(), 1);
    assert!(runtime.verbs_of("a").ends_with(&["process", "drop"]), "{:?}", runtime.verbs_of("a"));
}
