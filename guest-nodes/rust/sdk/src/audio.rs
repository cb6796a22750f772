//! Audio as an author sees it: `f32` samples, whatever the format on the wire.

use crate::bindings::remotemedia::node::types as wit;
use crate::error::NodeError;

pub use wit::SampleFormat;

const S16_FULL_SCALE: f32 = 32_768.0;
const S32_FULL_SCALE: f32 = 2_147_483_648.0;

/// A block of audio, for changing in place.
#[derive(Debug)]
pub struct AudioView<'a> {
    /// Time of the first frame, in nanoseconds since the start of the stream.
    pub pts_ns: i64,
    /// Frames per second; never 0.
    pub sample_rate_hz: u32,
    /// Samples per frame; never 0.
    pub channels: u16,
    /// Interleaved samples, full scale ±1.0; a whole number of frames.
    pub samples: &'a mut [f32],
}

impl AudioView<'_> {
    /// How many frames there are.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels.max(1))
    }

    /// The frames, each one sample per channel.
    pub fn frames_mut(&mut self) -> std::slice::ChunksExactMut<'_, f32> {
        self.samples.chunks_exact_mut(usize::from(self.channels.max(1)))
    }
}

/// Interleaved PCM that the node owns.
#[derive(Clone, Debug)]
pub struct Audio(pub(crate) wit::Audio);

impl Audio {
    /// Audio of interleaved `f32` samples, full scale ±1.0.
    #[must_use]
    pub fn from_f32(sample_rate_hz: u32, channels: u16, samples: &[f32]) -> Self {
        let data = bytemuck::cast_slice(samples).to_vec();
        Self(wit::Audio { format: SampleFormat::Float32, sample_rate: sample_rate_hz, channels, data })
    }

    /// Audio of interleaved `f32` samples, full scale ±1.0, stored in `format`: integers are rounded to nearest, ties
    /// to even, and saturate.
    #[must_use]
    pub fn from_f32_as(format: SampleFormat, sample_rate_hz: u32, channels: u16, samples: &[f32]) -> Self {
        if format == SampleFormat::Float32 {
            return Self::from_f32(sample_rate_hz, channels, samples);
        }
        let sample_bytes = if format == SampleFormat::Int16 { 2 } else { 4 };
        let data = vec![0; samples.len() * sample_bytes];
        let mut audio = Self(wit::Audio { format, sample_rate: sample_rate_hz, channels, data });
        audio.set_f32(samples);
        audio
    }

    /// The format on the wire.
    #[must_use]
    pub fn format(&self) -> SampleFormat {
        self.0.format
    }

    /// Frames per second.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        self.0.sample_rate
    }

    /// Samples per frame.
    #[must_use]
    pub fn channels(&self) -> u16 {
        self.0.channels
    }

    /// The interleaved samples as `f32`, full scale ±1.0.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut samples = Vec::new();
        self.append_f32_to(&mut samples);
        samples
    }

    fn append_f32_to(&self, target: &mut Vec<f32>) {
        let words = self.0.data.as_chunks::<4>().0;
        match self.0.format {
            SampleFormat::Float32 => target.extend(words.iter().map(|&word| f32::from_le_bytes(word))),
            SampleFormat::Int32 => {
                target.extend(words.iter().map(|&word| from_s32(i32::from_le_bytes(word))))
            }
            SampleFormat::Int16 => {
                let halves = self.0.data.as_chunks::<2>().0;
                target
                    .extend(halves.iter().map(|&half| f32::from(i16::from_le_bytes(half)) / S16_FULL_SCALE));
            }
        }
    }

    /// Replaces the samples by `samples`, in this audio's format.
    fn set_f32(&mut self, samples: &[f32]) {
        let words = self.0.data.as_chunks_mut::<4>().0;
        match self.0.format {
            SampleFormat::Float32 => {
                words.iter_mut().zip(samples).for_each(|(word, sample)| *word = sample.to_le_bytes());
            }
            SampleFormat::Int32 => {
                words
                    .iter_mut()
                    .zip(samples)
                    .for_each(|(word, &sample)| *word = to_s32(sample).to_le_bytes());
            }
            SampleFormat::Int16 => {
                let halves = self.0.data.as_chunks_mut::<2>().0;
                halves
                    .iter_mut()
                    .zip(samples)
                    .for_each(|(half, &sample)| *half = to_s16(sample).to_le_bytes());
            }
        }
    }

    /// Shows the samples as `f32` to `edit`, in place where the storage allows it, else in `scratch`, which is
    /// kept between calls so that nothing is allocated in steady state.
    pub(crate) fn edit(
        &mut self,
        pts_ns: i64,
        scratch: &mut Vec<f32>,
        edit: impl FnOnce(&mut AudioView<'_>) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let (sample_rate_hz, channels) = (self.0.sample_rate, self.0.channels);
        fn view(caps: (i64, u32, u16), samples: &mut [f32]) -> AudioView<'_> {
            AudioView { pts_ns: caps.0, sample_rate_hz: caps.1, channels: caps.2, samples }
        }
        let caps = (pts_ns, sample_rate_hz, channels);
        let format = self.0.format;
        if format == SampleFormat::Int16 {
            return self.edit_copy(scratch, |samples| edit(&mut view(caps, samples)));
        }
        let Ok(words) = bytemuck::try_cast_slice_mut::<u8, u32>(&mut self.0.data) else {
            return self.edit_copy(scratch, |samples| edit(&mut view(caps, samples)));
        };
        if format == SampleFormat::Float32 {
            return edit(&mut view(caps, bytemuck::cast_slice_mut(words)));
        }
        words.iter_mut().for_each(|word| *word = from_s32(word.cast_signed()).to_bits());
        edit(&mut view(caps, bytemuck::cast_slice_mut(words)))?;
        words.iter_mut().for_each(|word| *word = to_s32(f32::from_bits(*word)).cast_unsigned());
        Ok(())
    }

    fn edit_copy(
        &mut self,
        scratch: &mut Vec<f32>,
        edit: impl FnOnce(&mut [f32]) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        scratch.clear();
        self.append_f32_to(scratch);
        edit(scratch)?;
        self.set_f32(scratch);
        Ok(())
    }
}

/// How long so many frames last, in nanoseconds, rounded to nearest. Add it to the time of a stream's first frame: sums
/// of blocks' durations drift.
#[must_use]
pub fn frames_ns(frames: u64, sample_rate_hz: u32) -> i64 {
    let rate = u128::from(sample_rate_hz.max(1));
    i64::try_from((u128::from(frames) * 1_000_000_000 + rate / 2) / rate).unwrap_or(i64::MAX)
}

fn from_s32(sample: i32) -> f32 {
    sample as f32 / S32_FULL_SCALE
}

/// Rounded to nearest, ties to even; saturating, NaN becomes 0.
fn to_s32(sample: f32) -> i32 {
    (f64::from(sample) * f64::from(S32_FULL_SCALE)).round_ties_even() as i32
}

/// Rounded to nearest, ties to even; saturating, NaN becomes 0.
fn to_s16(sample: f32) -> i16 {
    (sample * S16_FULL_SCALE).round_ties_even() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(format: SampleFormat, data: Vec<u8>) -> Audio {
        Audio(wit::Audio { format, sample_rate: 8_000, channels: 1, data })
    }

    fn halve(audio: &mut Audio) {
        let mut scratch = Vec::new();
        audio
            .edit(0, &mut scratch, |view| {
                view.samples.iter_mut().for_each(|sample| *sample *= 0.5);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn sixteen_bit_samples_are_edited_as_floats_rounded_and_saturated() {
        let samples = [i16::MIN, -3, -1, 0, 1, 2, i16::MAX];
        let mut block = audio(SampleFormat::Int16, samples.iter().flat_map(|s| s.to_le_bytes()).collect());
        assert_eq!(block.to_f32()[0], -1.0);
        halve(&mut block);
        // -1.5, -0.5, 0.5 and 16383.5 are ties and go to the even neighbour.
        let expected = [-16_384_i16, -2, 0, 0, 0, 1, 16_384];
        assert_eq!(block.0.data, expected.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<_>>());
        block
            .edit(0, &mut Vec::new(), |view| {
                view.samples.fill(1.5);
                Ok(())
            })
            .unwrap();
        assert_eq!(block.0.data[..2], i16::MAX.to_le_bytes());
        block
            .edit(0, &mut Vec::new(), |view| {
                view.samples.fill(-1.5);
                Ok(())
            })
            .unwrap();
        assert_eq!(block.0.data[..2], i16::MIN.to_le_bytes());
    }

    #[test]
    fn thirty_two_bit_samples_are_edited_in_place_whatever_their_alignment() {
        let samples = [i32::MIN, -(1 << 20), 0, 1 << 30, i32::MAX];
        let mut block = audio(SampleFormat::Int32, samples.iter().flat_map(|s| s.to_le_bytes()).collect());
        halve(&mut block);
        // i32::MAX is 2^31 as f32.
        let expected = [-(1 << 30), -(1 << 19), 0, 1 << 29, 1 << 30];
        assert_eq!(block.0.data, expected.iter().flat_map(|s: &i32| s.to_le_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn float_samples_are_edited_without_conversion() {
        let mut block = Audio::from_f32(8_000, 1, &[1e-40, -2.0, 3.0]);
        halve(&mut block);
        assert_eq!(block.to_f32(), [0.5e-40, -1.0, 1.5]);
    }

    #[test]
    fn floats_are_stored_in_the_format_that_is_asked_for() {
        let samples = [0.5, -1.0, 2.0];
        let stored = |format| Audio::from_f32_as(format, 8_000, 1, &samples).to_f32();
        assert_eq!(stored(SampleFormat::Float32), samples);
        assert_eq!(stored(SampleFormat::Int16), [0.5, -1.0, 32_767.0 / 32_768.0]);
        // i32::MAX is 2^31 as f32.
        assert_eq!(stored(SampleFormat::Int32), [0.5, -1.0, 1.0]);
    }

    #[test]
    fn durations_are_rounded_to_the_nanosecond() {
        assert_eq!(frames_ns(48_000 * 3_600, 48_000), 3_600_000_000_000);
        assert_eq!((frames_ns(1, 44_100), frames_ns(2, 44_100)), (22_676, 45_351));
    }

    #[test]
    fn a_failed_edit_is_reported() {
        let mut block = Audio::from_f32(8_000, 1, &[0.0]);
        let error = block.edit(0, &mut Vec::new(), |_| Err(NodeError::internal("no"))).unwrap_err();
        assert_eq!(error.message(), "no");
    }
}
