//! The adaptive noise floor of one or more bands: a slow mean that leans on pauses, with minimum statistics
//! (after Martin, IEEE Trans. Speech and Audio Processing 9(5), 2001) to climb out when the background itself
//! gets louder.
//!
//! It tracks levels in dB. Whether a frame is speech is decided by its user, who says how eagerly to learn.

/// Blocks whose minima are kept.
const BLOCKS: usize = 4;

/// Frames of one block; 4 x 15 frames of 16 ms look back 1 s, longer than speech stays loud in a band.
const FRAMES_PER_BLOCK: u32 = 15;

/// The floor is never left further than this below the smallest smoothed level of the last blocks.
const MINIMUM_MARGIN_DB: f32 = 1.0;

/// How fast it climbs towards that minimum, per frame.
const RECOVERY: f32 = 0.3;

/// Smoothing of the levels that minima are taken from, per frame.
const SMOOTHING: f32 = 0.1;

/// How fast it falls when a level is below it, per frame (a time constant of 3.2 s).
const FALL: f32 = 0.005;

/// One frame raises the floor as if its excess was at most this.
const LARGEST_STEP_DB: f32 = 12.0;

/// Frames at the start over which it simply averages, taking them for background.
const SETTLING_FRAMES: u32 = 12;

/// Floors of `B` bands.
#[derive(Clone, Debug)]
pub(super) struct NoiseFloor<const B: usize> {
    floor_db: [f32; B],
    smoothed_db: [f32; B],
    block_minimum_db: [f32; B],
    minima_db: [[f32; B]; BLOCKS],
    /// Frames seen, until more make no difference.
    frames: u32,
    frames_in_block: u32,
    block: usize,
}

impl<const B: usize> NoiseFloor<B> {
    pub(super) fn new() -> Self {
        Self {
            floor_db: [0.0; B],
            smoothed_db: [0.0; B],
            block_minimum_db: [f32::INFINITY; B],
            minima_db: [[f32::INFINITY; B]; BLOCKS],
            frames: 0,
            frames_in_block: 0,
            block: 0,
        }
    }

    /// How far each level stands above its floor, in dB; 0 for levels below. The first frame sets the floor.
    pub(super) fn excess_db(&mut self, levels_db: &[f32; B]) -> [f32; B] {
        if self.frames == 0 {
            self.floor_db = *levels_db;
            self.smoothed_db = *levels_db;
        }
        std::array::from_fn(|band| (levels_db[band] - self.floor_db[band]).max(0.0))
    }

    /// Learns from the same frame with `weight` (0 not at all, 1 replaces the floor).
    pub(super) fn learn(&mut self, levels_db: &[f32; B], weight: f32) {
        let weight =
            if self.frames < SETTLING_FRAMES { weight.max(1.0 / (self.frames + 2) as f32) } else { weight };
        for (band, &level) in levels_db.iter().enumerate() {
            let difference = level - self.floor_db[band];
            let step = if difference < 0.0 { weight.max(FALL) } else { weight };
            self.floor_db[band] += step * difference.min(LARGEST_STEP_DB);
            self.smoothed_db[band] += SMOOTHING * (level - self.smoothed_db[band]);
            self.block_minimum_db[band] = self.block_minimum_db[band].min(self.smoothed_db[band]);
        }
        self.frames = (self.frames + 1).min(FRAMES_PER_BLOCK * BLOCKS as u32);
        self.frames_in_block += 1;
        if self.frames_in_block == FRAMES_PER_BLOCK {
            self.minima_db[self.block] = self.block_minimum_db;
            self.block_minimum_db = [f32::INFINITY; B];
            self.block = (self.block + 1) % BLOCKS;
            self.frames_in_block = 0;
        }
        if self.frames == FRAMES_PER_BLOCK * BLOCKS as u32 {
            self.recover();
        }
    }

    /// Climbs towards the smallest recent level where the floor has been left far below it.
    fn recover(&mut self) {
        for band in 0..B {
            let minimum = self
                .minima_db
                .iter()
                .fold(self.block_minimum_db[band], |least, block| least.min(block[band]));
            let shortfall = minimum - MINIMUM_MARGIN_DB - self.floor_db[band];
            self.floor_db[band] += RECOVERY * shortfall.max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(floor: &mut NoiseFloor<1>, level_db: f32, frames: usize, weight: f32) -> f32 {
        for _ in 0..frames {
            floor.excess_db(&[level_db]);
            floor.learn(&[level_db], weight);
        }
        floor.floor_db[0]
    }

    #[test]
    fn a_steady_background_is_its_own_floor() {
        let mut floor = NoiseFloor::new();
        assert_eq!(after(&mut floor, -50.0, 200, 0.005), -50.0);
        assert_eq!(floor.excess_db(&[-38.0]), [12.0]);
        assert_eq!(floor.excess_db(&[-60.0]), [0.0]);
    }

    #[test]
    fn the_floor_follows_pauses_by_an_exponential_mean() {
        let mut floor = NoiseFloor::new();
        after(&mut floor, -60.0, 50, 0.005);
        // 40 frames 6 dB up (less than minimum statistics look back): 6 (1 - 0.995^40) above where it was.
        let expected = -60.0 + 6.0 * (1.0 - 0.995_f32.powi(40));
        assert!((after(&mut floor, -54.0, 40, 0.005) - expected).abs() < 1e-3);
    }

    #[test]
    fn a_background_that_jumps_up_is_caught_up_with_even_when_nothing_is_learnt() {
        let mut floor = NoiseFloor::new();
        after(&mut floor, -70.0, 100, 0.0);
        let caught_up = after(&mut floor, -40.0, 200, 0.0);
        assert!((caught_up - -41.0).abs() < 0.1, "{caught_up}");
    }

    #[test]
    fn loud_speech_with_gaps_hardly_moves_a_floor_that_does_not_learn() {
        let mut floor = NoiseFloor::new();
        after(&mut floor, -60.0, 100, 0.0);
        for _ in 0..20 {
            after(&mut floor, -30.0, 30, 0.0);
            after(&mut floor, -60.0, 30, 0.0);
        }
        assert!((floor.floor_db[0] + 60.0).abs() < 3.0, "{}", floor.floor_db[0]);
    }
}
