//! Checks `refusals` and `odd_values`: what a node is not made for, and what it is but hardly ever gets.

use bytes::Bytes;
use remotemedia_core::{AudioBuffer, DType, ErrorKind, Opaque, Packet, Payload, PayloadKind, Port};
use serde_json::{Value, json};

use super::report::Outcome;
use super::running::Fault;
use super::subject::{Subject, tensor};

/// One payload of every kind.
fn every_kind() -> Vec<Payload> {
    let audio = AudioBuffer::from_f32(48_000, 1, vec![0.25; 8]).ok().map(Payload::from);
    let plain =
        [Payload::from("text"), Payload::from(json!({"a": 1})), Payload::from(Bytes::from_static(b"bytes"))];
    let object = Payload::Object(Opaque::new("an object of no runtime", ()));
    audio.into_iter().chain(plain).chain(tensor(DType::Float32, &[2], 0)).chain([object]).collect()
}

pub(super) fn refusals(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let inputs = &subject.descriptor.inputs;
    let mut wrong: Vec<(Port, Payload)> = Vec::new();
    for (port, input) in inputs.iter().enumerate() {
        let is_wrong = |payload: &Payload| match payload {
            Payload::Object(_) => input.kind != PayloadKind::Any,
            other => !other.kind().fits(input.kind),
        };
        wrong.extend(every_kind().into_iter().filter(is_wrong).map(|payload| (Port(port as u16), payload)));
    }
    let mut refused = 0;
    for (port, payload) in wrong {
        let name = format!("{} on input `{}`", payload.type_name(), inputs[usize::from(port.0)].name);
        expect_refusal(subject, port, Packet { pts_ns: 0, payload }, &name)?;
        refused += 1;
    }
    let good = subject.packet(0)?.unwrap_or_else(|| Packet::new(0, "text"));
    for port in [inputs.len() as u16, u16::MAX] {
        expect_refusal(
            subject,
            Port(port),
            good.clone(),
            &format!("a packet on input {port}, which is none"),
        )?;
        refused += 1;
    }
    Ok(Outcome::pass(format!("{refused} wrong packets refused as input, and the node goes on"))
        .number("refused", refused))
}

/// Feeds what must be refused, and then something good.
fn expect_refusal(subject: &Subject<'_>, port: Port, packet: Packet, name: &str) -> Result<(), Fault> {
    let mut running = subject.start()?;
    match running.pass((port, packet)) {
        Err(fault) if fault.is_refused_input() => {}
        Err(fault) => return Err(Fault::Broken(format!("{name} is not refused as input: {fault}"))),
        Ok(()) => return Err(Fault::Broken(format!("{name} is taken"))),
    }
    match subject.packet(0)? {
        Some(good) => running
            .pass((Port::FIRST, good))
            .map_err(|fault| Fault::Broken(format!("after {name} the node takes nothing: {fault}"))),
        None => Ok(()),
    }
}

pub(super) fn odd_values(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let (mut taken, mut tried) = (0, 0);
    for (port, input) in subject.descriptor.inputs.iter().enumerate() {
        for (name, payload) in odd(input.kind) {
            tried += 1;
            let mut running = subject.start()?;
            match running.pass((Port(port as u16), Packet { pts_ns: i64::MIN + 1, payload })) {
                Ok(()) => taken += 1,
                Err(fault) if fault.is_refused_input() => {}
                Err(fault) if fault.kind() == Some(ErrorKind::LimitExceeded) => {}
                Err(fault) => return Ok(Outcome::fail(format!("{name} on input `{}`: {fault}", input.name))),
            }
        }
    }
    if tried == 0 {
        return Ok(Outcome::not_applicable("no input takes text, JSON, tensors or bytes"));
    }
    Ok(Outcome::pass(format!("{taken} of {tried} taken, the others refused as input"))
        .number("taken", taken)
        .number("tried", tried))
}

/// What is allowed and hardly ever comes.
fn odd(kind: PayloadKind) -> Vec<(String, Payload)> {
    match kind {
        PayloadKind::Audio => Vec::new(),
        PayloadKind::Text => texts().map(|(name, text)| (name.into(), Payload::from(&*text))).into(),
        PayloadKind::Json => {
            let texts =
                texts().map(|(name, text)| (format!("{name} as JSON"), Payload::from(Value::from(text))));
            values().into_iter().chain(texts).collect()
        }
        PayloadKind::Bytes => vec![
            ("no bytes".into(), Bytes::new().into()),
            ("a MiB of bytes".into(), Bytes::from(vec![0xFF; 1 << 20]).into()),
        ],
        PayloadKind::Tensor => tensors(),
        PayloadKind::Any => [PayloadKind::Text, PayloadKind::Json, PayloadKind::Bytes, PayloadKind::Tensor]
            .into_iter()
            .flat_map(odd)
            .collect(),
    }
}

fn texts() -> [(&'static str, String); 6] {
    [
        ("an empty text", String::new()),
        ("a NUL", "a\0b".into()),
        ("text from right to left", "שלום \u{202e}abc".into()),
        ("combined characters", "e\u{301}\u{327}👨‍👩‍👧‍👦".repeat(50)),
        ("control characters", (1..32_u8).map(char::from).collect()),
        ("200,000 characters", "long text ".repeat(20_000)),
    ]
}

fn values() -> Vec<(String, Payload)> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let wide: Value =
        (0..1_000).map(|at| (format!("key{at}"), json!(at))).collect::<serde_json::Map<_, _>>().into();
    [
        ("null", json!(null)),
        ("true", json!(true)),
        ("zero", json!(0)),
        ("minus zero", json!(-0.0)),
        ("the largest u64", json!(u64::MAX)),
        ("the lowest i64", json!(i64::MIN)),
        ("the largest number", json!(f64::MAX)),
        ("the smallest number", json!(f64::MIN_POSITIVE / 4.0)),
        ("an empty list", json!([])),
        ("an empty object", json!({})),
        ("an empty key", json!({"": {"": []}})),
        ("a list of everything", json!([null, true, 1, 1.5, "text", [], {}])),
        ("a list of a hundred levels", deep),
        ("an object of a thousand fields", wide),
        ("a list of ten thousand numbers", Value::from(vec![0.5; 10_000])),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Payload::from(value)))
    .collect()
}

fn tensors() -> Vec<(String, Payload)> {
    use DType::{Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64};
    let of_type = [Bool, Uint8, Int8, Uint16, Int16, Uint32, Int32, Uint64, Int64, Float16, Float32, Float64]
        .into_iter()
        .map(|dtype| (format!("a tensor of {}", dtype.name()), tensor(dtype, &[2, 3], 1)));
    let of_shape = [vec![], vec![0], vec![3, 0, 2], vec![1; 8], vec![100_000]]
        .into_iter()
        .map(|shape| (format!("a tensor of shape {shape:?}"), tensor(Float32, &shape, 0)));
    let poisoned = ("a tensor of NaN".to_owned(), tensor(Float32, &[4], 0xFF));
    of_type.chain(of_shape).chain([poisoned]).filter_map(|(name, made)| Some((name, made?))).collect()
}
