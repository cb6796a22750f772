//! Check `silence`: nothing comes out of nothing, unless it was declared.

use remotemedia_core::{AudioBuffer, AudioSpec};

use super::report::Outcome;
use super::running::Fault;
use super::subject::Subject;

pub(super) fn silence(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let Some(spec) = subject.spec else { return Ok(Outcome::not_applicable("no input takes audio")) };
    if (0..subject.descriptor.inputs.len()).any(|port| !subject.takes_audio(port)) {
        return Ok(Outcome::not_applicable("an input carries something that is never silent"));
    }
    let recipe = subject.recipe(spec.sample_rate_hz as usize);
    let stream = subject.stream_of(&recipe, |_| constant(spec, recipe.frames, 0.0))?;
    let recording = subject.run(stream)?;
    let floor = subject.declared.silence_floor();
    for track in &recording.tracks {
        for (pts_ns, audio) in &track.audio {
            let samples = audio.to_f32();
            if let Some(loud) =
                samples.iter().find(|sample| sample.is_nan() || f64::from(sample.abs()) > floor)
            {
                return Ok(Outcome::fail(format!(
                    "output `{}`: a sample of {loud} in the packet at {pts_ns} ns, made of silence",
                    track.name
                )));
            }
        }
        let declared = subject.declared.events_on_silence.contains(&track.name);
        if !track.events.is_empty() && !declared {
            return Ok(Outcome::fail(format!(
                "output `{}`: {} events in a second of silence; declare `events_on_silence` if it must be so",
                track.name,
                track.events.len()
            )));
        }
    }
    let (frames, events) = (recording.frames(), recording.events());
    Ok(Outcome::pass(format!("1 s of silence gives {frames} silent frames and {events} declared events"))
        .number("frames_out", frames)
        .number("events_out", events))
}

/// Audio whose samples all have one value; integers round it.
pub(super) fn constant(spec: AudioSpec, frames: usize, value: f32) -> Result<AudioBuffer, Fault> {
    let samples = frames * usize::from(spec.channels);
    let (rate, channels) = (spec.sample_rate_hz, spec.channels);
    let made = match spec.format {
        remotemedia_core::SampleFormat::S16 => {
            AudioBuffer::from_i16(rate, channels, vec![(value * 32_768.0) as i16; samples])
        }
        remotemedia_core::SampleFormat::S32 => {
            AudioBuffer::from_i32(rate, channels, vec![(value * 2_147_483_648.0) as i32; samples])
        }
        remotemedia_core::SampleFormat::F32 => AudioBuffer::from_f32(rate, channels, vec![value; samples]),
    };
    made.map_err(|error| Fault::Broken(error.to_string()))
}
