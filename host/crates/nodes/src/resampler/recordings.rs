//! Rate conversion of audio in which every buffer is a recording of its own, from silence to silence.

use std::borrow::Cow;

use remotemedia_core::{AudioBuffer, NodeError};

use super::{Bandwidth, Resampler};
use crate::input;
use crate::pcm::{all_sane, sane};

/// Rates that can be converted, in Hz. Beyond them a filter would need more memory than it is worth.
const RATES_HZ: std::ops::RangeInclusive<u32> = 2_000..=768_000;

/// # Errors
/// Which rates can be converted, when this one cannot.
pub(crate) fn check_rate(rate_hz: u32) -> Result<(), String> {
    if RATES_HZ.contains(&rate_hz) {
        return Ok(());
    }
    Err(format!("rates from {} to {} Hz can be converted", RATES_HZ.start(), RATES_HZ.end()))
}

/// Converts recordings to one rate. Their own rates and channel counts may differ.
pub(crate) struct Recordings {
    target_rate_hz: u32,
    bandwidth: Bandwidth,
    /// That of the last recording, for more of its kind.
    resampler: Option<Resampler>,
}

impl Recordings {
    /// # Errors
    /// `InvalidParams`, in which the rate is called `name`, when it cannot be converted to.
    pub(crate) fn new(name: &str, target_rate_hz: u32, bandwidth: Bandwidth) -> Result<Self, NodeError> {
        check_rate(target_rate_hz)
            .map_err(|range| NodeError::invalid_params(format!("`{name}` is {target_rate_hz}; {range}")))?;
        Ok(Self { target_rate_hz, bandwidth, resampler: None })
    }

    /// The recording at the target's rate, as `f32`.
    pub(crate) fn convert(&mut self, audio: AudioBuffer) -> Result<AudioBuffer, NodeError> {
        let spec = audio.spec();
        let (rate_hz, channels) = (spec.sample_rate_hz, spec.channels);
        if rate_hz == self.target_rate_hz {
            return input::into_f32(audio);
        }
        let resampler = match self.resampler.take() {
            Some(resampler) if resampler.converts(rate_hz, channels) => resampler,
            other => {
                check_rate(rate_hz).map_err(|range| {
                    NodeError::invalid_input(format!("the input has {rate_hz} Hz; {range}"))
                })?;
                other.map(Resampler::retire).unwrap_or_default();
                Resampler::new(rate_hz, self.target_rate_hz, channels, self.bandwidth)?
            }
        };
        let samples = self.resampler.insert(resampler).whole(&finite(&audio))?;
        AudioBuffer::from_f32(self.target_rate_hz, channels, samples).map_err(input::not_audio)
    }

    /// No more recordings for now.
    pub(crate) fn rest(&mut self) {
        if let Some(resampler) = self.resampler.take() {
            resampler.retire();
        }
    }
}

fn finite(audio: &AudioBuffer) -> Cow<'_, [f32]> {
    match audio.to_f32() {
        Cow::Borrowed(samples) if !all_sane(samples) => samples.iter().copied().map(sane).collect(),
        samples => samples,
    }
}
