//! The `energy` engine: how much louder than the background is this frame, over how many bands, and is that
//! more than the background's own restlessness explains?
//!
//! Its score is log-odds of speech. Bands come from `spectrum`, their floors from `noise_floor`; which scores
//! make a segment is the hysteresis' affair.

use super::noise_floor::NoiseFloor;
use super::spectrum::{BANDS, BandAnalyser};

/// The loudest bands of a frame are left out: a tone fills two or three, a voice many more. This is the tone
/// guard.
const BANDS_LEFT_OUT: usize = 3;

/// Learning of floors and score statistics per frame of certain background; time constants of 3.2 s and 2.5 s.
const FLOOR_LEARNING: f32 = 0.005;
const SCORE_LEARNING: f32 = 0.0065;

/// Floors learn this much from frames of certain speech (8 s), and statistics as if at least this part of a frame
/// were background, so that no mistake lasts.
const FLOOR_LEARNING_IN_SPEECH: f32 = 0.002;
const LEAST_BACKGROUND: f32 = 0.03;

/// Speech must exceed the background's mean score by this many of its mean absolute deviations ...
const DEVIATIONS: f32 = 2.1;

/// ... and by this part of the way up to the level of recent speech ...
const PART_OF_PEAK: f32 = 0.21;

/// ... and by this much at least.
const SMALLEST_MARGIN_DB: f32 = 0.4;

/// Assumed before anything is known: restless enough that only clear speech opens the first segment.
const FIRST_DEVIATION_DB: f32 = 4.7;

/// The peak follows louder frames with the first and decays with the second (a time constant of 4 s).
const PEAK_ATTACK: f32 = 0.05;
const PEAK_DECAY: f32 = 0.004;

/// Log-odds per margin: a frame at the mean of the background scores -2.4, one at the threshold 0.
const LOG_ODDS_PER_MARGIN: f32 = 2.4;

/// Frames of background over which the score statistics are plain means.
const SETTLING_FRAMES: u32 = 30;

/// What the engine remembers of one stream.
pub(super) struct EnergyEngine {
    analyser: BandAnalyser,
    floor: NoiseFloor<BANDS>,
    /// Mean and mean absolute deviation of the background's score, dB.
    mean_db: f32,
    deviation_db: f32,
    /// Slowly forgotten level of speech, dB.
    peak_db: f32,
    frames: u32,
}

impl EnergyEngine {
    pub(super) fn new(sample_rate_hz: u32, hop: usize) -> Self {
        Self {
            analyser: BandAnalyser::new(sample_rate_hz, hop),
            floor: NoiseFloor::new(),
            mean_db: 0.0,
            deviation_db: FIRST_DEVIATION_DB,
            peak_db: 0.0,
            frames: 0,
        }
    }

    /// Log-odds of speech around the border between the previous hop and this one.
    pub(super) fn log_odds(&mut self, hop: &[f32]) -> f32 {
        let levels_dbfs = self.analyser.levels_dbfs(hop);
        let score_db = mean_without_loudest(&self.floor.excess_db(&levels_dbfs));
        let margin_db = (DEVIATIONS * self.deviation_db)
            .max(PART_OF_PEAK * (self.peak_db - self.mean_db))
            .max(SMALLEST_MARGIN_DB);
        let log_odds = LOG_ODDS_PER_MARGIN * ((score_db - self.mean_db) / margin_db - 1.0);

        let background = 1.0 - super::probability(log_odds);
        let learning = FLOOR_LEARNING_IN_SPEECH + (FLOOR_LEARNING - FLOOR_LEARNING_IN_SPEECH) * background;
        self.floor.learn(&levels_dbfs, learning);
        self.learn_score(score_db, background);
        log_odds
    }

    fn learn_score(&mut self, score_db: f32, background: f32) {
        let background = background.max(LEAST_BACKGROUND);
        let mut learning = SCORE_LEARNING;
        if self.frames < SETTLING_FRAMES {
            learning = learning.max(1.0 / (self.frames + 2) as f32);
            self.frames += 1;
        }
        self.mean_db += learning * background * (score_db - self.mean_db);
        self.deviation_db += learning * background * ((score_db - self.mean_db).abs() - self.deviation_db);
        let above = score_db - self.peak_db;
        self.peak_db +=
            if above > 0.0 { PEAK_ATTACK * above } else { PEAK_DECAY * (self.mean_db - self.peak_db) };
    }

    /// Forgets the samples before a gap, but not what was learnt about the background.
    pub(super) fn reset_samples(&mut self) {
        self.analyser.reset();
    }
}

/// Mean of all values but the [`BANDS_LEFT_OUT`] greatest. All values are at least 0.
fn mean_without_loudest(values: &[f32; BANDS]) -> f32 {
    let mut loudest = [0.0_f32; BANDS_LEFT_OUT];
    let mut sum = 0.0;
    for &value in values {
        sum += value;
        let mut carried = value;
        for place in &mut loudest {
            (*place, carried) = (place.max(carried), place.min(carried));
        }
    }
    (sum - loudest.iter().sum::<f32>()).max(0.0) / (BANDS - BANDS_LEFT_OUT) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_leaves_out_the_three_greatest_values() {
        let mut values = [1.0_f32; BANDS];
        values[3] = 30.0;
        values[9] = 2.0;
        values[15] = 50.0;
        assert_eq!(mean_without_loudest(&values), 1.0);
        values[0] = 14.0;
        assert!((mean_without_loudest(&values) - (12.0 + 2.0) / 13.0).abs() < 1e-6);
    }
}
