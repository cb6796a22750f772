//! Checks `caps`, `caps_change` and `formats`: every rate, channel count and format is taken, or refused as input;
//! so is a change; and the format alone changes no result.

use remotemedia_core::{AudioSpec, SampleFormat};

use super::recording::Recording;
use super::report::Outcome;
use super::running::Fault;
use super::stream::{BLOCK, Recipe};
use super::subject::Subject;

const RATES_HZ: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000];
const CHANNELS: [u16; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const FORMATS: [SampleFormat; 3] = [SampleFormat::S16, SampleFormat::S32, SampleFormat::F32];
/// Frames of one try.
const FRAMES: usize = 3 * BLOCK;

/// One step of a 16-bit integer.
const STEP: f32 = 1.0 / 32_768.0;

pub(super) fn rates_and_channels(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let Some(base) = subject.spec else { return Ok(nothing_to_feed(subject)) };
    let mut specs: Vec<AudioSpec> =
        RATES_HZ.map(|sample_rate_hz| AudioSpec { sample_rate_hz, ..base }).into();
    specs.extend(CHANNELS.map(|channels| AudioSpec { channels, ..base }));
    specs.extend([8_000, 192_000].map(|sample_rate_hz| AudioSpec { sample_rate_hz, channels: 8, ..base }));
    let (mut taken, mut first_refusal) = (0, None);
    for &spec in &specs {
        match subject.run(subject.stream(&Recipe { spec, ..subject.recipe(FRAMES) })?) {
            Ok(_) => taken += 1,
            Err(fault) if fault.is_refused_input() => {
                first_refusal.get_or_insert_with(|| format!("{spec}: {fault}"));
            }
            Err(fault) => return Ok(Outcome::fail(format!("at {spec}: {fault}"))),
        }
    }
    let refusal = first_refusal.map_or(String::new(), |text| format!("; refused first: {text}"));
    let evidence = format!("{taken} of {} caps taken{refusal}", specs.len());
    Ok(Outcome::pass(evidence).number("taken", taken).number("tried", specs.len()))
}

/// No input takes audio: by its kind, or although it should.
fn nothing_to_feed(subject: &Subject<'_>) -> Outcome {
    use remotemedia_core::PayloadKind::Audio;
    if subject.descriptor.inputs.iter().any(|input| input.kind == Audio) {
        return Outcome::fail("an input carries audio, and takes it at no usual rate and channel count");
    }
    Outcome::not_applicable("no input takes audio")
}

pub(super) fn changes(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let Some(base) = subject.spec else { return Ok(nothing_to_feed(subject)) };
    let other_rate = if base.sample_rate_hz == 44_100 { 48_000 } else { 44_100 };
    let other_format = if base.format == SampleFormat::S16 { SampleFormat::F32 } else { SampleFormat::S16 };
    let changed = [
        ("rate", AudioSpec { sample_rate_hz: other_rate, ..base }),
        ("channel count", AudioSpec { channels: base.channels + 1, ..base }),
        ("format", AudioSpec { format: other_format, ..base }),
    ];
    let mut answers = Vec::new();
    for (what, spec) in changed {
        let answer = change(subject, base, spec).map_err(|fault| {
            Fault::Broken(format!("a change of the {what}, from {base} to {spec}: {fault}"))
        })?;
        answers.push(format!("{what} {answer}"));
    }
    Ok(Outcome::pass(answers.join(", ")))
}

/// Feeds caps `a`, then `b`, then `a` again. However the node answers `b`, it must stay callable.
fn change(subject: &Subject<'_>, a: AudioSpec, b: AudioSpec) -> Result<&'static str, Fault> {
    let recipe = subject.recipe(FRAMES);
    let mut running = subject.start()?;
    let mut recording = Recording::default();
    let mut answer = "followed";
    for (start_ns, spec) in [(0, a), (1_000_000_000, b), (2_000_000_000, a)] {
        for feed in subject.stream(&Recipe { spec, start_ns, ..recipe })? {
            match running.feed(feed, &mut recording) {
                Ok(()) => {}
                Err(fault) if fault.is_refused_input() && spec == b => answer = "refused",
                // Back to what it took before; a node that follows changes may not like to go back.
                Err(fault) if fault.is_refused_input() && answer == "refused" => {
                    return Err(Fault::Broken(format!(
                        "after it had refused the change, it refuses what it took before: {fault}"
                    )));
                }
                Err(fault) if fault.is_refused_input() => answer = "refused the way back",
                Err(fault) => return Err(fault),
            }
        }
    }
    running.flush(&mut recording).map(|()| answer)
}

pub(super) fn formats(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let Some(base) = subject.spec else { return Ok(nothing_to_feed(subject)) };
    let mut runs: Vec<(SampleFormat, Recording)> = Vec::new();
    let mut refused = Vec::new();
    for format in FORMATS {
        let recipe = Recipe { spec: AudioSpec { format, ..base }, ..subject.recipe(20 * BLOCK) };
        match subject.run(subject.stream(&recipe)?) {
            Ok(recording) => runs.push((format, recording)),
            Err(fault) if fault.is_refused_input() => refused.push(format.name()),
            Err(fault) => return Ok(Outcome::fail(format!("{}: {fault}", format.name()))),
        }
    }
    let Some((last, others)) = runs.split_last() else {
        return Ok(Outcome::fail("every format is refused"));
    };
    let mut farthest = 0.0_f32;
    for (format, recording) in others {
        match distance(recording, &last.1, subject.declared.tolerance().unwrap_or(0.0) as f32) {
            Ok(distance) => farthest = farthest.max(distance),
            Err(text) => {
                return Ok(Outcome::fail(format!("{} instead of {}: {text}", format.name(), last.0.name())));
            }
        }
    }
    let taken: Vec<&str> = runs.iter().map(|(format, _)| format.name()).collect();
    let refused =
        if refused.is_empty() { String::new() } else { format!("; refused: {}", refused.join(", ")) };
    let evidence =
        format!("{} agree within {:.2} steps of 16 bits{refused}", taken.join(", "), farthest / STEP);
    Ok(Outcome::pass(evidence).number("largest_difference_s16_steps", f64::from(farthest / STEP)))
}

/// How far two recordings of one stream in two formats are apart: integers saturate, and round to their steps.
fn distance(a: &Recording, b: &Recording, tolerance: f32) -> Result<f32, String> {
    let mut farthest = 0.0_f32;
    for (a, b) in a.tracks.iter().zip(&b.tracks) {
        if (a.frames(), a.events.len()) != (b.frames(), b.events.len()) {
            return Err(format!(
                "output `{}`: {} frames and {} events instead of {} and {}",
                a.name,
                a.frames(),
                a.events.len(),
                b.frames(),
                b.events.len()
            ));
        }
        let samples = |track: &super::recording::Track| -> Vec<f32> {
            track.audio.iter().flat_map(|(_, audio)| audio.to_f32().into_owned()).collect()
        };
        let of_integers = |track: &super::recording::Track| {
            track.audio.iter().any(|(_, audio)| audio.spec().format == SampleFormat::S16)
        };
        let step = if of_integers(a) || of_integers(b) { STEP } else { STEP / 256.0 };
        for (at, (x, y)) in samples(a).into_iter().zip(samples(b)).enumerate() {
            let apart = (x.clamp(-1.0, 1.0) - y.clamp(-1.0, 1.0)).abs();
            if apart.is_nan() || apart > step + tolerance {
                return Err(format!("output `{}`: sample {at} is {x} instead of {y}", a.name));
            }
            farthest = farthest.max(apart);
        }
    }
    Ok(farthest)
}
