//! Check `ends`: streams of any length, also of none, come out whole, with the tail once.

use remotemedia_core::PayloadKind;

use super::declared::Length;
use super::recording::Track;
use super::report::Outcome;
use super::running::Fault;
use super::stream::{BLOCK, Recipe};
use super::subject::Subject;

/// The longest first.
const LENGTHS: [usize; 9] = [20_000, 4_799, 1_024, BLOCK + 1, BLOCK, BLOCK - 1, 2, 1, 0];

pub(super) fn ends(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    // A stream without a packet, and one with an empty one, end like any other.
    let mut ends = 1;
    subject.run(Vec::new())?;
    if subject.spec.is_none() {
        subject.run(subject.stream(&subject.recipe(BLOCK))?)?;
        return Ok(Outcome::pass("a stream without a packet ends like any other").number("streams", 2));
    }
    let mut counted = 0;
    // By output port, the rate it has: known from the longest stream, which comes first.
    let mut rates = vec![None; subject.descriptor.outputs.len()];
    for frames in LENGTHS {
        let recipe = subject.recipe(frames);
        let recording = subject.run(subject.stream(&recipe)?)?;
        ends += 1;
        for (port, output) in subject.descriptor.outputs.iter().enumerate() {
            let track = recording.tracks.get(port);
            let heard =
                track.and_then(|track| track.audio.first()).map(|(_, audio)| audio.spec().sample_rate_hz);
            rates[port] = rates[port].or(heard);
            let length = subject.declared.length(&output.name);
            let Some(rate_hz) = rates[port] else {
                if output.kind == PayloadKind::Audio && length == Length::Same {
                    return Ok(Outcome::fail(format!(
                        "{frames} frames in: nothing comes out of `{}`",
                        output.name
                    )));
                }
                continue;
            };
            if let Some(text) = wrong_length(length, &recipe, track.map_or(0, Track::frames), rate_hz) {
                return Ok(Outcome::fail(format!("{frames} frames in: output `{}` {text}", output.name)));
            }
            counted += 1;
        }
    }
    Ok(Outcome::pass(format!("{ends} streams, {counted} lengths as they must be")).number("streams", ends))
}

fn wrong_length(length: Length, recipe: &Recipe, frames: usize, rate_out: u32) -> Option<String> {
    let rate_in = recipe.spec.sample_rate_hz;
    let wanted = match length {
        Length::Any => return None,
        Length::Same => recipe.frames as i128 * i128::from(rate_out),
        Length::Plus(more) => (recipe.frames as i128 + i128::from(more)) * i128::from(rate_out),
    };
    let got = frames as i128 * i128::from(rate_in);
    // At another rate the last frame may be rounded away or up.
    let slack = if rate_in == rate_out { 0 } else { i128::from(rate_in) };
    ((wanted - got).abs() > slack).then(|| {
        let wanted = wanted / i128::from(rate_in);
        format!("has {frames} frames at {rate_out} Hz, it must have {wanted}")
    })
}
