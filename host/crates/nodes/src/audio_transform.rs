//! AudioTransform: sample rate and number of channels of recordings, as the Python node of that name changes them.

use std::num::NonZeroU16;

use remotemedia_core::{AudioBuffer, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input;
use crate::node_type::NativeNode;
use crate::resampler::{Bandwidth, Recordings};

/// Params of AudioTransform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AudioTransformParams {
    /// The rate of the output in Hz. Default: 44100.
    #[schemars(range(min = 2_000, max = 768_000))]
    pub output_sample_rate: u32,
    /// How many channels come out, where they can be made of those that come in. Default: 2.
    pub output_channels: NonZeroU16,
}

impl Default for AudioTransformParams {
    fn default() -> Self {
        Self { output_sample_rate: 44_100, output_channels: NonZeroU16::MIN.saturating_add(1) }
    }
}

/// Changes the rate, and then the channels, of packets that are recordings of their own.
///
/// Several channels become one by their mean, one becomes several by copies; of more channels than wanted the first are
/// kept, and fewer (but not one) stay as they are. The rate is changed as by AudioResample with `per_packet`, at
/// quality high. ChannelMixer mixes for loudspeakers.
pub struct AudioTransform {
    recordings: Recordings,
    output_channels: u16,
}

impl NativeNode for AudioTransform {
    type Params = AudioTransformParams;
    const NODE_TYPE: &'static str = "AudioTransform";

    fn descriptor() -> NodeDescriptor {
        let summary = "Changes rate and number of channels of packets that are recordings of their own.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: AudioTransformParams) -> Result<Self, NodeError> {
        Ok(Self {
            recordings: Recordings::new("output_sample_rate", params.output_sample_rate, Bandwidth::High)?,
            output_channels: params.output_channels.get(),
        })
    }
}

impl Node for AudioTransform {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let audio = self.recordings.convert(audio)?;
        out.push(Packet::new(pts_ns, with_channels(audio, self.output_channels)?));
        Ok(())
    }

    fn cleanup(&mut self) {
        self.recordings.rest();
    }
}

fn with_channels(audio: AudioBuffer, wanted: u16) -> Result<AudioBuffer, NodeError> {
    let (rate_hz, channels) = (audio.spec().sample_rate_hz, audio.spec().channels);
    let frames = audio.as_f32().unwrap_or_default().chunks_exact(usize::from(channels));
    let (count, samples) = match (channels, wanted) {
        (channels, wanted) if channels == wanted => return Ok(audio),
        (_, 1) => (1, frames.map(mean).collect()),
        (1, _) => {
            (wanted, frames.flat_map(|frame| std::iter::repeat_n(frame[0], usize::from(wanted))).collect())
        }
        _ if channels > wanted => {
            (wanted, frames.flat_map(|frame| &frame[..usize::from(wanted)]).copied().collect())
        }
        _ => return Ok(audio),
    };
    AudioBuffer::from_f32(rate_hz, count, samples).map_err(input::not_audio)
}

/// In `f64`, so that the sum of many channels loses nothing.
fn mean(frame: &[f32]) -> f32 {
    (frame.iter().map(|&sample| f64::from(sample)).sum::<f64>() / frame.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use remotemedia_core::AudioBuffer;
    use serde_json::json;

    use crate::harness::{create, f32_audio, noise, one, sine, try_create};

    fn transform(audio: AudioBuffer, rate_hz: u32, channels: u16) -> AudioBuffer {
        let params = json!({"output_sample_rate": rate_hz, "output_channels": channels});
        one(create("AudioTransform", params).as_mut(), audio).unwrap()
    }

    fn channels_of(input: Vec<f32>, channels: u16, wanted: u16) -> Vec<f32> {
        transform(f32_audio(8_000, channels, input), 8_000, wanted).as_f32().unwrap().to_vec()
    }

    #[test]
    fn channels_are_averaged_copied_or_cut() {
        assert_eq!(channels_of(vec![1.0, 0.5, -0.5, 0.25], 2, 1), [0.75, -0.125]);
        assert_eq!(channels_of(vec![1.0, 2.0], 1, 3), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(channels_of(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2), [1.0, 2.0, 4.0, 5.0]);
        assert_eq!(channels_of(vec![1.0, 2.0, 3.0, 4.0], 2, 3), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn the_rate_changes_first_and_caps_may_change() {
        let mut node = create("AudioTransform", json!({}));
        for (rate_hz, channels) in [(16_000, 1), (48_000, 2), (44_100, 2), (8_000, 6)] {
            let audio =
                one(node.as_mut(), sine(rate_hz, channels, 440.0, 0.5, rate_hz as usize / 10)).unwrap();
            let spec = audio.spec();
            assert_eq!((spec.sample_rate_hz, spec.channels, audio.frames()), (44_100, 2, 4_410));
        }
    }

    #[test]
    fn integers_become_floats_and_nothing_is_copied_when_nothing_changes() {
        let shorts = AudioBuffer::from_i16(8_000, 1, vec![-32_768, 16_384]).unwrap();
        assert_eq!(transform(shorts, 8_000, 1).as_f32().unwrap(), [-1.0, 0.5]);
        let audio = noise(8_000, 2, 1.0, 10);
        assert_eq!(
            transform(audio.clone(), 8_000, 2).as_f32().unwrap().as_ptr(),
            audio.as_f32().unwrap().as_ptr()
        );
    }

    #[test]
    fn params_out_of_range_are_refused() {
        for params in [json!({"output_sample_rate": 1999}), json!({"output_channels": 0})] {
            assert!(try_create("AudioTransform", params).is_err());
        }
    }
}
