//! FrameRms: how loud each frame of a recording is.

use remotemedia_core::{
    AudioBuffer, DType, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port, PortSpec, Tensor,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input;
use crate::node_type::NativeNode;

/// Params of FrameRms.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FrameRmsParams {
    /// Length of a frame in milliseconds, rounded down to whole samples, of which it has one at least. Default: 30.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub frame_duration_ms: f64,
}

impl Default for FrameRmsParams {
    fn default() -> Self {
        Self { frame_duration_ms: 30.0 }
    }
}

/// Gives for each packet a float64 tensor with the RMS of every whole frame of it, after averaging the channels. Each
/// packet is a recording of its own: frames do not reach from one into the next. Full scale is 1.0. NaN and infinite
/// samples are taken as they are.
pub struct FrameRms {
    frame_duration_ms: f64,
    /// One frame, averaged and squared.
    squares: Vec<f64>,
}

impl NativeNode for FrameRms {
    type Params = FrameRmsParams;
    const NODE_TYPE: &'static str = "FrameRms";

    fn descriptor() -> NodeDescriptor {
        let summary = "The RMS of every frame of a packet, as a float64 tensor.";
        NodeDescriptor {
            stateless: true,
            outputs: vec![PortSpec::new("out", PayloadKind::Tensor)],
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: FrameRmsParams) -> Result<Self, NodeError> {
        let frame_duration_ms = params.frame_duration_ms;
        if frame_duration_ms > 0.0 {
            return Ok(Self { frame_duration_ms, squares: Vec::new() });
        }
        let message = format!("`frame_duration_ms` is {frame_duration_ms}; it must be more than 0");
        Err(NodeError::invalid_params(message))
    }
}

impl FrameRms {
    fn levels(&mut self, audio: &AudioBuffer) -> Vec<f64> {
        let spec = audio.spec();
        let length = (f64::from(spec.sample_rate_hz) * self.frame_duration_ms / 1_000.0) as usize;
        let length = length.max(1);
        let channels = usize::from(spec.channels);
        let samples = audio.to_f32();
        let frames = samples.chunks_exact(length.saturating_mul(channels));
        frames.map(|frame| self.level(frame, channels)).collect()
    }

    fn level(&mut self, frame: &[f32], channels: usize) -> f64 {
        let mean =
            |samples: &[f32]| samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / channels as f64;
        self.squares.clear();
        self.squares.extend(frame.chunks_exact(channels).map(mean).map(|mono| mono * mono));
        (pairwise_sum(&self.squares) / self.squares.len() as f64).sqrt()
    }
}

/// Halves of long sums are summed by themselves and short ones in eight lanes: the error grows with the logarithm of the
/// length. numpy adds in this order, so that decisions at a threshold are the same there.
fn pairwise_sum(values: &[f64]) -> f64 {
    if values.len() < 8 {
        return values.iter().sum();
    }
    if values.len() > 128 {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}

impl Node for FrameRms {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let levels = self.levels(&audio);
        let bytes = levels.iter().flat_map(|level| level.to_le_bytes()).collect::<Vec<u8>>();
        let tensor = Tensor::new(DType::Float64, &[levels.len()], bytes.into())
            .map_err(|error| NodeError::internal(format!("the levels make no tensor: {error}")))?;
        out.push(Packet::new(pts_ns, tensor));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::{AudioBuffer, Outputs, Packet, Payload, Port};
    use serde_json::json;

    use super::pairwise_sum;
    use crate::harness::{create, f32_audio, try_create};

    fn levels(audio: AudioBuffer, frame_duration_ms: f64) -> Vec<f64> {
        let mut node = create("FrameRms", json!({"frame_duration_ms": frame_duration_ms}));
        let mut out = Outputs::new();
        node.process(Port::FIRST, Packet::new(3, audio), &mut out).unwrap();
        assert!(out.has_only(Port::FIRST));
        let packet = out.take_only();
        let Payload::Tensor(tensor) = packet.payload else { panic!("levels are a tensor") };
        assert_eq!(packet.pts_ns, 3);
        tensor.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn a_square_wave_is_as_loud_as_it_is_high_and_a_sine_by_root_two_less() {
        let square = (0..480).map(|n| if n % 2 == 0 { 0.5 } else { -0.5 }).collect();
        assert_eq!(levels(f32_audio(8_000, 1, square), 30.0), [0.5, 0.5]);
        let sine = (0..1_600).map(|n| (f64::from(n) * std::f64::consts::TAU / 160.0).sin() as f32).collect();
        for level in levels(f32_audio(16_000, 1, sine), 10.0) {
            assert!((level - 0.5_f64.sqrt()).abs() < 1e-7, "{level}");
        }
    }

    #[test]
    fn channels_are_averaged_first_and_integers_are_parts_of_full_scale() {
        let opposite = vec![0.5, -0.5, 0.5, -0.5];
        assert_eq!(levels(f32_audio(1_000, 2, opposite), 2.0), [0.0]);
        let shorts = AudioBuffer::from_i16(1_000, 2, vec![16_384, 0, -16_384, 0]).unwrap();
        assert_eq!(levels(shorts, 1.0), [0.25, 0.25]);
    }

    #[test]
    fn frames_are_whole_and_have_a_sample_at_least() {
        assert_eq!(levels(f32_audio(8_000, 1, vec![1.0; 719]), 30.0).len(), 2);
        assert_eq!(levels(f32_audio(8_000, 1, vec![1.0; 3]), 0.01), [1.0; 3]);
        assert!(levels(f32_audio(8_000, 1, vec![]), 30.0).is_empty());
        assert!(levels(f32_audio(8_000, 1, vec![1.0; 9]), 1e300).is_empty());
        assert!(levels(f32_audio(8_000, 1, vec![f32::NAN; 8]), 1.0)[0].is_nan());
    }

    #[test]
    fn sums_take_every_value_of_any_length() {
        for length in [0_u32, 1, 7, 8, 9, 127, 128, 129, 240, 1_000, 4_097] {
            let values: Vec<f64> = (0..length).map(f64::from).collect();
            let expected = f64::from(length) * (f64::from(length) - 1.0) / 2.0;
            assert_eq!(pairwise_sum(&values), expected.max(0.0), "{length}");
        }
    }

    #[test]
    fn a_frame_without_length_is_refused() {
        for length in [0.0, -1.0] {
            let error = try_create("FrameRms", json!({"frame_duration_ms": length})).err().unwrap();
            assert!(error.message.contains("frame_duration_ms"), "{error}");
        }
    }
}
