//! Values keep their type and identity between Python nodes; what JSON can say faithfully becomes JSON.

use bytes::Bytes;
use remotemedia_core::{DType, Opaque, Packet, Payload, PayloadKind};
use serde_json::{Value, json};

use crate::project::{Project, Running, as_json, runtime};

/// `Make` evaluates an expression and remembers the value; `Check` tells whether it got an equal value of the same
/// type, and whether it is the very same object.
const PAIR: &str = r#"
import collections, enum, fractions, math
import numpy as np

class Color(enum.Enum):
    RED = 1

class Event:
    def __init__(self, name): self.name = name
    def __repr__(self): return f"Event({self.name})"

def nested(depth):
    value = 1
    for _ in range(depth): value = [value]
    return value

def endless():
    value = []
    value.append(value)
    return value

made = []
class Make:
    def process(self, expression):
        made.append(eval(expression))
        return made[-1]

def alike(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict): return list(a) == list(b) and all(alike(a[k], b[k]) for k in a)
    return a == b or a != a and b != b

class Check:
    def process(self, value):
        same = value is made[-1]
        return {"alike": same or alike(value, made[-1]), "same": same}
"#;

fn pair() -> (Running, Running) {
    let project = Project::new(PAIR);
    (project.start("Make"), project.start("Check"))
}

#[test]
fn what_json_says_faithfully_travels_as_json() {
    let (mut make, mut check) = pair();
    let cases = [
        ("True", json!(true)),
        ("0", json!(0)),
        ("-2**63", json!(i64::MIN)),
        ("2**63 - 1", json!(i64::MAX)),
        ("1.0", json!(1.0)),
        ("-0.0", json!(-0.0)),
        ("1e308", json!(1e308)),
        ("[]", json!([])),
        ("{}", json!({})),
        ("[1, 1.5, 'a', False, None, [], {}]", json!([1, 1.5, "a", false, null, [], {}])),
        ("{'b': {'c': [1]}, 'a': None}", json!({"b": {"c": [1]}, "a": null})),
        ("nested(100)", (0..100).fold(json!(1), |inner, _| json!([inner]))),
    ];
    for (expression, expected) in cases {
        let Payload::Json(value) = make.call(expression) else { panic!("{expression} is not JSON") };
        assert_eq!(value.to_string(), expected.to_string(), "{expression}");
        assert_eq!(check.ask(Payload::Json(value))["alike"], json!(true), "{expression}");
    }
}

#[test]
fn text_and_bytes_are_payloads_of_their_own() {
    let (mut make, mut check) = pair();
    for expression in ["''", "'naïve ✓ 🎧'", "'\\0'"] {
        let payload = make.call(expression);
        assert!(matches!(payload, Payload::Text(_)), "{expression}: {payload:?}");
        assert_eq!(check.ask(payload)["alike"], json!(true), "{expression}");
    }
    let Payload::Bytes(bytes) = make.call("bytes(range(256))") else { panic!("not bytes") };
    assert_eq!(bytes, Bytes::from((0..=255).collect::<Vec<u8>>()));
    assert_eq!(check.ask(Payload::Bytes(bytes))["alike"], json!(true));
}

#[test]
fn everything_else_reaches_the_next_python_node_as_the_very_same_object() {
    let (mut make, mut check) = pair();
    let cases = [
        ("()", "tuple"),
        ("(1, 'a')", "tuple"),
        ("[(1, 2)]", "list"),
        ("{'a': (1,)}", "dict"),
        ("{1: 2}", "dict"),
        ("{None: 1}", "dict"),
        ("{1, 2}", "set"),
        ("frozenset({1})", "frozenset"),
        ("2**63", "int"),
        ("-2**70", "int"),
        ("float('nan')", "float"),
        ("float('inf')", "float"),
        ("[-math.inf]", "list"),
        ("1j", "complex"),
        ("bytearray(b'a')", "bytearray"),
        ("'\\ud800'", "str"),
        ("np.float32(1.5)", "numpy.float32"),
        ("np.float64(1.5)", "numpy.float64"),
        ("np.array([1j])", "numpy.ndarray"),
        ("np.array(['a'])", "numpy.ndarray"),
        ("np.array([1], '>i4')", "numpy.ndarray"),
        ("np.ma.masked_array([1.0])", "numpy.ma.MaskedArray"),
        ("collections.OrderedDict(a=1)", "collections.OrderedDict"),
        ("fractions.Fraction(1, 3)", "fractions.Fraction"),
        ("Color.RED", "nodes.Color"),
        ("Event('x')", "nodes.Event"),
        ("nested(101)", "list"),
        ("endless()", "list"),
    ];
    for (expression, type_name) in cases {
        let Payload::Object(object) = make.call(expression) else { panic!("{expression} is not an object") };
        assert_eq!(object.type_name().replace("numpy.ma.core.", "numpy.ma."), type_name, "{expression}");
        assert_eq!(check.ask(Payload::Object(object))["same"], json!(true), "{expression}");
    }
}

#[test]
fn only_a_float_array_with_a_whole_positive_rate_is_audio() {
    let (mut make, mut check) = pair();
    for expression in ["(np.zeros((2, 4)), 8000)", "(np.zeros(4, 'f4'), np.int64(8000))"] {
        assert!(matches!(make.call(expression), Payload::Audio(_)), "{expression}");
    }
    let tuples = [
        "(np.zeros(4), 8000.0)",
        "(np.zeros(4), True)",
        "(np.zeros(4), 0)",
        "(np.zeros(4), -8000)",
        "(np.zeros(4), 2**32)",
        "(np.zeros(4), np.array(8000))",
        "(np.zeros(4, int), 8000)",
        "(np.zeros((1, 1, 4)), 8000)",
        "(np.zeros(()), 8000)",
        "(np.zeros((0, 4)), 8000)",
        "(np.zeros((70000, 1)), 8000)",
        "(np.zeros(4), 8000, {'is_speech': True})",
        "([0.0], 8000)",
    ];
    for expression in tuples {
        let Payload::Object(object) = make.call(expression) else { panic!("{expression} is not an object") };
        assert_eq!(check.ask(Payload::Object(object))["same"], json!(true), "{expression}");
    }
}

#[test]
fn none_is_filtered_and_json_null_arrives_as_none() {
    let project = Project::new(
        "
class Filter:
    def process(self, value): return None if value == 1 else repr(value)
",
    );
    let mut filter = project.start("Filter");
    assert!(filter.feed(json!(1)).is_empty());
    assert_eq!(filter.ask(Value::Null), json!("None"));
    assert_eq!(filter.ask(json!(u64::MAX)), json!("18446744073709551615"));
}

#[test]
fn an_object_of_another_runtime_is_refused_by_name() {
    let (_, mut check) = pair();
    let packet = Packet::new(0, "");
    let foreign = Payload::Object(Opaque::new("rust_thing", packet));
    let error = check.try_feed(0, foreign).unwrap_err();
    assert_eq!(error.kind, remotemedia_core::ErrorKind::InvalidInput);
    assert!(error.message.contains("`rust_thing`"), "{error}");
}

#[test]
fn objects_have_a_nearest_json_for_people() {
    let (mut make, _) = pair();
    let cases = [
        ("(1, 'a', (2.5,))", json!([1, "a", [2.5]])),
        ("{3, 1, 2}", json!([1, 2, 3])),
        ("{1: (2,), 'b': None}", json!({"1": [2], "b": null})),
        ("2**70", json!("1180591620717411303424")),
        ("float('nan')", json!("nan")),
        ("(float('-inf'),)", json!(["-inf"])),
        ("np.float32(1.5)", json!(1.5)),
        ("np.int8(-3)", json!(-3)),
        ("(np.bool_(True),)", json!([true])),
        ("(np.array([[1, 2]]),)", json!([[[1, 2]]])),
        ("Event('x')", json!("Event(x)")),
        ("(b'a',)", json!(["b'a'"])),
        ("collections.OrderedDict(a=1)", json!({"a": 1})),
    ];
    for (expression, expected) in cases {
        let Payload::Object(object) = make.call(expression) else { panic!("{expression} is not an object") };
        assert_eq!(runtime().object_to_json(&object), Some(expected), "{expression}");
    }
    let Payload::Object(endless) = make.call("endless()") else { panic!("endless() is not an object") };
    assert!(runtime().object_to_json(&endless).is_some());
    assert_eq!(runtime().object_to_json(&Opaque::new("rust", 1)), None);
}

#[test]
fn an_object_is_what_it_has_for_a_node_that_is_not_pythons() {
    let (mut make, _) = pair();
    let mut object = |expression: &str| make.call(expression);
    let Ok(Payload::Bytes(bytes)) = object("bytearray(b'ab')").into_kind(PayloadKind::Bytes) else {
        panic!("no bytes")
    };
    assert_eq!(bytes, Bytes::from_static(b"ab"));
    let Ok(Payload::Tensor(tensor)) = object("np.array([1, 2], '>i4')").into_kind(PayloadKind::Tensor) else {
        panic!("no tensor")
    };
    assert_eq!((tensor.dtype(), tensor.data()), (DType::Int32, &[1, 0, 0, 0, 2, 0, 0, 0][..]));
    let matrix = "(np.matrix([[0.5, 1.0]]), 8000)";
    let Ok(Payload::Audio(audio)) = object(matrix).into_kind(PayloadKind::Any) else { panic!("no audio") };
    assert_eq!(audio.as_f32().unwrap(), [0.5, 1.0]);
    for (expression, kind, wanted) in [
        ("{'a': [0, (1,)]}", PayloadKind::Json, "wants JSON, got dict: value[\"a\"][1] is a tuple, which"),
        (
            "(np.zeros(2, int), 8000)",
            PayloadKind::Audio,
            "wants audio, got tuple: value[0] is a numpy.ndarray of int64;",
        ),
        (
            "np.array([1j])",
            PayloadKind::Tensor,
            "wants tensor, got numpy.ndarray: value is a numpy.ndarray, which",
        ),
        ("endless()", PayloadKind::Any, "is a list nested deeper than 100 levels"),
    ] {
        let error = object(expression).into_kind(kind).unwrap_err();
        assert!(error.is_wrong_kind && error.message.contains(wanted), "{expression}: {error}");
    }
}

#[test]
fn params_reach_the_constructor_as_plain_python_values() {
    let project = Project::new(
        "
class Show:
    def __init__(self, **params): self.params = params
    def process(self, _): return {key: type(value).__name__ for key, value in self.params.items()}
",
    );
    let params = json!({"a": 1, "b": 1.0, "c": "x", "d": [1], "e": {"k": 1}, "f": true, "g": null});
    let out = project.start_with("Show", params).call("go");
    let expected =
        json!({"a": "int", "b": "float", "c": "str", "d": "list", "e": "dict", "f": "bool", "g": "NoneType"});
    assert_eq!(as_json(&out), expected);
}
