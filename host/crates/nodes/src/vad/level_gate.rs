//! A level gate for engines that hear speech in everything: it takes odds away from frames that are no louder
//! than the background, or much quieter than the speech before them.
//!
//! This is what makes the neural engine ignore a tone that lasts and people talking in the distance. It knows
//! the level of a frame, nothing of its spectrum.

use super::noise_floor::NoiseFloor;
use super::spectrum::decibel;

/// Learning of the floor per frame (a time constant of 5.3 s).
const FLOOR_LEARNING: f32 = 0.003;

/// Frames must stand this far above the floor ...
const SMALLEST_EXCESS_DB: f32 = 5.0;

/// ... and this part of the way up to the level of recent speech.
const PART_OF_PEAK: f32 = 0.4;

/// The peak follows louder frames with the first and decays with the second (a time constant of 3.2 s).
const PEAK_ATTACK: f32 = 0.05;
const PEAK_DECAY: f32 = 0.005;

/// Log-odds taken away per missing dB, and at most.
const LOG_ODDS_PER_DB: f32 = 0.6;
const LARGEST_PENALTY: f32 = 6.0;

/// Mean-square power of the level floor, -90 dBFS.
const SILENCE_POWER: f32 = 1e-9;

/// What the gate remembers of one stream.
#[derive(Clone, Debug)]
pub(super) struct LevelGate {
    floor: NoiseFloor<1>,
    peak_db: f32,
}

impl LevelGate {
    pub(super) fn new() -> Self {
        Self { floor: NoiseFloor::new(), peak_db: 0.0 }
    }

    /// Log-odds to subtract for this hop of samples, 0 to [`LARGEST_PENALTY`].
    pub(super) fn penalty(&mut self, hop: &[f32]) -> f32 {
        let level_db = [decibel(mean_square(hop) + SILENCE_POWER)];
        let [excess_db] = self.floor.excess_db(&level_db);
        self.floor.learn(&level_db, FLOOR_LEARNING);
        let above = excess_db - self.peak_db;
        self.peak_db += if above > 0.0 { PEAK_ATTACK * above } else { -PEAK_DECAY * self.peak_db };
        let wanted_db = SMALLEST_EXCESS_DB.max(PART_OF_PEAK * self.peak_db);
        (LOG_ODDS_PER_DB * (wanted_db - excess_db)).clamp(0.0, LARGEST_PENALTY)
    }
}

/// Mean of the squares, summed in eight lanes so that it vectorizes.
fn mean_square(samples: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (chunks, rest) = samples.as_chunks::<8>();
    for chunk in chunks {
        for (lane, sample) in lanes.iter_mut().zip(chunk) {
            *lane += sample * sample;
        }
    }
    let sum: f32 = lanes.iter().sum::<f32>() + rest.iter().map(|sample| sample * sample).sum::<f32>();
    sum / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_square_takes_every_sample_of_any_length() {
        for length in [1_usize, 7, 8, 9, 256, 259] {
            let samples: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let n = length as f32;
            // Sum of squares 0..n-1 is (n-1) n (2n-1) / 6.
            let expected = (n - 1.0) * (2.0 * n - 1.0) / 6.0;
            assert!((mean_square(&samples) - expected).abs() <= expected * 1e-5, "{length}");
        }
    }

    #[test]
    fn a_sound_that_lasts_becomes_background_within_three_seconds() {
        let mut gate = LevelGate::new();
        for _ in 0..100 {
            gate.penalty(&[0.001; 256]);
        }
        assert_eq!(gate.penalty(&[0.1; 256]), 0.0, "40 dB above the background");
        let frames_until_closed = (1..400).find(|_| gate.penalty(&[0.1; 256]) >= 2.0);
        assert!(frames_until_closed.is_some_and(|frames| frames * 16 <= 3_000), "{frames_until_closed:?}");
    }

    #[test]
    fn a_murmur_far_below_recent_speech_is_held_back() {
        let mut gate = LevelGate::new();
        for _ in 0..60 {
            gate.penalty(&[0.001; 256]);
        }
        for _ in 0..60 {
            gate.penalty(&[0.1; 256]);
        }
        // 8 dB above the background counts alone, but not after speech 40 dB above it.
        assert!(gate.penalty(&[0.0025; 256]) > 2.0);
    }
}
