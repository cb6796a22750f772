//! Any audio as mono `f32` that a detector may trust: channels averaged, NaN and infinity read as silence, the
//! rest limited to ±1. It changes no rate.

use remotemedia_core::AudioBuffer;

/// Fills `target` with the mono samples of `audio` from frame `start` on. The frames must be there.
pub(super) fn read_mono(audio: &AudioBuffer, start: usize, target: &mut [f32]) {
    let channels = usize::from(audio.spec().channels);
    let range = start * channels..(start + target.len()) * channels;
    if let Some(samples) = audio.as_f32() {
        average(&samples[range], channels, target, sane);
    } else if let Some(samples) = audio.as_i16() {
        average(&samples[range], channels, target, |sample| f32::from(sample) * (1.0 / 32_768.0));
    } else if let Some(samples) = audio.as_i32() {
        average(&samples[range], channels, target, |sample| sample as f32 * (1.0 / 2_147_483_648.0));
    }
}

fn average<T: Copy>(samples: &[T], channels: usize, target: &mut [f32], to_f32: impl Fn(T) -> f32) {
    if channels == 1 {
        for (target, &sample) in target.iter_mut().zip(samples) {
            *target = to_f32(sample);
        }
        return;
    }
    let scale = 1.0 / channels as f32;
    for (target, frame) in target.iter_mut().zip(samples.chunks_exact(channels)) {
        *target = frame.iter().map(|&sample| to_f32(sample)).sum::<f32>() * scale;
    }
}

fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mono(audio: &AudioBuffer, start: usize, frames: usize) -> Vec<f32> {
        let mut target = vec![9.0; frames];
        read_mono(audio, start, &mut target);
        target
    }

    #[test]
    fn channels_are_averaged_in_every_format() {
        let f32s = AudioBuffer::from_f32(16_000, 2, vec![0.5, 0.0, -1.0, 0.5]).unwrap();
        let i16s = AudioBuffer::from_i16(16_000, 2, vec![16_384, 0, -32_768, 16_384]).unwrap();
        let i32s = AudioBuffer::from_i32(16_000, 2, vec![1 << 30, 0, i32::MIN, 1 << 30]).unwrap();
        for audio in [f32s, i16s, i32s] {
            assert_eq!(mono(&audio, 0, 2), [0.25, -0.25], "{}", audio.spec());
            assert_eq!(mono(&audio, 1, 1), [-0.25], "{}", audio.spec());
        }
    }

    #[test]
    fn what_is_no_number_is_silence_and_what_is_too_loud_is_limited() {
        let samples = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0e38, -7.0, 0.25];
        let audio = AudioBuffer::from_f32(16_000, 1, samples).unwrap();
        assert_eq!(mono(&audio, 0, 6), [0.0, 0.0, 0.0, 1.0, -1.0, 0.25]);
    }
}
