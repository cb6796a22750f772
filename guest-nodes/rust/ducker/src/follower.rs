//! From the level of the side chain to the gain of the programme. Numbers only; no samples.
//!
//! Source: D. Giannoulis, M. Massberg, J. Reiss, "Digital dynamic range compressor design" (JAES 60, 2012): the static
//! curve with a hard knee (its equation 4), and the smooth branching detector (equation 16) on the gain in decibels.

/// The static curve and the time constants.
#[derive(Clone, Copy, Debug)]
pub struct Curve {
    /// Level from which the programme is turned down, in dB.
    pub threshold_db: f64,
    /// How many dB the side chain rises for one dB less reduction; 1 never reduces.
    pub ratio: f64,
    /// Time constant of turning down, in frames.
    pub attack_frames: f64,
    /// Time constant of turning up, in frames.
    pub release_frames: f64,
}

/// The gain of one stream, as it moves.
#[derive(Debug)]
pub struct Follower {
    threshold_db: f64,
    slope: f64,
    attack: f64,
    release: f64,
    gain_db: f64,
}

impl Follower {
    /// A follower at rest.
    pub fn new(curve: Curve) -> Self {
        Self {
            threshold_db: curve.threshold_db,
            slope: 1.0 / curve.ratio - 1.0,
            attack: (-1.0 / curve.attack_frames).exp(),
            release: (-1.0 / curve.release_frames).exp(),
            gain_db: 0.0,
        }
    }

    /// The amplitude factor of the next frame, whose side chain has this amplitude.
    pub fn next(&mut self, amplitude: f32) -> f64 {
        let level_db = 20.0 * f64::from(amplitude).log10();
        // Silence is minus infinity decibels, which is below every threshold.
        let aim_db =
            if level_db > self.threshold_db { self.slope * (level_db - self.threshold_db) } else { 0.0 };
        let keep = if aim_db < self.gain_db { self.attack } else { self.release };
        self.gain_db = aim_db + (self.gain_db - aim_db) * keep;
        10_f64.powf(self.gain_db / 20.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_followed_exponentially_down_and_up() {
        let mut follower = Follower::new(Curve {
            threshold_db: -40.0,
            ratio: 4.0,
            attack_frames: 50.0,
            release_frames: 400.0,
        });
        // 20 dB above the threshold, of which a quarter remains: 15 dB less.
        for n in 1..=300 {
            let expected_db = -15.0 * (1.0 - (-f64::from(n) / 50.0).exp());
            let gain_db = 20.0 * follower.next(0.1).log10();
            assert!((gain_db - expected_db).abs() < 1e-5, "frame {n}: {gain_db}, expected {expected_db}");
        }
        let from_db = -15.0 * (1.0 - (-6.0_f64).exp());
        for n in 1..=1_000 {
            let expected_db = from_db * (-f64::from(n) / 400.0).exp();
            let gain_db = 20.0 * follower.next(0.0).log10();
            assert!((gain_db - expected_db).abs() < 1e-5, "frame {n}: {gain_db}, expected {expected_db}");
        }
    }

    #[test]
    fn a_side_chain_below_the_threshold_changes_nothing() {
        let mut follower = Follower::new(Curve {
            threshold_db: -20.0,
            ratio: 10.0,
            attack_frames: 1.0,
            release_frames: 1.0,
        });
        assert!((0..100).all(|_| follower.next(0.099) == 1.0));
    }
}
