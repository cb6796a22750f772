//! AudioResample: changes the sample rate.

use remotemedia_core::{AudioBuffer, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input::{self, AudioStream};
use crate::node_type::NativeNode;
use crate::pcm::sane;
use crate::resampler::{Bandwidth, Recordings, Resampler, check_rate};

/// Params of AudioResample.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = allow_target_rate)]
pub struct AudioResampleParams {
    /// The rate of the output in Hz. `target_rate` is another name for it. Default: 16000.
    #[serde(alias = "target_rate")]
    #[schemars(range(min = 2_000, max = 768_000))]
    pub target_sample_rate: u32,
    /// How much of the band passes, and so how long the filter is. Default: high.
    pub quality: Quality,
    /// True: every packet is a recording of its own, from silence to silence; nothing is carried from one to the next,
    /// and rates and channel counts may differ. Default: false, the packets are pieces of one stream.
    pub per_packet: bool,
}

impl Default for AudioResampleParams {
    fn default() -> Self {
        Self { target_sample_rate: 16_000, quality: Quality::High, per_packet: false }
    }
}

/// The schema generator leaves aliases out; existing manifests use this one.
fn allow_target_rate(schema: &mut schemars::Schema) {
    let properties = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut);
    if let Some(properties) = properties
        && let Some(rate) = properties.get("target_sample_rate")
    {
        let mut alias = rate.clone();
        alias["description"] = "Another name of `target_sample_rate`; give one of them.".into();
        if let Some(fields) = alias.as_object_mut() {
            fields.remove("default");
        }
        properties.insert("target_rate".into(), alias);
    }
}

/// How much of the band passes. Frequencies that would alias are rejected by 130 dB or more at every quality; at
/// the usual rates latency is one and a half blocks, where a block is as long as the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// Flat to 0.6 of the lower Nyquist frequency; filter of 80 frames of the lower rate (5 ms at 16 kHz).
    Low,
    /// Flat to 0.8 of the lower Nyquist frequency; filter of 160 frames (10 ms at 16 kHz).
    Medium,
    /// Flat within 0.1 dB to 0.9 of the lower Nyquist frequency; filter of 320 frames (20 ms at 16 kHz).
    High,
}

impl From<Quality> for Bandwidth {
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::Low => Self::Low,
            Quality::Medium => Self::Medium,
            Quality::High => Self::High,
        }
    }
}

/// Converts audio of any rate to `target_sample_rate`, by rubato.
///
/// - The output is `f32`, whatever the input's format; at equal rates `f32` packets pass untouched.
/// - n frames in give exactly round(n · out / in) frames out (halves up), over the whole stream.
/// - There is no delay: frame k of the output belongs to time k / target_sample_rate of the input.
/// - The samples do not depend on how the input was cut into packets.
/// - NaN and infinite samples count as silence, louder ones than +120 dBFS as +120 dBFS.
/// - The rate and channel count of a stream may not change.
/// - With `per_packet` all of this holds of every packet by itself; one packet in is one packet out.
pub struct AudioResample {
    target_rate_hz: u32,
    bandwidth: Bandwidth,
    /// What converts packets that are recordings of their own.
    recordings: Option<Recordings>,
    stream: Option<AudioStream>,
    resampler: Option<Resampler>,
}

impl NativeNode for AudioResample {
    type Params = AudioResampleParams;
    const NODE_TYPE: &'static str = "AudioResample";

    fn descriptor() -> NodeDescriptor {
        let summary = "Changes the sample rate: exact length, no delay, independent of packet sizes.";
        NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
    }

    fn from_params(params: AudioResampleParams) -> Result<Self, NodeError> {
        let (target_rate_hz, bandwidth) = (params.target_sample_rate, params.quality.into());
        let recordings = Recordings::new("target_sample_rate", target_rate_hz, bandwidth)?;
        let recordings = params.per_packet.then_some(recordings);
        Ok(Self { target_rate_hz, bandwidth, recordings, stream: None, resampler: None })
    }
}

impl AudioResample {
    fn emit(
        &self,
        stream: AudioStream,
        first_frame: u64,
        samples: Vec<f32>,
        out: &mut Outputs,
    ) -> Result<(), NodeError> {
        if samples.is_empty() {
            return Ok(());
        }
        let audio = AudioBuffer::from_f32(self.target_rate_hz, stream.spec.channels, samples);
        let audio = audio.map_err(input::not_audio)?;
        out.push(Packet::new(stream.time_ns(first_frame, self.target_rate_hz), audio));
        Ok(())
    }
}

impl Node for AudioResample {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        if let Some(recordings) = &mut self.recordings {
            out.push(Packet::new(pts_ns, recordings.convert(audio)?));
            return Ok(());
        }
        let stream = AudioStream::enter(&mut self.stream, pts_ns, &audio)?;
        let input_rate_hz = stream.spec.sample_rate_hz;
        if input_rate_hz == self.target_rate_hz {
            out.push(Packet::new(pts_ns, input::into_f32(audio)?));
            return Ok(());
        }
        if self.resampler.is_none() {
            check_rate(input_rate_hz).map_err(|range| {
                NodeError::invalid_input(format!("the input has {input_rate_hz} Hz; {range}"))
            })?;
            let resampler =
                Resampler::new(input_rate_hz, self.target_rate_hz, stream.spec.channels, self.bandwidth)?;
            self.resampler = Some(resampler);
        }
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let first_frame = resampler.frames_out();
        let samples = resampler.push(|pending| append_finite(&audio, pending))?;
        self.emit(stream, first_frame, samples, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.stream = None;
        if let Some(resampler) = self.resampler.take() {
            resampler.retire();
        }
        Ok(true)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let (Some(stream), Some(mut resampler)) = (self.stream, self.resampler.take()) else { return Ok(()) };
        let first_frame = resampler.frames_out();
        let samples = resampler.finish()?;
        resampler.retire();
        self.emit(stream, first_frame, samples, out)
    }

    fn cleanup(&mut self) {
        if let Some(resampler) = self.resampler.take() {
            resampler.retire();
        }
        if let Some(recordings) = &mut self.recordings {
            recordings.rest();
        }
    }
}

fn append_finite(audio: &AudioBuffer, pending: &mut Vec<f32>) {
    match audio.as_f32() {
        Some(samples) => pending.extend(samples.iter().map(|&sample| sane(sample))),
        None => audio.append_f32_to(pending),
    }
}

#[cfg(test)]
mod tests;
