//! Packets of anything: what makes a packet survives every way through which packets leave the host and come back
//! (JSON lines, a Python node, a component), and what makes none is refused.

use bytes::Bytes;
use remotemedia_core::{
    AudioBuffer, AudioError, AudioSpec, DType, Node, Outputs, Packet, Payload, Port, SampleFormat, Tensor,
};
use serde_json::Value;

use super::echo::HIGHEST_RATE_HZ;
use super::here;
use super::here::media::{JsonLines, payload_to_json};
use super::scratch;

const DTYPES: [DType; 12] = [
    DType::Bool,
    DType::Uint8,
    DType::Int8,
    DType::Uint16,
    DType::Int16,
    DType::Uint32,
    DType::Int32,
    DType::Uint64,
    DType::Int64,
    DType::Float16,
    DType::Float32,
    DType::Float64,
];

/// Makes a packet of `data`, whose first byte says of which kind, and sends it around.
pub fn packet(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else { return };
    if kind % 6 == 5 {
        return json_lines(content);
    }
    let Some((pts, content)) = content.split_first_chunk::<8>() else { return };
    let Some(payload) = payload(kind % 6, content) else { return };
    let packet = Packet::new(i64::from_le_bytes(*pts), payload);
    assert!(packet.duration_ns() >= 0);
    let shown = payload_to_json(&packet.payload);
    assert_eq!(as_text(&shown), shown, "JSON that is shown cannot be read again");
    here::with_echoes(|name, echo| {
        let can = if name == "wasm" { a_policy_allows } else { python_has };
        if can(&packet.payload) {
            there_and_back(name, echo, &packet);
        }
    });
}

/// No policy lets a component return audio of such a rate.
fn a_policy_allows(payload: &Payload) -> bool {
    !matches!(payload, Payload::Audio(audio) if audio.spec().sample_rate_hz > HIGHEST_RATE_HZ)
}

/// A Python node that returns `None` returns nothing; whole numbers past 63 bits stay Python's own; and numpy has no
/// array without elements whose other extents no memory could hold.
fn python_has(payload: &Payload) -> bool {
    fn is_small(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_i64() || number.is_f64(),
            Value::Array(values) => values.iter().all(is_small),
            Value::Object(fields) => fields.values().all(is_small),
            _ => true,
        }
    }
    match payload {
        Payload::Json(value) => !value.is_null() && is_small(value),
        Payload::Tensor(tensor) => {
            let extents = tensor.shape().iter().filter(|extent| **extent > 0);
            let width = tensor.dtype().bytes_per_element();
            extents
                .into_iter()
                .try_fold(width, |all, extent| all.checked_mul(*extent))
                .is_some_and(|all| isize::try_from(all).is_ok())
        }
        _ => true,
    }
}

/// The payload in `bytes`, if they hold one.
fn payload(kind: u8, bytes: &[u8]) -> Option<Payload> {
    match kind {
        0 => audio(bytes).map(Payload::Audio),
        1 => Some(str::from_utf8(bytes).ok()?.into()),
        2 => Some(serde_json::from_slice::<Value>(bytes).ok()?.into()),
        3 => tensor(bytes).map(Into::into),
        _ => Some(Bytes::copy_from_slice(bytes).into()),
    }
}

fn audio(bytes: &[u8]) -> Option<AudioBuffer> {
    let (&[format, a, b, c, d, low, high], samples) = bytes.split_first_chunk::<7>()?;
    let format = [SampleFormat::S16, SampleFormat::S32, SampleFormat::F32][usize::from(format % 3)];
    let spec = AudioSpec {
        sample_rate_hz: u32::from_le_bytes([a, b, c, d]),
        channels: u16::from_le_bytes([low, high]),
        format,
    };
    let frame = format.bytes_per_sample() * usize::from(spec.channels.max(1));
    match AudioBuffer::from_bytes(spec, samples) {
        Ok(audio) => {
            assert_eq!((audio.spec(), audio.as_bytes()), (spec, samples));
            assert_eq!(audio.frames() * frame, samples.len());
            assert_eq!(audio.to_f32().len(), audio.sample_count());
            Some(audio)
        }
        Err(error) => {
            let sound = spec.sample_rate_hz > 0 && spec.channels > 0 && samples.len().is_multiple_of(frame);
            assert!(!sound, "{error}");
            assert!(!samples.is_empty() || !matches!(error, AudioError::PartialFrame { .. }), "{error}");
            None
        }
    }
}

fn tensor(bytes: &[u8]) -> Option<Tensor> {
    let (&[dtype, dimensions], rest) = bytes.split_first_chunk::<2>()?;
    let dtype = DTYPES[usize::from(dtype) % DTYPES.len()];
    // Extents of four bytes: their product may not fit into an address.
    let (shape, data) = rest.split_at_checked(4 * usize::from(dimensions % 20))?;
    let (extents, _) = shape.as_chunks::<4>();
    let shape: Vec<usize> = extents.iter().map(|extent| u32::from_le_bytes(*extent) as usize).collect();
    let product = || shape.iter().try_fold(1_u128, |all, &extent| all.checked_mul(extent as u128));
    let elements = if shape.contains(&0) { Some(0) } else { product() };
    let fits = elements.and_then(|all| all.checked_mul(dtype.bytes_per_element() as u128))
        == Some(data.len() as u128);
    let made = Tensor::new(dtype, &shape, Bytes::copy_from_slice(data));
    assert_eq!(made.is_ok(), fits, "{dtype:?} {shape:?} of {} bytes: {made:?}", data.len());
    made.ok().inspect(|tensor| {
        assert_eq!((tensor.dtype(), tensor.shape(), tensor.data()), (dtype, &*shape, data));
    })
}

/// A file of JSON lines: every value is read once more from what is written of it.
fn json_lines(content: &[u8]) {
    scratch::file("lines", content, |path| {
        let mut lines = JsonLines::open(path).unwrap();
        for _ in 0..=content.len() {
            match lines.next_value() {
                Ok(Some(value)) => assert_eq!(as_text(&value), value),
                Ok(None) => return,
                Err(error) => return assert!(error.to_string().contains("line "), "{error}"),
            }
        }
        panic!("more values than bytes");
    });
}

fn as_text(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// Sends the packet through a node that gives back what it gets.
fn there_and_back(name: &str, echo: &mut dyn Node, packet: &Packet) {
    let mut out = Outputs::new();
    echo.process(Port::FIRST, packet.clone(), &mut out).unwrap_or_else(|error| panic!("{name}: {error}"));
    let back: Vec<(Port, Packet)> = out.drain().collect();
    let [(Port::FIRST, back)] = &back[..] else { panic!("{name}: {back:?} for {packet:?}") };
    assert!(
        back.pts_ns == packet.pts_ns && equal(&packet.payload, &back.payload),
        "{name}: {packet:?} comes back as {back:?}"
    );
}

fn equal(left: &Payload, right: &Payload) -> bool {
    match (left, right) {
        (Payload::Audio(left), Payload::Audio(right)) => {
            // Python nodes see all audio as float32.
            let same = |spec: AudioSpec| AudioSpec { format: right.spec().format, ..spec };
            same(left.spec()) == right.spec()
                && match right.as_f32() {
                    Some(right) => bits(&left.to_f32()) == bits(right),
                    None => left.as_bytes() == right.as_bytes(),
                }
        }
        (Payload::Text(left), Payload::Text(right)) => left == right,
        (Payload::Json(left), Payload::Json(right)) => left == right,
        // Python has one type for both.
        (Payload::Json(left), Payload::Text(right)) => left.as_str() == Some(right),
        (Payload::Tensor(left), Payload::Tensor(right)) => {
            (left.dtype(), left.shape(), left.data()) == (right.dtype(), right.shape(), right.data())
        }
        (Payload::Bytes(left), Payload::Bytes(right)) => left == right,
        _ => false,
    }
}

/// What tells all samples apart, also those that are no numbers.
fn bits(samples: &[f32]) -> Vec<u32> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}
