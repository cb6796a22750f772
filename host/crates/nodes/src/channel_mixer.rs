//! ChannelMixer: up- and down-mixes channels by a matrix, given or standard.

use remotemedia_core::{
    AudioBuffer, AudioSpec, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port, SampleFormat,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input;
use crate::mixing::{Layout, Matrix, standard_matrix};
use crate::node_type::NativeNode;
use crate::pcm::Pcm;

/// Most channels that a mix may have.
const MAX_CHANNELS: u16 = 64;

/// Params of ChannelMixer: exactly one of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelMixerParams {
    /// How many channels come out; the standard mix to the usual layout of so many channels is used.
    #[schemars(range(min = 1, max = 64))]
    pub output_channels: Option<u16>,
    /// The layout that comes out; the standard mix to it is used.
    pub layout: Option<Layout>,
    /// One row per output channel, one linear coefficient per input channel in each row.
    pub matrix: Option<Vec<Vec<f64>>>,
}

#[derive(Debug)]
enum Mix {
    To(Layout),
    ToDiscrete(u16),
    By(Matrix),
}

/// Mixes the channels of each frame.
///
/// Without a `matrix`, channels stand for speakers in the order of WAVE files (1 mono, 2 stereo, 3 L R C, 4 L R
/// BL BR, 5 L R C BL BR, 6 = 5.1, 7 = 6.1, 8 = 7.1) and coefficients are those of ITU-R BS.775: what the output has no
/// speaker for goes to its neighbours, the centre and the surrounds by 1/√2. To mono, the mean of all channels but the
/// LFE. Mono goes to the centre, or to both front speakers where there is no centre. The LFE is dropped where the output
/// has none. Channels that have no speakers (more than 8) are only kept or added, not mixed down.
///
/// The format is kept; integers are rounded half to even and saturate. The mix is not normalised: attenuate before it
/// where full-scale channels add up. The sample rate may change from packet to packet, and so may the channel count
/// unless a `matrix` fixes it.
#[derive(Debug)]
pub struct ChannelMixer {
    mix: Mix,
    /// The matrix of the channel count seen last.
    current: Option<Matrix>,
}

impl NativeNode for ChannelMixer {
    type Params = ChannelMixerParams;
    const NODE_TYPE: &'static str = "ChannelMixer";

    fn descriptor() -> NodeDescriptor {
        let summary = "Mixes channels up or down: standard layouts (ITU-R BS.775) or any matrix.";
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
        }
    }

    fn from_params(params: ChannelMixerParams) -> Result<Self, NodeError> {
        let mix = match (params.output_channels, params.layout, params.matrix) {
            (Some(channels @ 1..=MAX_CHANNELS), None, None) => {
                Layout::of_channels(channels).map_or(Mix::ToDiscrete(channels), Mix::To)
            }
            (Some(channels), None, None) => {
                return Err(NodeError::invalid_params(format!(
                    "`output_channels` is {channels}; it must be from 1 to {MAX_CHANNELS}"
                )));
            }
            (None, Some(layout), None) => Mix::To(layout),
            (None, None, Some(rows)) => Mix::By(Matrix::from_rows(&rows).map_err(NodeError::invalid_params)?),
            _ => {
                return Err(NodeError::invalid_params(
                    "give exactly one of `output_channels`, `layout` and `matrix`",
                ));
            }
        };
        Ok(Self { mix, current: None })
    }
}

impl ChannelMixer {
    /// The matrix for input of `channels` channels, made when the count changes.
    fn matrix(&mut self, channels: u16) -> Result<&Matrix, NodeError> {
        let fits = |matrix: &Matrix| matrix.inputs() == usize::from(channels);
        if let Mix::By(matrix) = &self.mix {
            let wanted = matrix.inputs();
            return Some(matrix).filter(|matrix| fits(matrix)).ok_or_else(|| {
                NodeError::invalid_input(format!(
                    "the matrix mixes {wanted} channels, the input has {channels}"
                ))
            });
        }
        let kept = self.current.take().filter(fits);
        let matrix = match (&self.mix, kept) {
            (_, Some(matrix)) => matrix,
            (Mix::To(layout), None) => {
                standard_matrix(channels, *layout).map_err(NodeError::invalid_input)?
            }
            (Mix::ToDiscrete(outputs), None) => {
                Matrix::discrete(channels, *outputs).map_err(NodeError::invalid_input)?
            }
            (Mix::By(_), None) => return Err(NodeError::internal("a given matrix is not derived")),
        };
        Ok(self.current.insert(matrix))
    }
}

impl Node for ChannelMixer {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let AudioSpec { sample_rate_hz, channels, format } = audio.spec();
        let matrix = self.matrix(channels)?;
        if matrix.is_identity() {
            out.push(Packet::new(pts_ns, audio));
            return Ok(());
        }
        let outputs = matrix.outputs() as u16;
        let mixed = match format {
            SampleFormat::S16 => AudioBuffer::from_i16(sample_rate_hz, outputs, mix(audio.as_i16(), matrix)),
            SampleFormat::S32 => AudioBuffer::from_i32(sample_rate_hz, outputs, mix(audio.as_i32(), matrix)),
            SampleFormat::F32 => AudioBuffer::from_f32(sample_rate_hz, outputs, mix(audio.as_f32(), matrix)),
        };
        out.push(Packet::new(pts_ns, mixed.map_err(input::not_audio)?));
        Ok(())
    }
}

fn mix<S: Pcm>(samples: Option<&[S]>, matrix: &Matrix) -> Vec<S> {
    let samples = samples.unwrap_or_default();
    if matrix.inputs() == 2 && matrix.outputs() == 1 {
        let (left, right) = (S::factor(matrix.row(0)[0]), S::factor(matrix.row(0)[1]));
        let mix = |[l, r]: &[S; 2]| S::narrow(l.widen() * left + r.widen() * right);
        return samples.as_chunks::<2>().0.iter().map(mix).collect();
    }
    // Zeros are left out rather than multiplied, so that a NaN stays in the outputs that hear its channel.
    let terms = |row: &[f64]| {
        let heard = row.iter().enumerate().filter(|(_, coefficient)| **coefficient != 0.0);
        heard.map(|(channel, &coefficient)| (channel, S::factor(coefficient))).collect::<Vec<_>>()
    };
    let rows: Vec<_> = (0..matrix.outputs()).map(|output| terms(matrix.row(output))).collect();
    let mut mixed = Vec::with_capacity(samples.len() / matrix.inputs() * rows.len());
    for frame in samples.chunks_exact(matrix.inputs()) {
        for row in &rows {
            let mut sum = S::Wide::default();
            for &(channel, coefficient) in row {
                sum += frame[channel].widen() * coefficient;
            }
            mixed.push(S::narrow(sum));
        }
    }
    mixed
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_1_SQRT_2;

    use remotemedia_core::AudioBuffer;
    use serde_json::{Value, json};

    use crate::harness::{create, f32_audio, noise, one, run_chunks, samples, try_create};

    fn mixed(params: Value, audio: AudioBuffer) -> AudioBuffer {
        one(create("ChannelMixer", params).as_mut(), audio).unwrap()
    }

    #[test]
    fn stereo_to_mono_is_the_mean_in_every_format() {
        let mono = json!({"output_channels": 1});
        let floats = f32_audio(8_000, 2, vec![0.5, 0.25, -1.0, 1.0]);
        assert_eq!(mixed(mono.clone(), floats).as_f32().unwrap(), [0.375, 0.0]);
        let shorts =
            AudioBuffer::from_i16(8_000, 2, vec![1, 2, 3, 4, 32_767, 32_767, -32_768, -32_768]).unwrap();
        assert_eq!(mixed(mono.clone(), shorts).as_i16().unwrap(), [2, 4, 32_767, -32_768]);
        let longs = AudioBuffer::from_i32(8_000, 2, vec![i32::MAX, i32::MAX, i32::MIN, i32::MAX]).unwrap();
        assert_eq!(mixed(mono, longs).as_i32().unwrap(), [i32::MAX, 0]);
    }

    #[test]
    fn five_one_to_stereo_has_the_coefficients_of_bs_775() {
        // L R C LFE Ls Rs, one at a time.
        let mut frames = vec![0.0; 36];
        (0..6).for_each(|channel| frames[channel * 6 + channel] = 1.0);
        let out = mixed(json!({"layout": "stereo"}), f32_audio(48_000, 6, frames));
        let k = FRAC_1_SQRT_2 as f32;
        let expected = [[1.0, 0.0], [0.0, 1.0], [k, k], [0.0, 0.0], [k, 0.0], [0.0, k]];
        assert_eq!(out.as_f32().unwrap(), expected.as_flattened());
    }

    #[test]
    fn five_one_to_mono_is_the_mean_without_the_lfe() {
        let out =
            mixed(json!({"layout": "mono"}), f32_audio(48_000, 6, vec![1.0, 2.0, 3.0, 100.0, 4.0, 5.0]));
        assert_eq!(out.as_f32().unwrap(), [3.0]);
    }

    #[test]
    fn mono_goes_to_both_ears_or_to_the_centre() {
        let mono = || f32_audio(48_000, 1, vec![0.5, -0.25]);
        assert_eq!(mixed(json!({"output_channels": 2}), mono()).as_f32().unwrap(), [0.5, 0.5, -0.25, -0.25]);
        let surround = mixed(json!({"layout": "5.1"}), mono());
        assert_eq!(surround.as_f32().unwrap()[..6], [0.0, 0.0, 0.5, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_matrix_is_applied_row_by_row() {
        let params = json!({"matrix": [[0, 1], [1, 0], [0.5, -0.5]]});
        let out = mixed(params, f32_audio(48_000, 2, vec![1.0, 2.0, 3.0, 5.0]));
        assert_eq!((out.spec().channels, out.as_f32().unwrap()), (3, &[2.0, 1.0, -0.5, 5.0, 3.0, -1.0][..]));
    }

    #[test]
    fn integers_saturate_when_channels_add_up() {
        let shorts = AudioBuffer::from_i16(8_000, 2, vec![30_000, 30_000, -30_000, -30_000]).unwrap();
        assert_eq!(mixed(json!({"matrix": [[1, 1]]}), shorts).as_i16().unwrap(), [32_767, -32_768]);
    }

    #[test]
    fn an_identity_passes_the_same_storage() {
        let audio = noise(48_000, 2, 1.0, 10);
        for params in [json!({"output_channels": 2}), json!({"matrix": [[1, 0], [0, 1]]})] {
            let out = mixed(params, audio.clone());
            assert_eq!(out.as_f32().unwrap().as_ptr(), audio.as_f32().unwrap().as_ptr());
        }
    }

    #[test]
    fn the_result_does_not_depend_on_chunks() {
        let audio = noise(384_000, 32, 1.0, 200);
        let whole = samples(&run_chunks(create("ChannelMixer", json!({"output_channels": 1})), &audio, 200));
        assert_eq!(whole.len(), 200);
        for chunk_frames in [1, 9] {
            let node = create("ChannelMixer", json!({"output_channels": 1}));
            assert_eq!(samples(&run_chunks(node, &audio, chunk_frames)), whole);
        }
    }

    #[test]
    fn the_channel_count_may_change_from_packet_to_packet() {
        let mut node = create("ChannelMixer", json!({"output_channels": 1}));
        assert_eq!(one(node.as_mut(), f32_audio(8_000, 2, vec![1.0, 0.0])).unwrap().as_f32().unwrap(), [0.5]);
        assert_eq!(one(node.as_mut(), f32_audio(8_000, 4, vec![1.0; 4])).unwrap().as_f32().unwrap(), [1.0]);
        assert_eq!(one(node.as_mut(), f32_audio(8_000, 1, vec![])).unwrap().frames(), 0);
    }

    #[test]
    fn what_cannot_be_mixed_is_refused_with_the_way_out() {
        let fault = |params, channels| {
            let mut node = create("ChannelMixer", params);
            one(node.as_mut(), noise(8_000, channels, 1.0, 4)).unwrap_err().message.to_string()
        };
        assert!(fault(json!({"output_channels": 2}), 32).contains("`matrix`"));
        assert!(fault(json!({"matrix": [[1, 1]]}), 3).contains("mixes 2 channels, the input has 3"));
        for params in [
            json!({}),
            json!({"output_channels": 0}),
            json!({"output_channels": 1, "layout": "mono"}),
            json!({"matrix": []}),
            json!({"matrix": [[1, 2], [3]]}),
            json!({"matrix": [[]]}),
        ] {
            assert!(try_create("ChannelMixer", params.clone()).is_err(), "{params}");
        }
    }
}
