//! Check `instances`: a fresh node repeats what the last one did, bit by bit, and what runs beside it does not matter.

use super::recording::{Recording, difference};
use super::report::Outcome;
use super::running::Fault;
use super::stream::{BLOCK, Cut, Recipe};
use super::subject::Subject;

const FRAMES: usize = 20_000;

pub(super) fn instances(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    if !subject.takes_anything() {
        return Ok(Outcome::not_applicable("none of the values that are usual for its inputs is taken"));
    }
    let recipe = Recipe { cut: Cut::Every(BLOCK - 1), ..subject.recipe(FRAMES) };
    let reference = subject.run(subject.stream(&recipe)?)?;
    let again = subject.run(subject.stream(&recipe)?)?;
    if let Some(text) = difference(&reference, &again, None) {
        return Ok(Outcome::fail(format!("a second node differs from the first: {text}")));
    }
    let beside = beside_another(subject, &recipe)?;
    if let Some(text) = difference(&reference, &beside, None) {
        return Ok(Outcome::fail(format!("beside another node that runs at the same time: {text}")));
    }
    let (frames, events) = (reference.frames(), reference.events());
    Ok(Outcome::pass(format!("3 runs, {frames} frames and {events} events: the same bits"))
        .number("frames_out", frames)
        .number("events_out", events))
}

/// Runs two nodes in turn, block by block, on different signals, and returns the first one's result.
fn beside_another(subject: &Subject<'_>, recipe: &Recipe) -> Result<Recording, Fault> {
    let (mut one, mut other) = (subject.start()?, subject.start()?);
    let mut recording = Recording::default();
    let different = Recipe { seed: recipe.seed + 100, ..*recipe };
    let mut beside = subject.stream(&different)?.into_iter();
    for feed in subject.stream(recipe)? {
        if let Some(feed) = beside.next() {
            other.pass(feed)?;
        }
        one.feed(feed, &mut recording)?;
    }
    other.flush(&mut Recording::default())?;
    one.flush(&mut recording).map(|()| recording)
}
