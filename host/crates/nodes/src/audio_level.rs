//! AudioLevel: measures how loud audio is: RMS, peak, true peak and EBU R128 loudness.

use ebur128::{EbuR128, Mode};
use remotemedia_core::{
    AudioBuffer, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port, PortSpec,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::input::{self, AudioStream};
use crate::node_type::NativeNode;

/// Params of AudioLevel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AudioLevelParams {
    /// How much audio one measurement covers, in milliseconds; rounded to whole samples. Default: 100.
    #[schemars(range(min = 1.0, max = 3_600_000.0))]
    pub interval_ms: f64,
}

impl Default for AudioLevelParams {
    fn default() -> Self {
        Self { interval_ms: 100.0 }
    }
}

/// Emits one JSON object per interval, and a summary of the whole stream at its end.
///
/// `{"type": "interval", pts_ns, duration_ns, rms_dbfs, peak_dbfs, true_peak_dbtp, momentary_lufs, short_term_lufs}` and
/// `{"type": "summary", pts_ns, duration_ns, rms_dbfs, peak_dbfs, true_peak_dbtp, integrated_lufs, loudness_range_lu,
/// non_finite_samples}`. RMS is over all samples of all channels, 0 dBFS is a sample of ±1.0 (so a full-scale sine has
/// -3.01); peaks are the highest of any channel, true peaks oversampled after ITU-R BS.1770. Loudness is after EBU R128:
/// momentary over the last 400 ms, short-term over the last 3 s (silence before the stream), integrated with gating,
/// range after EBU Tech 3342. What has no level (silence, or too short a stream) is null. NaN and infinite samples count
/// as silence. At most 64 channels; channels after the fifth loudspeaker of their layout do not count to loudness.
pub struct AudioLevel {
    interval_ms: f64,
    metering: Option<Metering>,
}

struct Metering {
    stream: AudioStream,
    meter: EbuR128,
    interval_frames: u64,
    interval: Tally,
    whole: Tally,
    non_finite_samples: u64,
    /// Samples of the current interval's part, cleaned; reused.
    cleaned: Vec<f32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    frames: u64,
    sum_of_squares: f64,
    peak: f64,
    true_peak: f64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.frames += other.frames;
        self.sum_of_squares += other.sum_of_squares;
        self.peak = self.peak.max(other.peak);
        self.true_peak = self.true_peak.max(other.true_peak);
    }
}

impl NativeNode for AudioLevel {
    type Params = AudioLevelParams;
    const NODE_TYPE: &'static str = "AudioLevel";

    fn descriptor() -> NodeDescriptor {
        let summary = "Measures RMS, peak, true peak and EBU R128 loudness.";
        NodeDescriptor {
            outputs: vec![PortSpec::new("out", PayloadKind::Json)],
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: AudioLevelParams) -> Result<Self, NodeError> {
        let interval_ms = params.interval_ms;
        if (1.0..=3_600_000.0).contains(&interval_ms) {
            return Ok(Self { interval_ms, metering: None });
        }
        Err(NodeError::invalid_params(format!(
            "`interval_ms` is {interval_ms}; it must be from 1 to 3600000"
        )))
    }
}

impl Metering {
    fn new(interval_ms: f64, pts_ns: i64, audio: &AudioBuffer) -> Result<Self, NodeError> {
        let spec = audio.spec();
        let mode = Mode::I | Mode::LRA | Mode::TRUE_PEAK;
        let meter = EbuR128::new(u32::from(spec.channels), spec.sample_rate_hz, mode).map_err(|_| {
            NodeError::invalid_input(format!("{spec}: 16 to 2822400 Hz and 1 to 64 channels can be measured"))
        })?;
        let interval_frames =
            (interval_ms * f64::from(spec.sample_rate_hz) / 1_000.0).round().max(1.0) as u64;
        Ok(Self {
            stream: AudioStream { spec, origin_ns: pts_ns },
            meter,
            interval_frames,
            interval: Tally::default(),
            whole: Tally::default(),
            non_finite_samples: 0,
            cleaned: Vec::new(),
        })
    }

    /// Takes frames that lie within one interval.
    fn measure(&mut self, frames: &AudioBuffer) -> Result<(), NodeError> {
        self.cleaned.clear();
        frames.append_f32_to(&mut self.cleaned);
        for sample in &mut self.cleaned {
            if !sample.is_finite() {
                *sample = 0.0;
                self.non_finite_samples += 1;
            }
            self.interval.sum_of_squares += f64::from(*sample).powi(2);
            self.interval.peak = self.interval.peak.max(f64::from(sample.abs()));
        }
        self.interval.frames += frames.frames() as u64;
        self.meter.add_frames_f32(&self.cleaned).map_err(not_measured)?;
        for channel in 0..self.meter.channels() {
            let true_peak = self.meter.prev_true_peak(channel).map_err(not_measured)?;
            self.interval.true_peak = self.interval.true_peak.max(true_peak);
        }
        Ok(())
    }

    /// Ends the interval.
    fn interval(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let first = self.whole.frames;
        let mut event = self.levels("interval", first, self.interval);
        event["momentary_lufs"] = finite(self.meter.loudness_momentary().map_err(not_measured)?);
        event["short_term_lufs"] = finite(self.meter.loudness_shortterm().map_err(not_measured)?);
        self.whole.add(std::mem::take(&mut self.interval));
        self.emit(first, event, out);
        Ok(())
    }

    fn summary(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let mut event = self.levels("summary", 0, self.whole);
        event["integrated_lufs"] = finite(self.meter.loudness_global().map_err(not_measured)?);
        event["loudness_range_lu"] = finite(self.meter.loudness_range().map_err(not_measured)?);
        event["non_finite_samples"] = self.non_finite_samples.into();
        self.emit(0, event, out);
        Ok(())
    }

    fn levels(&self, kind: &str, first_frame: u64, tally: Tally) -> Value {
        let rate = self.stream.spec.sample_rate_hz;
        let samples = tally.frames as f64 * f64::from(self.stream.spec.channels);
        json!({
            "type": kind,
            "pts_ns": self.stream.time_ns(first_frame, rate),
            "duration_ns": remotemedia_core::audio::frames_to_ns(tally.frames, rate),
            "rms_dbfs": finite(10.0 * (tally.sum_of_squares / samples).log10()),
            "peak_dbfs": finite(20.0 * tally.peak.log10()),
            "true_peak_dbtp": finite(20.0 * tally.true_peak.log10()),
        })
    }

    fn emit(&self, first_frame: u64, event: Value, out: &mut Outputs) {
        out.push(Packet::new(self.stream.time_ns(first_frame, self.stream.spec.sample_rate_hz), event));
    }
}

/// JSON has no infinities: a level of nothing is null.
fn finite(level: f64) -> Value {
    if level.is_finite() { level.into() } else { Value::Null }
}

fn not_measured(error: ebur128::Error) -> NodeError {
    NodeError::internal(format!("the loudness meter failed: {error}"))
}

impl Node for AudioLevel {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let metering = match self.metering.take() {
            Some(metering) => metering,
            None => Metering::new(self.interval_ms, pts_ns, &audio)?,
        };
        let metering = self.metering.insert(metering);
        AudioStream::enter(&mut Some(metering.stream), pts_ns, &audio)?;
        let mut start = 0;
        while start < audio.frames() {
            let room = (metering.interval_frames - metering.interval.frames) as usize;
            let part = audio.slice_frames(start, room);
            metering.measure(&part)?;
            start += part.frames();
            if metering.interval.frames == metering.interval_frames {
                metering.interval(out)?;
            }
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.metering = None;
        Ok(true)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let Some(mut metering) = self.metering.take() else { return Ok(()) };
        if metering.interval.frames > 0 {
            metering.interval(out)?;
        }
        metering.summary(out)
    }
}

#[cfg(test)]
mod tests;
