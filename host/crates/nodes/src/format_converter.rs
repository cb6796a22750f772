//! FormatConverter: changes how samples are stored. Nothing else: not the rate, not the channels.

use pulp::Arch;
use remotemedia_core::{
    AudioBuffer, AudioSpec, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port, SampleFormat,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input;
use crate::node_type::NativeNode;
use crate::pcm::{round_to_i16, round_to_i32};

/// A sample format by every name that manifests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetFormat {
    /// 16-bit signed integer.
    S16,
    /// 32-bit signed integer.
    S32,
    /// 32-bit float, full scale at ±1.0.
    F32,
    /// Another name of s16.
    I16,
    /// Another name of s16.
    Int16,
    /// Another name of s32.
    I32,
    /// Another name of s32.
    Int32,
    /// Another name of f32.
    Float32,
}

impl From<TargetFormat> for SampleFormat {
    fn from(format: TargetFormat) -> Self {
        match format {
            TargetFormat::S16 | TargetFormat::I16 | TargetFormat::Int16 => Self::S16,
            TargetFormat::S32 | TargetFormat::I32 | TargetFormat::Int32 => Self::S32,
            TargetFormat::F32 | TargetFormat::Float32 => Self::F32,
        }
    }
}

/// Params of FormatConverter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FormatConverterParams {
    /// How the output's samples are stored: s16, s32 or f32. Default: f32.
    pub target_format: TargetFormat,
}

impl Default for FormatConverterParams {
    fn default() -> Self {
        Self { target_format: TargetFormat::F32 }
    }
}

/// Converts samples between `s16`, `s32` and `f32`. Full scale is 32768, 2147483648 and 1.0.
///
/// - To an integer: rounded half to even, saturated at full scale, NaN becomes 0.
/// - `s16` to `f32` and `s32` and back loses nothing.
/// - What already has the format passes without a copy; `f32` to `s32` reuses the storage when nobody shares it.
/// - Caps may change from packet to packet.
#[derive(Debug)]
pub struct FormatConverter {
    target: SampleFormat,
    /// Which vector instructions this processor has: loops are compiled for AVX2 too. Results are the same bits.
    arch: Arch,
}

impl NativeNode for FormatConverter {
    type Params = FormatConverterParams;
    const NODE_TYPE: &'static str = "FormatConverter";

    fn descriptor() -> NodeDescriptor {
        let summary =
            "Stores samples as s16, s32 or f32: rounded, saturating, without a copy if nothing changes.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: FormatConverterParams) -> Result<Self, NodeError> {
        Ok(Self { target: params.target_format.into(), arch: Arch::new() })
    }
}

impl Node for FormatConverter {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        out.push(Packet::new(pts_ns, convert(self.arch, audio, self.target)?));
        Ok(())
    }
}

fn convert(arch: Arch, audio: AudioBuffer, target: SampleFormat) -> Result<AudioBuffer, NodeError> {
    let AudioSpec { sample_rate_hz, channels, format } = audio.spec();
    if format == target {
        return Ok(audio);
    }
    let converted = match target {
        SampleFormat::S16 => AudioBuffer::from_i16(sample_rate_hz, channels, to_s16(arch, &audio)),
        SampleFormat::S32 => AudioBuffer::from_i32(sample_rate_hz, channels, to_s32(audio)),
        SampleFormat::F32 => AudioBuffer::from_f32(sample_rate_hz, channels, to_f32(arch, &audio)),
    };
    converted.map_err(input::not_audio)
}

fn to_s16(arch: Arch, audio: &AudioBuffer) -> Vec<i16> {
    if let Some(samples) = audio.as_f32() {
        return map(arch, samples, f32_to_s16);
    }
    map(arch, audio.as_i32().unwrap_or_default(), s32_to_s16)
}

fn to_s32(audio: AudioBuffer) -> Vec<i32> {
    if let Some(samples) = audio.as_i16() {
        return samples.iter().map(|&sample| i32::from(sample) << 16).collect();
    }
    match audio.try_into_f32_vec() {
        Ok(samples) => samples.into_iter().map(f32_to_s32).collect(),
        Err(audio) => audio.as_f32().unwrap_or_default().iter().map(|&sample| f32_to_s32(sample)).collect(),
    }
}

fn to_f32(arch: Arch, audio: &AudioBuffer) -> Vec<f32> {
    if let Some(samples) = audio.as_i16() {
        return map(arch, samples, |sample| f32::from(sample) * (1.0 / 32_768.0));
    }
    map(arch, audio.as_i32().unwrap_or_default(), |sample| sample as f32 * (1.0 / 2_147_483_648.0))
}

fn map<S: Copy, T>(arch: Arch, samples: &[S], convert: impl Fn(S) -> T) -> Vec<T> {
    arch.dispatch(
        #[inline(always)]
        || samples.iter().map(|&sample| convert(sample)).collect(),
    )
}

#[inline(always)]
fn f32_to_s16(sample: f32) -> i16 {
    round_to_i16(sample * 32_768.0)
}

#[inline(always)]
fn f32_to_s32(sample: f32) -> i32 {
    round_to_i32(f64::from(sample) * 2_147_483_648.0)
}

/// The upper half, rounded half to even.
#[inline(always)]
fn s32_to_s16(sample: i32) -> i16 {
    let half_or_less = 0x7FFF + (sample >> 16 & 1);
    (sample.saturating_add(half_or_less) >> 16) as i16
}

#[cfg(test)]
mod tests {
    use remotemedia_core::AudioBuffer;
    use serde_json::json;

    use crate::harness::{create, f32_audio, noise, one, run_chunks, samples, try_create};

    fn to(format: &str, audio: AudioBuffer) -> AudioBuffer {
        one(create("FormatConverter", json!({"target_format": format})).as_mut(), audio).unwrap()
    }

    fn every_s16() -> AudioBuffer {
        AudioBuffer::from_i16(48_000, 1, (i16::MIN..=i16::MAX).collect()).unwrap()
    }

    #[test]
    fn every_16_bit_value_survives_every_round_trip() {
        for format in ["f32", "s32", "i32", "float32"] {
            assert_eq!(to("s16", to(format, every_s16())), every_s16(), "{format}");
        }
        assert_eq!(to("s16", to("f32", to("s32", every_s16()))), every_s16());
    }

    #[test]
    fn values_are_fractions_of_full_scale() {
        let shorts = AudioBuffer::from_i16(8_000, 1, vec![-32_768, -1, 0, 16_384, 32_767]).unwrap();
        assert_eq!(
            to("f32", shorts.clone()).as_f32().unwrap(),
            [-1.0, -1.0 / 32_768.0, 0.0, 0.5, 32_767.0 / 32_768.0]
        );
        assert_eq!(to("s32", shorts).as_i32().unwrap(), [i32::MIN, -65_536, 0, 1 << 30, 0x7FFF_0000]);
        let longs = AudioBuffer::from_i32(8_000, 1, vec![i32::MIN, 1 << 30, i32::MAX]).unwrap();
        assert_eq!(to("f32", longs).as_f32().unwrap(), [-1.0, 0.5, 1.0]);
    }

    #[test]
    fn floats_are_rounded_half_to_even_and_saturate_where_a_cast_would_wrap() {
        let step = 1.0 / 32_768.0;
        let input = vec![0.5 * step, 1.5 * step, 2.5 * step, -0.5 * step, -1.5 * step, 1.0, -1.0, 1.5, -7.0];
        assert_eq!(
            to("s16", f32_audio(8_000, 1, input)).as_i16().unwrap(),
            [0, 2, 2, 0, -2, 32_767, -32_768, 32_767, -32_768]
        );
        let tiny = 1.0 / 2_147_483_648.0;
        let input = vec![0.5 * tiny, 1.5 * tiny, 1.0, -1.0, 3.0, -3.0, 0.25];
        assert_eq!(
            to("s32", f32_audio(8_000, 1, input)).as_i32().unwrap(),
            [0, 2, i32::MAX, i32::MIN, i32::MAX, i32::MIN, 1 << 29]
        );
    }

    #[test]
    fn a_32_bit_integer_is_cut_to_16_bits_by_rounding_half_to_even() {
        let input = [0x8000, 0x1_8000, 0x2_8000, -0x8000, -0x1_8000, 0x7FFF, 0x8001, i32::MAX, i32::MIN];
        let expected =
            input.map(|value| (f64::from(value) / 65_536.0).round_ties_even().min(32_767.0) as i16);
        let longs = AudioBuffer::from_i32(8_000, 1, input.to_vec()).unwrap();
        assert_eq!(to("i16", longs).as_i16().unwrap(), expected);
    }

    #[test]
    fn nan_is_silence_and_infinity_is_full_scale() {
        let bad = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(to("s16", f32_audio(8_000, 1, bad.clone())).as_i16().unwrap(), [0, i16::MAX, i16::MIN]);
        assert_eq!(to("s32", f32_audio(8_000, 1, bad)).as_i32().unwrap(), [0, i32::MAX, i32::MIN]);
    }

    #[test]
    fn nothing_is_copied_when_nothing_changes() {
        let floats = noise(48_000, 2, 1.0, 64);
        assert_eq!(to("f32", floats.clone()).as_f32().unwrap().as_ptr(), floats.as_f32().unwrap().as_ptr());
        let shorts = every_s16();
        assert_eq!(to("s16", shorts.clone()).as_i16().unwrap().as_ptr(), shorts.as_i16().unwrap().as_ptr());
    }

    #[test]
    fn f32_becomes_s32_in_the_same_storage_when_nobody_shares_it() {
        let floats = noise(48_000, 2, 1.0, 64);
        let storage = floats.as_bytes().as_ptr();
        assert_eq!(to("s32", floats).as_bytes().as_ptr(), storage);
        let shared = noise(48_000, 2, 1.0, 64);
        assert_ne!(to("s32", shared.clone()).as_bytes().as_ptr(), shared.as_bytes().as_ptr());
    }

    #[test]
    fn the_result_does_not_depend_on_chunks_and_keeps_caps() {
        let audio = noise(384_000, 32, 1.2, 300);
        let convert =
            |chunk| run_chunks(create("FormatConverter", json!({"target_format": "s16"})), &audio, chunk);
        let whole = convert(300);
        let spec = crate::harness::audio_of(&whole[0]).spec();
        assert_eq!((spec.sample_rate_hz, spec.channels), (384_000, 32));
        assert_eq!(samples(&convert(1)), samples(&whole));
        assert_eq!(samples(&convert(7)), samples(&whole));
    }

    #[test]
    fn an_empty_packet_becomes_an_empty_packet_and_an_unknown_format_is_refused() {
        assert!(to("s16", f32_audio(8_000, 2, vec![])).is_empty());
        let error = try_create("FormatConverter", json!({"target_format": "u8"})).err().unwrap();
        assert!(error.message.contains("u8") && error.message.contains("s16"), "{error}");
    }
}
