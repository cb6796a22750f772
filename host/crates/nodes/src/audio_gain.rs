//! AudioGain: amplifies or attenuates. In place when nobody shares the samples, in the format they came in.

use remotemedia_core::{
    Node, NodeDescriptor, NodeError, Outputs, Packet, Payload, PayloadKind, Port, SampleFormat,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input;
use crate::node_type::NativeNode;
use crate::pcm::Pcm;

/// Params of AudioGain.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AudioGainParams {
    /// Gain in dB: 6.02 doubles the amplitude, -6.02 halves it. Default: 0.
    #[schemars(range(min = -200.0, max = 200.0))]
    pub gain_db: f64,
}

/// Multiplies every sample by 10^(gain_db / 20).
///
/// Integer formats are rounded half to even and saturate at full scale. `f32` is neither clipped nor cleaned: what
/// exceeds ±1.0 stays so, NaN stays NaN. A gain of 0 dB changes no bit. Caps may change from packet to packet.
#[derive(Debug)]
pub struct AudioGain {
    factor: f64,
}

impl NativeNode for AudioGain {
    type Params = AudioGainParams;
    const NODE_TYPE: &'static str = "AudioGain";

    fn descriptor() -> NodeDescriptor {
        let summary = "Amplifies or attenuates audio by a fixed gain in dB.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: AudioGainParams) -> Result<Self, NodeError> {
        let gain_db = params.gain_db;
        if gain_db.abs() <= 200.0 {
            return Ok(Self { factor: 10.0_f64.powf(gain_db / 20.0) });
        }
        Err(NodeError::invalid_params(format!("`gain_db` is {gain_db}; it must be between -200 and 200")))
    }
}

impl Node for AudioGain {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, mut audio) = input::audio(packet)?;
        if self.factor != 1.0 {
            match audio.spec().format {
                SampleFormat::S16 => scale(audio.as_i16_mut(), self.factor),
                SampleFormat::S32 => scale(audio.as_i32_mut(), self.factor),
                SampleFormat::F32 => scale(audio.as_f32_mut(), self.factor),
            }
        }
        out.push(Packet { pts_ns, payload: Payload::Audio(audio) });
        Ok(())
    }
}

fn scale<S: Pcm>(samples: Option<&mut [S]>, factor: f64) {
    let factor = S::factor(factor);
    for sample in samples.into_iter().flatten() {
        *sample = S::narrow(sample.widen() * factor);
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::AudioBuffer;
    use serde_json::json;

    use crate::harness::{create, f32_audio, noise, one, run_chunks, samples, try_create};

    #[test]
    fn f32_is_multiplied_and_neither_clipped_nor_cleaned() {
        let mut node = create("AudioGain", json!({"gain_db": 20}));
        let audio = f32_audio(384_000, 1, vec![0.25, -0.5, f32::INFINITY, f32::NAN]);
        let out = one(node.as_mut(), audio).unwrap();
        let out = out.as_f32().unwrap();
        assert_eq!(out[..3], [2.5, -5.0, f32::INFINITY]);
        assert!(out[3].is_nan());
    }

    #[test]
    fn integers_round_half_to_even_and_saturate() {
        let half = -20.0 * 2.0_f64.log10();
        let mut node = create("AudioGain", json!({"gain_db": half}));
        let audio = AudioBuffer::from_i16(8_000, 1, vec![1, 3, 5, -1, -3, 100]).unwrap();
        assert_eq!(one(node.as_mut(), audio).unwrap().as_i16().unwrap(), [0, 2, 2, 0, -2, 50]);

        let mut node = create("AudioGain", json!({"gain_db": 12}));
        let audio = AudioBuffer::from_i16(8_000, 1, vec![20_000, -20_000, 1_000]).unwrap();
        // 10^(12/20) = 3.98107…
        assert_eq!(one(node.as_mut(), audio).unwrap().as_i16().unwrap(), [32_767, -32_768, 3_981]);
        let audio =
            AudioBuffer::from_i32(8_000, 1, vec![2_000_000_000, -2_000_000_000, 100_000_000]).unwrap();
        let out = one(node.as_mut(), audio).unwrap();
        assert_eq!(out.as_i32().unwrap(), [i32::MAX, i32::MIN, 398_107_171]);
    }

    #[test]
    fn an_unshared_packet_is_changed_in_place_and_a_shared_one_is_left_alone() {
        let mut node = create("AudioGain", json!({"gain_db": -20}));
        let audio = f32_audio(48_000, 2, vec![1.0; 8]);
        let storage = audio.as_f32().unwrap().as_ptr();
        let out = one(node.as_mut(), audio).unwrap();
        assert_eq!(out.as_f32().unwrap().as_ptr(), storage);

        let audio = f32_audio(48_000, 2, vec![1.0; 8]);
        let out = one(node.as_mut(), audio.clone()).unwrap();
        assert_eq!((audio.as_f32().unwrap(), out.as_f32().unwrap()), (&[1.0; 8][..], &[0.1; 8][..]));
    }

    #[test]
    fn zero_db_changes_no_bit_and_shares_the_storage() {
        let audio = f32_audio(48_000, 1, vec![f32::NAN, -0.0, 1e-45]);
        let out = one(create("AudioGain", json!({})).as_mut(), audio.clone()).unwrap();
        assert_eq!(out.as_f32().unwrap().as_ptr(), audio.as_f32().unwrap().as_ptr());
    }

    #[test]
    fn the_result_does_not_depend_on_chunks() {
        let audio = noise(48_000, 32, 1.0, 500);
        let whole = samples(&run_chunks(create("AudioGain", json!({"gain_db": 3.3})), &audio, 500));
        for chunk_frames in [1, 7] {
            let node = create("AudioGain", json!({"gain_db": 3.3}));
            assert_eq!(samples(&run_chunks(node, &audio, chunk_frames)), whole);
        }
    }

    #[test]
    fn an_empty_packet_stays_empty_and_a_wild_gain_is_refused() {
        let out =
            one(create("AudioGain", json!({"gain_db": 1})).as_mut(), f32_audio(8_000, 1, vec![])).unwrap();
        assert!(out.is_empty());
        let error = try_create("AudioGain", json!({"gain_db": 1e9})).err().unwrap();
        assert!(error.message.contains("between -200 and 200"), "{error}");
        let error = try_create("AudioGain", json!({"gain": 3})).err().unwrap();
        assert!(error.message.contains("`gain_db`"), "{error}");
    }
}
