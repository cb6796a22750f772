//! Check `times`: outputs are where the input was, move with it, never go back, and follow each other without gaps.

use super::declared::{Declared, Length};
use super::recording::{Recording, Track};
use super::report::Outcome;
use super::running::Fault;
use super::stream::Recipe;
use super::subject::Subject;

const FRAMES: usize = 40_000;
const START_NS: i64 = 1_000_000_000;
/// Odd on purpose: not a whole number of frames at any rate.
const SHIFT_NS: i64 = 7_123_456_789;
/// Times are rounded to nanoseconds, durations too.
const ROUNDING_NS: i64 = 1_000;

pub(super) fn times(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    if !subject.takes_anything() {
        return Ok(Outcome::not_applicable("none of the values that are usual for its inputs is taken"));
    }
    let recipe = Recipe { start_ns: START_NS, ..subject.recipe(FRAMES) };
    let reference = subject.run(subject.stream(&recipe)?)?;
    for track in &reference.tracks {
        if let Some(text) = disorder(track, subject.declared) {
            return Ok(Outcome::fail(format!("output `{}`: {text}", track.name)));
        }
    }
    let later = Recipe { start_ns: START_NS + SHIFT_NS, ..recipe };
    let shifted = subject.run(subject.stream(&later)?)?;
    if let Some(text) = unshifted(&reference, &shifted) {
        return Ok(Outcome::fail(text));
    }
    let packets = reference.tracks.iter().map(|track| track.audio.len() + track.events.len()).sum::<usize>();
    Ok(Outcome::pass(format!("{packets} packets in order, and moved with the input"))
        .number("packets", packets))
}

/// Packets whose time goes back, and audio that does not begin where the input or the packet before it says.
fn disorder(track: &Track, declared: &Declared) -> Option<String> {
    let back =
        |times: Vec<i64>| times.windows(2).find(|pair| pair[1] < pair[0]).map(|pair| (pair[0], pair[1]));
    let audio = back(track.audio.iter().map(|(pts_ns, _)| *pts_ns).collect());
    let events = back(track.events.iter().map(|(pts_ns, _)| *pts_ns).collect());
    let events = events.filter(|_| !declared.events_look_back.contains(&track.name));
    if let Some((before, after)) = audio.or(events) {
        return Some(format!("a packet at {after} ns after one at {before} ns"));
    }
    let length = declared.length(&track.name);
    if length == Length::Any {
        return None;
    }
    let mut expected_ns = START_NS;
    for (pts_ns, audio) in &track.audio {
        if (pts_ns - expected_ns).abs() > ROUNDING_NS {
            return Some(format!("audio at {pts_ns} ns, it must be at {expected_ns} ns"));
        }
        expected_ns = pts_ns + audio.duration_ns();
    }
    None
}

/// The first packet that did not move as the input did.
fn unshifted(reference: &Recording, shifted: &Recording) -> Option<String> {
    for (before, after) in reference.tracks.iter().zip(&shifted.tracks) {
        let times = |track: &Track| -> Vec<i64> {
            let audio = track.audio.iter().map(|(pts_ns, _)| *pts_ns);
            audio.chain(track.events.iter().map(|(pts_ns, _)| *pts_ns)).collect()
        };
        let (before_ns, after_ns) = (times(before), times(after));
        if before_ns.len() != after_ns.len() {
            let (few, many) = (before_ns.len(), after_ns.len());
            return Some(format!(
                "output `{}`: {many} packets instead of {few} when the input is later",
                before.name
            ));
        }
        let moved = |pair: &(i64, i64)| (pair.1 - pair.0 - SHIFT_NS).abs() > ROUNDING_NS;
        if let Some((from, to)) = before_ns.into_iter().zip(after_ns).find(moved) {
            return Some(format!(
                "output `{}`: the input came {SHIFT_NS} ns later, the packet of {from} ns is at {to} ns",
                before.name
            ));
        }
    }
    None
}
