//! Check `block_sizes`: the same stream in blocks of 1 to 65,536 frames, of random lengths, and with empty blocks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::recording::{Recording, difference};
use super::report::Outcome;
use super::running::Fault;
use super::stream::{Cut, Recipe};
use super::subject::Subject;

pub(super) fn block_sizes(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    if subject.spec.is_none() {
        return Ok(Outcome::not_applicable("no input takes audio"));
    }
    if subject.declared.per_packet {
        return Ok(Outcome::not_applicable("declared: a result belongs to a packet"));
    }
    let effort = &subject.effort;
    let every = effort.block_sizes.iter().map(|&size| (Cut::Every(size), size * effort.calls));
    let random = (1..=effort.random_cuts).map(|seed| (Cut::Random(seed), effort.frames));
    let mut references: HashMap<usize, Recording> = HashMap::new();
    let mut runs = 0;
    for (cut, most_frames) in every.chain(random) {
        let recipe = subject.recipe(effort.frames.min(most_frames));
        let reference = match references.entry(recipe.frames) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => slot.insert(subject.run(subject.stream(&recipe)?)?),
        };
        let differently_cut = Recipe { cut, ..recipe };
        let got = match subject.run(subject.stream(&differently_cut)?) {
            Ok(got) => got,
            Err(fault) => return Ok(Outcome::fail(format!("in {cut} it fails: {fault}"))),
        };
        runs += 1;
        if let Some(text) = difference(reference, &got, subject.declared.tolerance()) {
            return Ok(Outcome::fail(format!("in {cut} instead of {}: {text}", recipe.cut)));
        }
    }
    let whole = references.get(&effort.frames);
    let (frames, events) = whole.map_or((0, 0), |whole| (whole.frames(), whole.events()));
    let exactness = match subject.declared.tolerance_db {
        Some(decibels) => format!("within {decibels} dBFS"),
        None => "the same bits".into(),
    };
    Ok(Outcome::pass(format!("{runs} ways to cut {} frames: {exactness}", effort.frames))
        .number("ways", runs)
        .number("frames_out", frames)
        .number("events_out", events))
}
