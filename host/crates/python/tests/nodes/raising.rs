//! Exceptions become errors that name the exception and show the author's own lines.

use remotemedia_core::{ErrorKind, NodeError};
use serde_json::json;

use crate::project::Project;

const RAISING: &str = r#"
import asyncio, sys

def inner(value):
    raise ValueError(f"cannot use {value}")

class Deep:
    def process(self, value): return inner(value)

class Coroutine:
    async def process(self, value):
        await asyncio.sleep(0)
        return inner(value)

class Generator:
    def process(self, value):
        yield 1
        inner(value)

class AsyncGenerator:
    async def process(self, value):
        yield 1
        inner(value)

class Chained:
    def process(self, value):
        try:
            inner(value)
        except ValueError as error:
            raise RuntimeError("outer") from error

class Unprintable(Exception):
    def __str__(self): raise RuntimeError("no")

class Nameless:
    def process(self, _): raise KeyError

class Declared(Exception):
    remotemedia_kind = "transient"

class Cleanup:
    def process(self, _): return 1
    def cleanup(self): raise ValueError("too late")

class Init:
    def __init__(self, rate=8000):
        if rate < 1: raise ValueError("rate must be positive")
        if rate > 10**6: raise OSError("no such device")
    def initialize(self): raise FileNotFoundError("model.onnx")
    def process(self, _): return 1

class Raises:
    def process(self, what): raise eval(what)
"#;

fn fail(class: &str) -> NodeError {
    Project::new(RAISING).start(class).try_feed(0, json!(7)).unwrap_err()
}

#[test]
fn the_error_says_the_exception_and_shows_only_the_authors_frames() {
    for class in ["Deep", "Coroutine", "Generator", "AsyncGenerator"] {
        let error = fail(class);
        assert_eq!(error.kind, ErrorKind::Internal, "{class}");
        assert_eq!(&*error.message, "ValueError: cannot use 7", "{class}");
        let trace = error.trace.unwrap();
        assert!(trace.starts_with("Traceback (most recent call last):"), "{class}: {trace}");
        assert!(trace.contains("nodes.py\", line 5, in inner"), "{class}: {trace}");
        assert!(trace.contains("raise ValueError(f\"cannot use {value}\")"), "{class}: {trace}");
        assert!(trace.trim_end().ends_with("ValueError: cannot use 7"), "{class}: {trace}");
        assert_eq!(trace.matches("File \"").count(), 2, "{class}: {trace}");
    }
}

#[test]
fn the_cause_of_an_exception_is_in_the_trace() {
    let error = fail("Chained");
    assert_eq!(&*error.message, "RuntimeError: outer");
    let trace = error.trace.unwrap();
    assert!(trace.contains("ValueError: cannot use 7"), "{trace}");
    assert!(trace.contains("direct cause"), "{trace}");
}

#[test]
fn the_kind_follows_from_the_exception() {
    let project = Project::new(RAISING);
    let cases = [
        ("ValueError('x')", ErrorKind::Internal, "ValueError: x"),
        ("TypeError('x')", ErrorKind::Internal, "TypeError: x"),
        ("TimeoutError('x')", ErrorKind::Timeout, "TimeoutError: x"),
        ("ModuleNotFoundError('x')", ErrorKind::Unavailable, "ModuleNotFoundError: x"),
        ("MemoryError('x')", ErrorKind::LimitExceeded, "MemoryError: x"),
        ("KeyboardInterrupt()", ErrorKind::Cancelled, "KeyboardInterrupt"),
        ("SystemExit(3)", ErrorKind::Internal, "SystemExit: 3"),
        ("Declared('busy')", ErrorKind::Transient, "Declared: busy"),
        ("Unprintable()", ErrorKind::Internal, "Unprintable: (its text cannot be shown)"),
        ("StopIteration(1)", ErrorKind::Internal, "StopIteration: 1"),
        ("KeyError", ErrorKind::Internal, "KeyError"),
    ];
    for (what, kind, message) in cases {
        let error = project.start("Raises").try_feed(0, what).unwrap_err();
        assert_eq!((error.kind, &*error.message), (kind, message), "{what}");
    }
}

#[test]
fn a_node_that_calls_sys_exit_fails_and_the_host_goes_on() {
    let project = Project::new(
        "
import sys
class Exit:
    def process(self, n):
        if n == 1: sys.exit(3)
        return n
class AsyncExit:
    async def process(self, n): sys.exit(4)
",
    );
    let mut node = project.start("Exit");
    assert_eq!(&*node.try_feed(0, json!(1)).unwrap_err().message, "SystemExit: 3");
    assert_eq!(node.ask(json!(2)), json!(2));
    let error = project.start("AsyncExit").try_feed(0, json!(1)).unwrap_err();
    assert_eq!(&*error.message, "SystemExit: 4");
}

#[test]
fn a_constructor_that_rejects_its_params_is_an_error_about_the_params() {
    let project = Project::new(RAISING);
    let failure = |params| project.create("nodes:Init", params).err().unwrap();
    let error = failure(json!({"rate": 0}));
    assert_eq!(
        (error.kind, &*error.message),
        (ErrorKind::InvalidParams, "ValueError: rate must be positive")
    );
    assert!(error.trace.unwrap().contains("in __init__"));
    let error = failure(json!({"speed": 1}));
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert!(error.message.contains("unexpected keyword argument 'speed'"), "{error}");
    assert_eq!(failure(json!({"rate": 10_000_000})).kind, ErrorKind::Internal);
}

#[test]
fn a_failing_initialize_is_reported_and_a_failing_cleanup_is_not_fatal() {
    let project = Project::new(RAISING);
    let mut node = project.create("nodes:Init", json!({})).unwrap();
    let error = node.0.initialize().unwrap_err();
    assert_eq!(&*error.message, "FileNotFoundError: model.onnx");
    let mut node = project.start("Cleanup");
    assert_eq!(node.ask(json!(0)), json!(1));
    drop(node);
    assert_eq!(project.start("Cleanup").ask(json!(0)), json!(1));
}

#[test]
fn nothing_comes_out_of_a_generator_that_fails_half_way() {
    let mut node = Project::new(RAISING).start("Generator");
    assert!(node.try_feed(0, json!(1)).is_err());
    assert!(Project::new(RAISING).start("Nameless").try_feed(0, json!(1)).unwrap_err().trace.is_some());
}
