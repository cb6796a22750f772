//! What came out of a node, port by port, and where two recordings first differ.

use remotemedia_core::{AudioBuffer, AudioSpec, NodeDescriptor, Outputs, Payload, PayloadKind};
use serde_json::Value;

use super::running::Fault;

/// What came out on one port: audio is a stream, everything else a list of events.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub name: String,
    pub audio: Vec<(i64, AudioBuffer)>,
    pub events: Vec<(i64, Payload)>,
}

/// One track per output port.
#[derive(Clone, Debug, Default)]
pub(super) struct Recording {
    pub tracks: Vec<Track>,
}

impl Recording {
    /// Takes the packets out of `out`, each checked against the descriptor.
    pub fn take(&mut self, out: &mut Outputs, descriptor: &NodeDescriptor) -> Result<(), Fault> {
        self.tracks.resize_with(descriptor.outputs.len().max(self.tracks.len()), Track::default);
        for (port, packet) in out.drain() {
            let Some(declared) = descriptor.outputs.get(usize::from(port.0)) else {
                let count = descriptor.outputs.len();
                return Err(Fault::Broken(format!("it emitted on output {}, and it has {count}", port.0)));
            };
            let kind = packet.payload.kind();
            if !kind.fits(declared.kind) || (kind == PayloadKind::Any && declared.kind != kind) {
                let (got, wanted) = (packet.payload.type_name(), declared.kind.name());
                let text = format!("it emitted {got} on output `{}`, which carries {wanted}", declared.name);
                return Err(Fault::Broken(text));
            }
            let track = &mut self.tracks[usize::from(port.0)];
            track.name.clone_from(&declared.name);
            match packet.payload {
                Payload::Audio(audio) if audio.is_empty() => {}
                Payload::Audio(audio) => track.audio.push((packet.pts_ns, audio)),
                payload => track.events.push((packet.pts_ns, payload)),
            }
        }
        Ok(())
    }

    /// Events on all ports.
    pub fn events(&self) -> usize {
        self.tracks.iter().map(|track| track.events.len()).sum()
    }

    /// Frames on all ports.
    pub fn frames(&self) -> usize {
        self.tracks.iter().map(Track::frames).sum()
    }
}

impl Track {
    /// Frames of its audio.
    pub fn frames(&self) -> usize {
        self.audio.iter().map(|(_, audio)| audio.frames()).sum()
    }

    /// Its audio with neighbours of the same caps joined.
    fn runs(&self) -> Vec<(AudioSpec, Vec<u8>)> {
        let mut runs: Vec<(AudioSpec, Vec<u8>)> = Vec::new();
        for (_, audio) in &self.audio {
            match runs.last_mut() {
                Some((spec, bytes)) if *spec == audio.spec() => bytes.extend_from_slice(audio.as_bytes()),
                _ => runs.push((audio.spec(), audio.as_bytes().to_vec())),
            }
        }
        runs
    }
}

/// Where `actual` first differs from `expected`. Samples and numbers may differ by `tolerance`; without one they must
/// be the same bits.
pub(super) fn difference(expected: &Recording, actual: &Recording, tolerance: Option<f64>) -> Option<String> {
    let none = Track::default();
    let ports = expected.tracks.len().max(actual.tracks.len());
    (0..ports).find_map(|port| {
        let expected = expected.tracks.get(port).unwrap_or(&none);
        let actual = actual.tracks.get(port).unwrap_or(&none);
        let name = if expected.name.is_empty() { &actual.name } else { &expected.name };
        let found = audio_difference(expected, actual, tolerance)
            .or_else(|| event_difference(expected, actual, tolerance));
        found.map(|text| format!("output `{name}`: {text}"))
    })
}

fn audio_difference(expected: &Track, actual: &Track, tolerance: Option<f64>) -> Option<String> {
    let (expected, actual) = (expected.runs(), actual.runs());
    for ((wanted, expected), (got, actual)) in expected.iter().zip(&actual) {
        if wanted != got {
            return Some(format!("{got} instead of {wanted}"));
        }
        if expected == actual {
            continue;
        }
        let decoded =
            |bytes| AudioBuffer::from_bytes(*wanted, bytes).map(|audio| audio.to_f32().into_owned());
        let (Ok(before), Ok(after)) = (decoded(expected), decoded(actual)) else { continue };
        let width = wanted.format.bytes_per_sample();
        let differs = |at: &usize| match tolerance {
            None => expected[at * width..(at + 1) * width] != actual[at * width..(at + 1) * width],
            Some(most) => {
                let (a, b) = (f64::from(before[*at]), f64::from(after[*at]));
                // Written so that NaN differs from numbers.
                !((a - b).abs() <= most || (a.is_nan() && b.is_nan()) || a == b)
            }
        };
        if let Some(at) = (0..before.len().min(after.len())).find(differs) {
            let (frame, channel) = (at / usize::from(wanted.channels), at % usize::from(wanted.channels));
            let (a, b) = (before[at], after[at]);
            return Some(format!("frame {frame} of channel {channel} is {b:?} instead of {a:?}"));
        }
    }
    let frames = |runs: &[(AudioSpec, Vec<u8>)]| -> usize {
        let of = |(spec, bytes): &(AudioSpec, Vec<u8>)| {
            bytes.len() / spec.format.bytes_per_sample() / usize::from(spec.channels)
        };
        runs.iter().map(of).sum()
    };
    let (before, after) = (frames(&expected), frames(&actual));
    (before != after).then(|| format!("{after} frames instead of {before}"))
}

fn event_difference(expected: &Track, actual: &Track, tolerance: Option<f64>) -> Option<String> {
    for (index, ((wanted_ns, wanted), (got_ns, got))) in
        expected.events.iter().zip(&actual.events).enumerate()
    {
        if wanted_ns != got_ns {
            return Some(format!("event {index} is at {got_ns} ns instead of {wanted_ns} ns"));
        }
        if !same_payload(wanted, got, tolerance) {
            return Some(format!("event {index} is {} instead of {}", shown(got), shown(wanted)));
        }
    }
    let (before, after) = (expected.events.len(), actual.events.len());
    (before != after).then(|| format!("{after} events instead of {before}"))
}

fn same_payload(a: &Payload, b: &Payload, tolerance: Option<f64>) -> bool {
    match (a, b) {
        (Payload::Text(a), Payload::Text(b)) => a == b,
        (Payload::Json(a), Payload::Json(b)) => a == b || tolerance.is_some_and(|most| near(a, b, most)),
        (Payload::Tensor(a), Payload::Tensor(b)) => a == b,
        (Payload::Bytes(a), Payload::Bytes(b)) => a == b,
        // Nobody but its runtime can look inside.
        (Payload::Object(a), Payload::Object(b)) => a.type_name() == b.type_name(),
        _ => false,
    }
}

/// Equal but for numbers, which may differ by `most` of the larger one, or of 1.
fn near(a: &Value, b: &Value, most: f64) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b, most))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b, most)))
        }
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= most * a.abs().max(b.abs()).max(1.0),
            _ => a == b,
        },
        _ => a == b,
    }
}

fn shown(payload: &Payload) -> String {
    let text = match payload {
        Payload::Text(text) => format!("{text:?}"),
        Payload::Json(value) => value.to_string(),
        other => other.type_name().into_owned(),
    };
    if text.chars().count() > 120 {
        format!("{}…", text.chars().take(120).collect::<String>())
    } else {
        text
    }
}
