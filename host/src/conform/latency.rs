//! Check `latency`: how long a block of 10 ms takes, in the usual, bad and worst case, and whether it keeps up; of a
//! sandboxed node, whether every call ends within the limit that it has in a pipeline.

use std::time::{Duration, Instant};

use remotemedia_core::ErrorKind;
use remotemedia_core::audio::frames_to_ns;

use super::cpu_time;
use super::recording::Recording;
use super::report::Outcome;
use super::running::Fault;
use super::stream::{Cut, Recipe};
use super::subject::Subject;

/// A machine that is slow for a moment makes one of them slow.
const TRIES: usize = 3;

pub(super) fn latency(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    if !subject.takes_anything() {
        return Ok(Outcome::not_applicable("none of the values that are usual for its inputs is taken"));
    }
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match once(subject) {
            Err(fault) if tries > 0 && fault.kind() == Some(ErrorKind::Timeout) => {}
            done => return done,
        }
    }
}

fn once(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let block = subject.spec.map_or(super::stream::BLOCK, |spec| (spec.sample_rate_hz / 100).max(1) as usize);
    let recipe = Recipe { cut: Cut::Every(block), ..subject.recipe(block * subject.effort.latency_blocks) };
    let mut running = subject.start_as_usual()?;
    let mut calls = Vec::new();
    let started_cpu = cpu_time::of_this_thread();
    for feed in subject.stream(&recipe)? {
        let started = Instant::now();
        running.pass(feed)?;
        calls.push(started.elapsed());
    }
    let used = cpu_time::of_this_thread() - started_cpu;
    // It has a limit too.
    running.flush(&mut Recording::default())?;
    calls.sort_unstable();
    let at = |share: f64| {
        calls.get((calls.len() as f64 * share) as usize).or(calls.last()).copied().unwrap_or_default()
    };
    let (p50, p99, max) = (micros(at(0.5)), micros(at(0.99)), micros(at(1.0)));
    let times = format!("µs per call: {p50} p50, {p99} p99, {max} at most");
    let Some(spec) = subject.spec else {
        return Ok(numbers(Outcome::pass(times), (p50, p99, max), calls.len()));
    };
    let played = Duration::from_nanos(frames_to_ns(recipe.frames as u64, spec.sample_rate_hz).unsigned_abs());
    let factor = used.as_secs_f64() / played.as_secs_f64().max(1e-9);
    let evidence = format!("{times}; {factor:.4} s of processor time per second of audio");
    let outcome = if factor > 1.0 { Outcome::fail(evidence) } else { Outcome::pass(evidence) };
    Ok(numbers(outcome, (p50, p99, max), calls.len()).number("real_time_factor", factor))
}

fn numbers(outcome: Outcome, (p50, p99, max): (f64, f64, f64), calls: usize) -> Outcome {
    outcome.number("p50_us", p50).number("p99_us", p99).number("max_us", max).number("calls", calls)
}

fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}
