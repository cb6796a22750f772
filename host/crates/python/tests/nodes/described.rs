//! Descriptors read off classes: ports, params schema, flags.

use remotemedia_core::{PayloadKind, PortSpec};
use serde_json::{Value, json};

use crate::project::Project;

const CLASSES: &str = r#"
from __future__ import annotations
import typing

__version__ = "2.5"

class Bare:
    def process(self, x): return x

class Typed:
    """Does things.

    In many ways.
    """
    remotemedia_inputs = {"speech": "audio", "cue": "json"}
    remotemedia_outputs = {"events": "json"}
    remotemedia_stateless = True
    remotemedia_heavy = True
    def __init__(self, count: int, gain: float = 1.5, label: str = "a", on: bool = False, items: list = [],
                 table: dict = {}, maybe: int | None = None, quiet: float = None,
                 mode: typing.Literal["fast", "good"] = "good", ids: list[int] = [], free=3, odd: Bare = object()): ...
    def process(self, x): return x

class Open:
    def __init__(self, size: int = 3, *more, **rest): ...
    def process(self, x): return x

class Unresolvable:
    def __init__(self, size: Missing = 3): ...
    def process(self, x): return x
"#;

fn schema(class: &str) -> Value {
    Project::new(CLASSES).describe(&format!("nodes:{class}")).unwrap().unwrap().params_schema
}

#[test]
fn a_class_that_says_nothing_takes_and_gives_anything_and_has_no_params() {
    let descriptor = Project::new(CLASSES).describe("nodes:Bare").unwrap().unwrap();
    assert_eq!(descriptor.node_type, "nodes:Bare");
    assert_eq!(descriptor.inputs, [PortSpec::new("in", PayloadKind::Any)]);
    assert_eq!(descriptor.outputs, [PortSpec::new("out", PayloadKind::Any)]);
    assert_eq!((descriptor.version.as_str(), descriptor.summary.as_str()), ("2.5", ""));
    assert!(!descriptor.stateless && !descriptor.heavy);
    let none = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    assert_eq!(descriptor.params_schema, none);
}

#[test]
fn class_attributes_and_the_docstring_fill_the_descriptor() {
    let descriptor = Project::new(CLASSES).describe("nodes:Typed").unwrap().unwrap();
    let inputs = [PortSpec::new("speech", PayloadKind::Audio), PortSpec::new("cue", PayloadKind::Json)];
    assert_eq!(descriptor.inputs, inputs);
    assert_eq!(descriptor.outputs, [PortSpec::new("events", PayloadKind::Json)]);
    assert_eq!(descriptor.summary, "Does things.");
    assert!(descriptor.stateless && descriptor.heavy);
}

#[test]
fn the_constructors_signature_is_the_params_schema() {
    let schema = schema("Typed");
    assert_eq!(schema["required"], json!(["count"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let expected = json!({
        "count": {"type": "integer"},
        "gain": {"type": "number", "default": 1.5},
        "label": {"type": "string", "default": "a"},
        "on": {"type": "boolean", "default": false},
        "items": {"type": "array", "default": []},
        "table": {"type": "object", "default": {}},
        "maybe": {"type": ["integer", "null"], "default": null},
        "quiet": {"type": ["number", "null"], "default": null},
        "mode": {"enum": ["fast", "good"], "default": "good"},
        "ids": {"type": "array", "items": {"type": "integer"}, "default": []},
        "free": {"default": 3},
        "odd": {}
    });
    assert_eq!(schema["properties"], expected);
}

#[test]
fn keyword_arguments_leave_the_schema_open_and_unknown_annotations_allow_anything() {
    let open = schema("Open");
    assert_eq!(open["additionalProperties"], json!(true));
    assert_eq!(open["properties"], json!({"size": {"type": "integer", "default": 3}}));
    assert_eq!(schema("Unresolvable")["properties"], json!({"size": {"default": 3}}));
}
