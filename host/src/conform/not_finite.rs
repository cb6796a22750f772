//! Check `not_finite`: NaN, infinite and huge samples stop nothing, and are forgotten within the declared time.

use remotemedia_core::{AudioSpec, DType, Payload, SampleFormat};

use super::recording::Recording;
use super::report::Outcome;
use super::running::Fault;
use super::silence::constant;
use super::stream::{Recipe, signal};
use super::subject::Subject;

const POISON: [(&str, f32); 5] = [
    ("NaN", f32::NAN),
    ("infinity", f32::INFINITY),
    ("minus infinity", f32::NEG_INFINITY),
    ("the largest f32", f32::MAX),
    ("the lowest f32", f32::MIN),
];
/// Time for the node to recover in, where nothing else is declared.
const RECOVERY_MS: u32 = 1_000;

pub(super) fn not_finite(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let Some(spec) = subject.spec else { return Ok(Outcome::not_applicable("no input takes audio")) };
    let spec = AudioSpec { format: SampleFormat::F32, ..spec };
    let recovery_ms = subject.declared.recovery_ms.unwrap_or(RECOVERY_MS);
    let rate = spec.sample_rate_hz as usize;
    let settle = rate / 5;
    let recovery = (rate * recovery_ms as usize / 1_000).max(1);
    let ms = |frames: usize| (frames as u64 * 1_000 / rate as u64) as i64;
    for (name, value) in POISON {
        let mut running = subject.start()?;
        let mut recording = Recording::default();
        let parts = [settle, 64, recovery, settle];
        let mut start = 0;
        for (part, frames) in parts.into_iter().enumerate() {
            let start_ns = ms(start) * 1_000_000;
            let recipe = Recipe { spec, start_ns, ..subject.recipe(frames) };
            let stream = subject.stream_of(&recipe, |port| match part {
                1 => constant(spec, frames, value),
                _ => signal(spec, frames, u64::from(port) + 1)
                    .map_err(|error| Fault::Broken(error.to_string())),
            })?;
            for feed in stream {
                match running.feed(feed, &mut recording) {
                    Ok(()) => {}
                    Err(fault) if part == 1 && fault.is_refused_input() => {}
                    Err(fault) => return Ok(Outcome::fail(format!("given {name}: {fault}"))),
                }
            }
            start += frames;
        }
        running.flush(&mut recording)?;
        let recovered_ns = ms(settle + 64 + recovery) * 1_000_000;
        if let Some(text) = still_poisoned(&recording, recovered_ns) {
            return Ok(Outcome::fail(format!("{recovery_ms} ms after {name}: {text}")));
        }
    }
    let evidence = format!("{} kinds of samples, forgotten within {recovery_ms} ms", POISON.len());
    Ok(Outcome::pass(evidence).number("recovery_ms", recovery_ms))
}

/// What is not finite at or after `recovered_ns`.
fn still_poisoned(recording: &Recording, recovered_ns: i64) -> Option<String> {
    for track in &recording.tracks {
        for (pts_ns, audio) in track.audio.iter().filter(|(pts_ns, _)| *pts_ns >= recovered_ns) {
            if let Some(sample) = audio.to_f32().iter().find(|sample| !sample.is_finite()) {
                return Some(format!("output `{}` still holds {sample} at {pts_ns} ns", track.name));
            }
        }
        for (pts_ns, payload) in track.events.iter().filter(|(pts_ns, _)| *pts_ns >= recovered_ns) {
            if has_poison(payload) {
                return Some(format!("output `{}` still holds NaN or infinity at {pts_ns} ns", track.name));
            }
        }
    }
    None
}

/// JSON cannot hold NaN; tensors of f32 can.
fn has_poison(payload: &Payload) -> bool {
    let Payload::Tensor(tensor) = payload else { return false };
    tensor.dtype() == DType::Float32
        && tensor.data().as_chunks::<4>().0.iter().any(|&bytes| !f32::from_le_bytes(bytes).is_finite())
}
