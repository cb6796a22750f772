//! Audio buffers: interleaved PCM with its caps (rate, channels, sample format).
//!
//! Owns zero-copy cloning and slicing, typed views, and copy-on-write mutation, also of samples that somebody else
//! owns. It does not convert rates,
//! channel layouts or, beyond reading any format as `f32`, sample formats: nodes do.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::foreign::{Foreign, Owner};

#[cfg(target_endian = "big")]
compile_error!("audio crosses the component boundary as little-endian bytes without conversion");

/// How one sample is stored. All formats are little-endian; the integers are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SampleFormat {
    /// 16-bit integer; full scale is ±32768.
    #[serde(alias = "i16", alias = "int16")]
    S16,
    /// 32-bit integer; full scale is ±2147483648.
    #[serde(alias = "i32", alias = "int32")]
    S32,
    /// 32-bit IEEE float; full scale is ±1.0.
    #[serde(alias = "float32")]
    F32,
}

impl SampleFormat {
    /// Bytes of one sample.
    #[must_use]
    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S32 | Self::F32 => 4,
        }
    }

    /// The name used in manifests: `s16`, `s32` or `f32`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::F32 => "f32",
        }
    }
}

/// The caps of an audio stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AudioSpec {
    /// Frames per second; never 0.
    pub sample_rate_hz: u32,
    /// Samples per frame; never 0.
    pub channels: u16,
    /// Storage of one sample.
    pub format: SampleFormat,
}

impl std::fmt::Display for AudioSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} Hz, {} ch, {}", self.sample_rate_hz, self.channels, self.format.name())
    }
}

/// Why samples do not make an audio buffer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// The sample rate was 0.
    #[error("a sample rate of 0 Hz is not audio")]
    ZeroRate,
    /// The channel count was 0.
    #[error("audio needs at least one channel")]
    ZeroChannels,
    /// The data does not divide into whole frames.
    #[error("{len} {unit} are not whole frames of {channels} channels")]
    PartialFrame {
        /// How many samples or bytes there were.
        len: usize,
        /// What `len` counts.
        unit: &'static str,
        /// Channels of the spec.
        channels: u16,
    },
}

#[derive(Clone, Debug)]
enum Samples {
    S16(Arc<Vec<i16>>),
    S32(Arc<Vec<i32>>),
    F32(Arc<Vec<f32>>),
    /// `f32` that somebody else owns.
    Foreign(Arc<Owner<f32>>),
}

/// Interleaved samples with their caps. Cloning and slicing share the samples; writing copies them only when
/// they are shared.
#[derive(Clone, Debug)]
pub struct AudioBuffer {
    samples: Samples,
    start: usize,
    len: usize,
    sample_rate_hz: u32,
    channels: u16,
}

impl AudioBuffer {
    fn new(sample_rate_hz: u32, channels: u16, samples: Samples, len: usize) -> Result<Self, AudioError> {
        if sample_rate_hz == 0 {
            return Err(AudioError::ZeroRate);
        }
        if channels == 0 {
            return Err(AudioError::ZeroChannels);
        }
        if !len.is_multiple_of(usize::from(channels)) {
            return Err(AudioError::PartialFrame { len, unit: "samples", channels });
        }
        Ok(Self { samples, start: 0, len, sample_rate_hz, channels })
    }

    /// Takes interleaved `f32` samples without copying them.
    ///
    /// # Errors
    /// When the rate or channel count is 0, or `samples` does not hold whole frames.
    pub fn from_f32(sample_rate_hz: u32, channels: u16, samples: Vec<f32>) -> Result<Self, AudioError> {
        let len = samples.len();
        Self::new(sample_rate_hz, channels, Samples::F32(Arc::new(samples)), len)
    }

    /// Takes interleaved `f32` samples that `owner` keeps, without copying them.
    ///
    /// # Errors
    /// As [`AudioBuffer::from_f32`].
    pub fn from_foreign(
        sample_rate_hz: u32,
        channels: u16,
        owner: impl Foreign<f32> + 'static,
    ) -> Result<Self, AudioError> {
        let len = owner.as_slice().len();
        Self::new(sample_rate_hz, channels, Samples::Foreign(Arc::new(Owner::new(owner))), len)
    }

    /// Takes interleaved 16-bit samples without copying them.
    ///
    /// # Errors
    /// As [`AudioBuffer::from_f32`].
    pub fn from_i16(sample_rate_hz: u32, channels: u16, samples: Vec<i16>) -> Result<Self, AudioError> {
        let len = samples.len();
        Self::new(sample_rate_hz, channels, Samples::S16(Arc::new(samples)), len)
    }

    /// Takes interleaved 32-bit integer samples without copying them.
    ///
    /// # Errors
    /// As [`AudioBuffer::from_f32`].
    pub fn from_i32(sample_rate_hz: u32, channels: u16, samples: Vec<i32>) -> Result<Self, AudioError> {
        let len = samples.len();
        Self::new(sample_rate_hz, channels, Samples::S32(Arc::new(samples)), len)
    }

    /// Copies interleaved little-endian bytes into a buffer of `spec`. The bytes need no alignment.
    ///
    /// # Errors
    /// As [`AudioBuffer::from_f32`]; the bytes must hold whole frames.
    pub fn from_bytes(spec: AudioSpec, bytes: &[u8]) -> Result<Self, AudioError> {
        let width = spec.format.bytes_per_sample();
        if !bytes.len().is_multiple_of(width * usize::from(spec.channels.max(1))) {
            return Err(AudioError::PartialFrame {
                len: bytes.len(),
                unit: "bytes",
                channels: spec.channels,
            });
        }
        match spec.format {
            SampleFormat::S16 => {
                Self::from_i16(spec.sample_rate_hz, spec.channels, bytemuck::pod_collect_to_vec(bytes))
            }
            SampleFormat::S32 => {
                Self::from_i32(spec.sample_rate_hz, spec.channels, bytemuck::pod_collect_to_vec(bytes))
            }
            SampleFormat::F32 => {
                Self::from_f32(spec.sample_rate_hz, spec.channels, bytemuck::pod_collect_to_vec(bytes))
            }
        }
    }

    /// The caps.
    #[must_use]
    pub fn spec(&self) -> AudioSpec {
        let format = match self.samples {
            Samples::S16(_) => SampleFormat::S16,
            Samples::S32(_) => SampleFormat::S32,
            Samples::F32(_) | Samples::Foreign(_) => SampleFormat::F32,
        };
        AudioSpec { sample_rate_hz: self.sample_rate_hz, channels: self.channels, format }
    }

    /// Frames (one sample per channel each).
    #[must_use]
    pub fn frames(&self) -> usize {
        self.len / usize::from(self.channels)
    }

    /// Samples of all channels together.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.len
    }

    /// Bytes of all samples together.
    #[must_use]
    #[inline]
    pub fn byte_count(&self) -> usize {
        self.len * self.spec().format.bytes_per_sample()
    }

    /// True when there is no frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Play-back time in nanoseconds, rounded down.
    #[must_use]
    pub fn duration_ns(&self) -> i64 {
        frames_to_ns(self.frames() as u64, self.sample_rate_hz)
    }

    /// The interleaved samples, when the format is `f32`.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.samples {
            Samples::F32(samples) => samples.get(self.start..self.start + self.len),
            Samples::Foreign(owner) => owner.get().as_slice().get(self.start..self.start + self.len),
            _ => None,
        }
    }

    /// The interleaved samples, when the format is `s16`.
    #[must_use]
    pub fn as_i16(&self) -> Option<&[i16]> {
        match &self.samples {
            Samples::S16(samples) => samples.get(self.start..self.start + self.len),
            _ => None,
        }
    }

    /// The interleaved samples, when the format is `s32`.
    #[must_use]
    pub fn as_i32(&self) -> Option<&[i32]> {
        match &self.samples {
            Samples::S32(samples) => samples.get(self.start..self.start + self.len),
            _ => None,
        }
    }

    /// The interleaved samples as little-endian bytes, whatever the format. Never copies.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let range = self.start..self.start + self.len;
        match &self.samples {
            Samples::S16(samples) => bytemuck::must_cast_slice(&samples[range]),
            Samples::S32(samples) => bytemuck::must_cast_slice(&samples[range]),
            Samples::F32(samples) => bytemuck::must_cast_slice(&samples[range]),
            Samples::Foreign(owner) => bytemuck::must_cast_slice(&owner.get().as_slice()[range]),
        }
    }

    /// The interleaved samples as `f32` with full scale at ±1.0; borrows when they are stored so.
    #[must_use]
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        if let Some(samples) = self.as_f32() {
            return Cow::Borrowed(samples);
        }
        let mut samples = Vec::new();
        self.append_f32_to(&mut samples);
        Cow::Owned(samples)
    }

    /// Appends the interleaved samples as `f32` (full scale ±1.0) to a buffer that the caller reuses.
    pub fn append_f32_to(&self, target: &mut Vec<f32>) {
        let range = self.start..self.start + self.len;
        match &self.samples {
            Samples::F32(samples) => target.extend_from_slice(&samples[range]),
            Samples::Foreign(owner) => target.extend_from_slice(&owner.get().as_slice()[range]),
            Samples::S16(samples) => {
                target.extend(samples[range].iter().map(|&s| f32::from(s) * (1.0 / 32_768.0)));
            }
            Samples::S32(samples) => {
                target.extend(samples[range].iter().map(|&s| s as f32 * (1.0 / 2_147_483_648.0)));
            }
        }
    }

    /// True when no other buffer shares these samples, so that writing needs no copy.
    #[must_use]
    pub fn is_unshared(&mut self) -> bool {
        match &mut self.samples {
            Samples::S16(samples) => Arc::get_mut(samples).is_some(),
            Samples::S32(samples) => Arc::get_mut(samples).is_some(),
            Samples::F32(samples) => Arc::get_mut(samples).is_some(),
            Samples::Foreign(owner) => {
                Arc::get_mut(owner).is_some_and(|owner| owner.get_mut().as_mut_slice().is_some())
            }
        }
    }

    /// The owner of foreign samples; `None` when the host owns them.
    #[must_use]
    pub fn foreign(&self) -> Option<&dyn Foreign<f32>> {
        match &self.samples {
            Samples::Foreign(owner) => Some(owner.get()),
            _ => None,
        }
    }

    /// The same samples, in memory of the host's when they were lent.
    #[must_use]
    pub fn into_own(self) -> Self {
        match (self.foreign().is_some_and(Foreign::is_lent), self.as_f32()) {
            (true, Some(samples)) => {
                Self { samples: Samples::F32(Arc::new(samples.to_vec())), start: 0, ..self }
            }
            _ => self,
        }
    }

    /// The `f32` samples for writing, copied first when another buffer shares them; `None` for other formats.
    pub fn as_f32_mut(&mut self) -> Option<&mut [f32]> {
        if let Samples::Foreign(_) = &self.samples {
            if self.is_unshared() {
                let Samples::Foreign(owner) = &mut self.samples else { return None };
                let samples = Arc::get_mut(owner)?.get_mut().as_mut_slice()?;
                return samples.get_mut(self.start..self.start + self.len);
            }
            self.samples = Samples::F32(Arc::new(self.as_f32()?.to_vec()));
            self.start = 0;
        }
        let Samples::F32(samples) = &mut self.samples else { return None };
        unshare(samples, &mut self.start, self.len)
    }

    /// The `s16` samples for writing; as [`AudioBuffer::as_f32_mut`].
    pub fn as_i16_mut(&mut self) -> Option<&mut [i16]> {
        let Samples::S16(samples) = &mut self.samples else { return None };
        unshare(samples, &mut self.start, self.len)
    }

    /// The `s32` samples for writing; as [`AudioBuffer::as_f32_mut`].
    pub fn as_i32_mut(&mut self) -> Option<&mut [i32]> {
        let Samples::S32(samples) = &mut self.samples else { return None };
        unshare(samples, &mut self.start, self.len)
    }

    /// `frames` frames from `start_frame` on, sharing the samples. The range is cut to what is there.
    #[must_use]
    pub fn slice_frames(&self, start_frame: usize, frames: usize) -> Self {
        let channels = usize::from(self.channels);
        let start_frame = start_frame.min(self.frames());
        let frames = frames.min(self.frames() - start_frame);
        Self {
            samples: self.samples.clone(),
            start: self.start + start_frame * channels,
            len: frames * channels,
            ..*self
        }
    }

    /// The samples as an owned vector when nobody shares them and nothing was sliced off; else the buffer back.
    /// Lets a node that produces as much as it consumes recycle its input's storage.
    ///
    /// # Errors
    /// The unchanged buffer, when its storage cannot be taken.
    pub fn try_into_f32_vec(self) -> Result<Vec<f32>, Self> {
        let (start, len, sample_rate_hz, channels) =
            (self.start, self.len, self.sample_rate_hz, self.channels);
        match self.samples {
            Samples::F32(samples) if start == 0 && samples.len() == len => {
                Arc::try_unwrap(samples).map_err(|samples| Self {
                    samples: Samples::F32(samples),
                    start,
                    len,
                    sample_rate_hz,
                    channels,
                })
            }
            samples => Err(Self { samples, start, len, sample_rate_hz, channels }),
        }
    }
}

/// The `len` samples from `start` on, moved to storage of their own first when somebody else holds them too.
fn unshare<'a, T: Clone>(samples: &'a mut Arc<Vec<T>>, start: &mut usize, len: usize) -> Option<&'a mut [T]> {
    if Arc::get_mut(samples).is_none() {
        *samples = Arc::new(samples.get(*start..*start + len)?.to_vec());
        *start = 0;
    }
    Arc::get_mut(samples).and_then(|samples| samples.get_mut(*start..*start + len))
}

impl PartialEq for AudioBuffer {
    /// Equal caps and equal sample values (so NaN is unequal to itself).
    fn eq(&self, other: &Self) -> bool {
        self.spec() == other.spec()
            && self.as_f32() == other.as_f32()
            && self.as_i16() == other.as_i16()
            && self.as_i32() == other.as_i32()
    }
}

/// The time of `frames` frames at `sample_rate_hz`, in nanoseconds, rounded down and saturating.
#[must_use]
pub fn frames_to_ns(frames: u64, sample_rate_hz: u32) -> i64 {
    let ns = u128::from(frames) * 1_000_000_000 / u128::from(sample_rate_hz.max(1));
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::tests::block;

    #[test]
    fn a_clone_and_a_slice_share_the_samples() {
        let buffer = AudioBuffer::from_f32(48_000, 2, (0..8).map(|i| i as f32).collect()).unwrap();
        let clone = buffer.clone();
        let slice = buffer.slice_frames(1, 2);
        assert_eq!(buffer.as_f32().unwrap().as_ptr(), clone.as_f32().unwrap().as_ptr());
        assert_eq!(slice.as_f32().unwrap(), [2.0, 3.0, 4.0, 5.0]);
        assert_eq!(buffer.as_f32().unwrap()[2..].as_ptr(), slice.as_f32().unwrap().as_ptr());
        assert_eq!(slice.frames(), 2);
    }

    #[test]
    fn writing_copies_only_what_is_shared() {
        let mut buffer = AudioBuffer::from_f32(8_000, 1, vec![1.0; 4]).unwrap();
        let before = buffer.as_f32().unwrap().as_ptr();
        buffer.as_f32_mut().unwrap()[0] = 2.0;
        assert_eq!(buffer.as_f32().unwrap().as_ptr(), before);
        let kept = buffer.slice_frames(0, 2);
        buffer.as_f32_mut().unwrap()[0] = 3.0;
        assert_eq!(kept.as_f32().unwrap(), [2.0, 1.0]);
        assert_eq!(buffer.as_f32().unwrap(), [3.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn integers_are_written_like_floats() {
        let mut short = AudioBuffer::from_i16(8_000, 1, vec![1, 2, 3]).unwrap().slice_frames(1, 2);
        short.as_i16_mut().unwrap()[0] = 7;
        assert_eq!(short.as_i16().unwrap(), [7, 3]);
        let mut long = AudioBuffer::from_i32(8_000, 1, vec![1, 2, 3]).unwrap();
        let kept = long.slice_frames(2, 1);
        long.as_i32_mut().unwrap()[2] = 9;
        assert_eq!((long.as_i32().unwrap(), kept.as_i32().unwrap()), (&[1, 2, 9][..], &[3][..]));
        assert!(short.as_f32_mut().is_none() && short.as_i32_mut().is_none() && long.as_i16_mut().is_none());
    }

    #[test]
    fn foreign_samples_are_read_where_they_are_and_copied_when_a_node_writes() {
        let owner = block(vec![1.0, 2.0, 3.0, 4.0], true);
        let address = owner.first.as_ptr();
        let mut buffer = AudioBuffer::from_foreign(8_000, 2, owner).unwrap();
        assert_eq!((buffer.as_f32().unwrap().as_ptr(), buffer.spec().format), (address, SampleFormat::F32));
        assert_eq!(buffer.as_bytes().as_ptr(), address.cast());
        assert_eq!(buffer.slice_frames(1, 1).as_f32().unwrap(), [3.0, 4.0]);
        assert!(matches!(buffer.to_f32(), Cow::Borrowed(samples) if samples.as_ptr() == address));
        assert!(!buffer.is_unshared());
        let kept = buffer.clone();
        buffer.as_f32_mut().unwrap()[0] = 9.0;
        assert_eq!(kept.as_f32().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(buffer.as_f32().unwrap(), [9.0, 2.0, 3.0, 4.0]);
        assert!(buffer.foreign().is_none() && kept.try_into_f32_vec().is_err());
        assert!(AudioBuffer::from_foreign(8_000, 2, block(vec![0.0; 3], true)).is_err());
    }

    #[test]
    fn foreign_samples_that_nobody_else_holds_are_written_in_place() {
        let owner = block(vec![1.0, 2.0], false);
        let address = owner.first.as_ptr();
        let mut buffer = AudioBuffer::from_foreign(8_000, 1, owner).unwrap().slice_frames(1, 1);
        assert!(buffer.is_unshared());
        buffer.as_f32_mut().unwrap()[0] = 5.0;
        assert_eq!(buffer.as_f32().unwrap().as_ptr(), address.wrapping_add(1));
        let kept = buffer.clone();
        buffer.as_f32_mut().unwrap()[0] = 6.0;
        assert_eq!((kept.as_f32().unwrap(), buffer.as_f32().unwrap()), (&[5.0][..], &[6.0][..]));
    }

    #[test]
    fn what_was_lent_becomes_own_before_it_leaves_and_nothing_else_is_copied() {
        let owner = block(vec![1.0, 2.0, 3.0], true);
        let (address, settled) = (owner.first.as_ptr(), Arc::clone(&owner.second));
        let lent = AudioBuffer::from_foreign(8_000, 1, owner).unwrap();
        let own = lent.slice_frames(1, 2).into_own();
        assert!(own.foreign().is_none());
        assert_eq!(own.as_f32().unwrap(), [2.0, 3.0]);
        assert_eq!(lent.as_f32().unwrap().as_ptr(), address);
        settled.set(vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(lent.as_f32().unwrap().as_ptr(), settled.get().unwrap().as_ptr());
        assert!(lent.into_own().foreign().is_some());
        let vector = vec![1.0];
        let address = vector.as_ptr();
        let buffer = AudioBuffer::from_f32(8_000, 1, vector).unwrap().into_own();
        assert_eq!(buffer.as_f32().unwrap().as_ptr(), address);
    }

    #[test]
    fn bytes_and_samples_are_the_same_little_endian_memory() {
        let spec = AudioSpec { sample_rate_hz: 16_000, channels: 1, format: SampleFormat::S16 };
        let unaligned = [0u8, 0x01, 0x80, 0xff, 0x7f];
        let buffer = AudioBuffer::from_bytes(spec, &unaligned[1..]).unwrap();
        assert_eq!(buffer.as_i16().unwrap(), [-32_767, 32_767]);
        assert_eq!(buffer.as_bytes(), &unaligned[1..]);
        assert_eq!(buffer.to_f32().as_ref(), [-32_767.0 / 32_768.0, 32_767.0 / 32_768.0]);
    }

    #[test]
    fn what_is_not_audio_is_refused() {
        assert_eq!(AudioBuffer::from_f32(0, 1, vec![]), Err(AudioError::ZeroRate));
        assert_eq!(AudioBuffer::from_f32(8_000, 0, vec![]), Err(AudioError::ZeroChannels));
        assert!(matches!(
            AudioBuffer::from_f32(8_000, 2, vec![0.0; 3]),
            Err(AudioError::PartialFrame { len: 3, .. })
        ));
        let spec = AudioSpec { sample_rate_hz: 8_000, channels: 1, format: SampleFormat::F32 };
        assert!(matches!(AudioBuffer::from_bytes(spec, &[0; 5]), Err(AudioError::PartialFrame { .. })));
    }

    #[test]
    fn a_slice_beyond_the_end_is_cut() {
        let buffer = AudioBuffer::from_i16(8_000, 1, vec![1, 2, 3]).unwrap();
        assert_eq!(buffer.slice_frames(2, 10).as_i16().unwrap(), [3]);
        assert!(buffer.slice_frames(9, 1).is_empty());
    }

    #[test]
    fn storage_is_taken_back_only_from_a_sole_owner() {
        let buffer = AudioBuffer::from_f32(8_000, 1, vec![1.0, 2.0]).unwrap();
        let other = buffer.clone();
        let buffer = buffer.try_into_f32_vec().unwrap_err();
        drop(other);
        assert_eq!(buffer.try_into_f32_vec().unwrap(), [1.0, 2.0]);
    }
}
