//! One table of classes, run by both runtimes: descriptors, outputs and errors must be the same.

use remotemedia_core::{
    AudioBuffer, DType, ErrorKind, NodeError, NodeManifest, Packet, Payload, RuntimeKind, Tensor,
};
use serde_json::{Value, json};

use super::{Given, HOST, class, create, feed, flush};

const NODES: &str = r#"
import asyncio
import math
from typing import Literal, Optional

from remotemedia import Node
from remotemedia.core.exceptions import InvalidInputError, TransientError


class Same:
    def process(self, value):
        return value


class Labelled(Node):
    """Puts a label on a value."""

    remotemedia_inputs = {"in": "json"}
    remotemedia_outputs = {"out": "json"}
    remotemedia_stateless = True

    def __init__(self, label: str = "x", times: int = 1, scale: Optional[float] = None, mode: Literal["a", "b"] = "a"):
        super().__init__(label=label)
        self.label, self.times, self.scale = label, times, scale

    def process(self, value):
        return {self.label: [value] * self.times, "scale": self.scale, "name": self.name, "config": self.config}


class Upto:
    def process(self, count):
        for number in range(count):
            yield number


class Odd:
    def process(self, number):
        return number if number % 2 else None


class Later(Node):
    remotemedia_heavy = True

    async def initialize(self):
        await asyncio.sleep(0)
        self.ready = True

    async def process(self, value):
        await asyncio.sleep(0.001)
        return [value, self.ready]


class LaterMany:
    async def process(self, value):
        yield value
        results = await asyncio.gather(self.one(), self.one())
        yield {"again": value, "results": results}

    async def one(self):
        await asyncio.sleep(0.001)
        return 1


class Sums:
    is_streaming = True

    async def process(self, items):
        total = 0
        async for item in items:
            total += item
            yield total
        yield {"total": total}


class Held:
    def __init__(self, size: int):
        self.size, self.items = size, []

    def process(self, value):
        self.items.append(value)
        if len(self.items) == self.size:
            items, self.items = self.items, []
            return items

    def flush(self):
        return self.items


class Louder:
    """Scales audio."""

    remotemedia_inputs = {"in": "audio"}
    remotemedia_outputs = {"out": "audio"}

    def __init__(self, factor: float = 0.3):
        self.factor = factor

    def process(self, data):
        samples, rate = data
        return samples * self.factor, rate


class Swapped:
    def process(self, data):
        samples, rate = data
        swapped = samples.copy()
        for frame in range(samples.shape[1]):
            swapped[0, frame] = float(samples[1, frame])
            swapped[1, frame] = float(samples[0, frame])
        return swapped[:, 1:], rate * 2


class Measured:
    def process(self, data):
        samples, rate = data
        peaks = [max((abs(float(sample)) for sample in channel), default=0.0) for channel in samples]
        power = math.fsum(float(sample) ** 2 for channel in samples for sample in channel.tolist())
        return {"peaks": peaks, "power": power, "shape": list(samples.shape), "rate": rate, "length": len(samples)}


class Doubled:
    def process(self, tensor):
        return tensor + tensor


class Reversed:
    def process(self, value):
        return value[::-1]


class Two:
    remotemedia_inputs = {"left": "json", "right": "json"}

    def process(self, value, port):
        return f"{port}: {value}"


class Fails:
    def __init__(self, how: str = "value"):
        if how == "params":
            raise ValueError("no such thing")
        self.how = how

    def initialize(self):
        if self.how == "initialize":
            raise OSError("cannot start")

    def process(self, value):
        if self.how == "input":
            raise InvalidInputError("wants something else")
        if self.how == "transient":
            raise TransientError("try again")
        if self.how == "timeout":
            raise TimeoutError("too late")
        if self.how == "import":
            import no_such_module_anywhere
        if self.how == "late":
            return self.late(value)
        return self.deep(value)

    async def late(self, value):
        await asyncio.sleep(0)
        self.deep(value)

    def deep(self, value):
        raise ValueError(f"cannot take {value!r}")

    def flush(self):
        raise KeyError("flush")
"#;

/// A class, its params, and what it is fed.
type Row = (&'static str, Value, Vec<Payload>);

fn stereo() -> Payload {
    let samples = (0..40).map(|n| (n as f32 * 0.7).sin()).collect();
    AudioBuffer::from_f32(48_000, 2, samples).unwrap().into()
}

fn sixteen_bit() -> Payload {
    AudioBuffer::from_i16(16_000, 1, vec![0, 1, -1, i16::MAX, i16::MIN, 12_345]).unwrap().into()
}

fn rows() -> Vec<Row> {
    let values = || {
        vec![
            json!({"a": [1, 2.5, null, true, "ß", -1e300], "": {}}).into(),
            json!(0.1).into(),
            json!(null).into(),
        ]
    };
    let floats: Vec<u8> =
        [1.5_f32, -2.0, 0.1, 3.0, 4.0, 5.0].iter().flat_map(|float| float.to_le_bytes()).collect();
    let tensor = || Tensor::new(DType::Float32, &[2, 3], floats.clone().into()).unwrap();
    vec![
        ("Same", json!({}), values()),
        ("Same", json!({}), vec!["grüße\n".into(), bytes(&[0, 255]), tensor().into()]),
        ("Same", json!({}), vec![stereo(), sixteen_bit()]),
        ("Labelled", json!({}), values()),
        ("Labelled", json!({"label": "é", "times": 2, "scale": 0.5, "mode": "b"}), values()),
        ("Upto", json!({}), vec![json!(3).into(), json!(0).into()]),
        ("Odd", json!({}), vec![json!(2).into(), json!(3).into()]),
        ("Later", json!({}), values()),
        ("LaterMany", json!({}), values()),
        ("Sums", json!({}), vec![json!(1).into(), json!(2.5).into(), json!(i64::MAX / 2).into()]),
        ("Held", json!({"size": 2}), vec![json!(1).into(), json!(2).into(), json!(3).into()]),
        ("Louder", json!({"factor": 0.7}), vec![stereo(), sixteen_bit()]),
        ("Swapped", json!({}), vec![stereo()]),
        ("Measured", json!({}), vec![stereo(), sixteen_bit()]),
        ("Doubled", json!({}), vec![tensor().into()]),
        ("Reversed", json!({}), vec!["abc".into(), bytes(b"abc")]),
        ("Fails", json!({}), vec![json!(1).into()]),
        ("Fails", json!({"how": "initialize"}), vec![]),
        ("Fails", json!({"how": "input"}), vec![json!(1).into()]),
        ("Fails", json!({"how": "transient"}), vec![json!(1).into()]),
        ("Fails", json!({"how": "timeout"}), vec![json!(1).into()]),
        ("Fails", json!({"how": "late"}), vec![json!("x").into()]),
        ("Fails", json!({"how": "import"}), vec![json!(1).into()]),
    ]
}

fn bytes(bytes: &[u8]) -> Payload {
    Payload::Bytes(bytes.to_vec().into())
}

/// Everything that a node gives for its inputs, then for the end of the stream.
fn run(kind: RuntimeKind, node: &NodeManifest, inputs: &[Payload]) -> Vec<Given> {
    let started = create(&HOST, kind, node).and_then(|mut node| node.initialize().map(|()| node));
    let mut node = match started {
        Ok(node) => node,
        Err(error) => return vec![Err(error)],
    };
    let mut given: Vec<Given> = inputs
        .iter()
        .zip(0..)
        .map(|(payload, number)| feed(&mut *node, 0, number * 10, payload.clone()))
        .collect();
    given.push(flush(&mut *node));
    node.cleanup();
    given
}

/// The place and the line that a traceback ends with.
fn last_place(error: &NodeError) -> Option<String> {
    let trace = error.trace.as_deref()?;
    trace.lines().rev().find(|line| line.trim_start().starts_with("File ")).map(str::to_owned)
}

fn shown(given: &Given) -> String {
    match given {
        Ok(packets) => packets.iter().map(shown_packet).collect::<Vec<_>>().join("; "),
        Err(error) => format!("{:?} {} {:?}", error.kind, error.message, last_place(error)),
    }
}

fn shown_packet(packet: &Packet) -> String {
    let payload = match &packet.payload {
        Payload::Audio(audio) => format!("{:?} {:?}", audio.spec(), audio.as_bytes()),
        Payload::Tensor(tensor) => format!("{:?} {:?} {:?}", tensor.dtype(), tensor.shape(), tensor.data()),
        Payload::Json(value) => format!("json {value}"),
        other => format!("{other:?}"),
    };
    format!("{} {payload}", packet.pts_ns)
}

#[test]
fn every_class_of_the_table_gives_the_same_on_both_runtimes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nodes.py"), NODES).unwrap();
    for (name, params, inputs) in rows() {
        let node = class(folder.path(), name, params);
        let [expected, given] =
            [RuntimeKind::Cpython, RuntimeKind::CpythonWasm].map(|kind| run(kind, &node, &inputs));
        let [expected, given] = [expected, given].map(|given| given.iter().map(shown).collect::<Vec<_>>());
        assert_eq!(given, expected, "{name} {:?}", node.params);
    }
}

#[test]
fn every_class_of_the_table_describes_itself_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nodes.py"), NODES).unwrap();
    let names = rows().into_iter().map(|(name, ..)| name).chain(["Two"]);
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let node = class(folder.path(), name, json!({}));
        let [expected, given] = [RuntimeKind::Cpython, RuntimeKind::CpythonWasm]
            .map(|kind| HOST.describe(kind, &node).unwrap().unwrap());
        assert_eq!(given, expected);
    }
}

#[test]
fn a_node_with_two_inputs_is_told_the_port() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nodes.py"), NODES).unwrap();
    let node = class(folder.path(), "Two", json!({}));
    let mut node = create(&HOST, RuntimeKind::CpythonWasm, &node).unwrap();
    node.initialize().unwrap();
    let given = feed(&mut *node, 1, 0, json!([1]).into());
    assert_eq!(shown(&given), "0 Text(\"right: [1]\")");
}

#[test]
fn an_exception_shows_the_authors_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nodes.py"), NODES).unwrap();
    let line = 1 + NODES.lines().position(|line| line.contains("raise ValueError(f\"cannot take")).unwrap();
    let node = class(folder.path(), "Fails", json!({}));
    let given = run(RuntimeKind::CpythonWasm, &node, &[json!([1]).into()]);
    let error = given[0].as_ref().unwrap_err();
    assert_eq!((error.kind, &*error.message), (ErrorKind::Internal, "ValueError: cannot take [1]"));
    let file = folder.path().canonicalize().unwrap().join("nodes.py");
    let place = format!("  File \"{}\", line {line}, in deep", file.display());
    assert_eq!(last_place(error), Some(place));
    // A failed call ends nothing: the node is as it was.
    assert!(given[1].as_ref().unwrap_err().message.contains("KeyError"));
}

#[test]
fn a_constructor_that_refuses_its_params_is_an_error_about_the_params() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("nodes.py"), NODES).unwrap();
    let node = class(folder.path(), "Fails", json!({"how": "params"}));
    let given = run(RuntimeKind::CpythonWasm, &node, &[]);
    let error = given[0].as_ref().unwrap_err();
    assert_eq!((error.kind, &*error.message), (ErrorKind::InvalidParams, "ValueError: no such thing"));
}

#[test]
fn what_no_packet_can_carry_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = "class Gives:\n    def process(self, value):\n        return eval(value)\n";
    for (expression, named) in [
        ("(1, 2)", "a `tuple`"),
        ("{1, 2}", "a `set`"),
        ("2 ** 70", "the number 1180591620717411303424"),
        ("[float('nan')]", "the number nan"),
        ("{1: 2}", "a `dict`"),
        ("object()", "a `object`"),
    ] {
        let error = super::sandboxed(folder.path(), source, "Gives", expression.into()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(error.message.starts_with(named), "{expression}: {error}");
        assert!(error.message.contains("cannot leave the sandbox"), "{error}");
    }
}
