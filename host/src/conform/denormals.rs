//! Check `denormals`: samples too small for normal numbers, and a signal that fades into them, cost what others cost.

use std::time::Duration;

use remotemedia_core::{AudioBuffer, AudioSpec, SampleFormat};

use super::cpu_time;
use super::report::Outcome;
use super::running::{Fault, Running};
use super::stream::{BLOCK, Recipe, signal};
use super::subject::Subject;

/// How many times the normal time a block of denormals may take. Processors without special care for them are tens of
/// times slower.
const MOST_TIMES: f64 = 5.0;
/// Less than this per block is not told from noise.
const NOISE: Duration = Duration::from_micros(20);
/// A round is this many blocks; the fastest of the rounds or tries counts, so that interruptions do not.
const BLOCKS: usize = 10;
const ROUNDS: usize = 5;
const TRIES: usize = 4;

/// Makes the audio of a port.
type Sound<'a> = dyn Fn(u16) -> Result<AudioBuffer, Fault> + 'a;

pub(super) fn denormals(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let Some(spec) = subject.spec else { return Ok(Outcome::not_applicable("no input takes audio")) };
    let spec = AudioSpec { format: SampleFormat::F32, ..spec };
    let quiet = |scale: f32| {
        move |port: u16| {
            let audio = signal(spec, BLOCKS * BLOCK, u64::from(port) + 1);
            let samples = audio.map(|audio| audio.to_f32().iter().map(|sample| sample * scale).collect());
            samples
                .and_then(|samples| AudioBuffer::from_f32(spec.sample_rate_hz, spec.channels, samples))
                .map_err(|error| Fault::Broken(error.to_string()))
        }
    };
    let normal = fastest_round(subject, spec, &quiet(1.0))?;
    let denormal = fastest_round(subject, spec, &quiet(1e-39))?;
    // What a recursive filter keeps of a loud signal fades through the denormals when silence follows.
    let fading = slowest_round_after(subject, spec, &quiet(1.0), &quiet(0.0))?;
    let slowest = denormal.max(fading);
    let times = slowest.as_secs_f64() / normal.as_secs_f64().max(1e-9);
    let evidence = format!(
        "µs of processor time per block: {:.1} normal, {:.1} denormal, {:.1} fading",
        micros(normal),
        micros(denormal),
        micros(fading)
    );
    let slow = times > MOST_TIMES && slowest > normal + NOISE;
    let outcome = if slow {
        Outcome::fail(format!("{times:.1} times as long, at most {MOST_TIMES} are allowed; {evidence}"))
    } else {
        Outcome::pass(evidence)
    };
    Ok(outcome
        .number("normal_us", micros(normal))
        .number("denormal_us", micros(denormal))
        .number("fading_us", micros(fading)))
}

fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

/// Processor time of a block in the fastest round of audio that `audio` makes.
fn fastest_round(subject: &Subject<'_>, spec: AudioSpec, audio: &Sound<'_>) -> Result<Duration, Fault> {
    let mut running = subject.start()?;
    let rounds = (0..ROUNDS).map(|number| round(subject, spec, &mut running, number, audio));
    let times: Vec<Duration> = rounds.collect::<Result<_, _>>()?;
    Ok(times.into_iter().min().unwrap_or_default())
}

/// Processor time of a block in the slowest of the rounds of `after` that follow one of `before`: what fades passes
/// through the denormals in one round only. Of several tries the fastest counts.
fn slowest_round_after(
    subject: &Subject<'_>,
    spec: AudioSpec,
    before: &Sound<'_>,
    after: &Sound<'_>,
) -> Result<Duration, Fault> {
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        let mut running = subject.start()?;
        round(subject, spec, &mut running, 0, before)?;
        let rounds = (1..=ROUNDS).map(|number| round(subject, spec, &mut running, number, after));
        let times: Vec<Duration> = rounds.collect::<Result<_, _>>()?;
        fastest = fastest.min(times.into_iter().max().unwrap_or_default());
    }
    Ok(fastest)
}

/// Processor time of a block in round `number`.
fn round(
    subject: &Subject<'_>,
    spec: AudioSpec,
    running: &mut Running<'_>,
    number: usize,
    audio: &Sound<'_>,
) -> Result<Duration, Fault> {
    let round_ns = (BLOCKS * BLOCK) as i64 * 1_000_000_000 / i64::from(spec.sample_rate_hz);
    let recipe = Recipe { spec, start_ns: number as i64 * round_ns, ..subject.recipe(BLOCKS * BLOCK) };
    let stream = subject.stream_of(&recipe, audio)?;
    let started = cpu_time::of_this_thread();
    for feed in stream {
        running.pass(feed)?;
    }
    Ok((cpu_time::of_this_thread() - started) / BLOCKS as u32)
}
