//! From the gain that each frame needs to the gain that the limiter applies: a running minimum, an exponential release
//! and a moving average. Numbers only; no samples.
//!
//! Source: P. Hämäläinen, "Smoothing of the control signal without clipped output in digital peak limiters" (DAFx-02);
//! D. Giannoulis, M. Massberg, J. Reiss, "Digital dynamic range compressor design" (JAES 60, 2012).
//!
//! With a look-ahead of L frames, the average at frame n + L runs over L + 1 gains, each of which is at most what frame
//! n needs: the applied gain never lets a peak through.

use std::collections::VecDeque;

/// Gains are summed as fixed-point numbers with this as 1.0, rounded down: sums are exact, so that nothing drifts and
/// nothing depends on how the stream was cut.
const ONE: u32 = 1 << 30;

/// The smoothed gain of one stream.
#[derive(Debug)]
pub struct Envelope {
    look_ahead: usize,
    /// What remains after one frame of the distance to the gain that is aimed at.
    release: f64,
    frames_in: u64,
    /// Frames of the last L + 1 whose need no later one undercuts, with that need, ascending.
    minimum: VecDeque<(u64, f64)>,
    released: f64,
    window: VecDeque<u32>,
    sum: u64,
}

impl Envelope {
    /// An envelope of `look_ahead` frames that goes back up with a time constant of `release_frames`.
    pub fn new(look_ahead: usize, release_frames: f64) -> Self {
        Self {
            look_ahead,
            release: (-1.0 / release_frames).exp(),
            frames_in: 0,
            minimum: VecDeque::with_capacity(look_ahead + 2),
            released: 1.0,
            window: VecDeque::with_capacity(look_ahead + 2),
            sum: 0,
        }
    }

    /// Takes the gain (0…1) that the next frame needs; gives the one to apply to the frame of `look_ahead` frames ago,
    /// once there is one.
    pub fn next(&mut self, needed: f64) -> Option<f64> {
        let length = self.look_ahead as u64 + 1;
        while self.minimum.back().is_some_and(|&(_, gain)| gain >= needed) {
            self.minimum.pop_back();
        }
        self.minimum.push_back((self.frames_in, needed));
        while self.minimum.front().is_some_and(|&(frame, _)| frame + length <= self.frames_in) {
            self.minimum.pop_front();
        }
        self.frames_in += 1;
        let held = self.minimum.front().map_or(needed, |&(_, gain)| gain);
        let distance = (held - self.released) * self.release;
        // One that rounding would keep for ever is none.
        self.released = if distance * f64::from(ONE) < 1.0 { held } else { held - distance };
        let quantised = (self.released * f64::from(ONE)) as u32;
        self.window.push_back(quantised);
        self.sum += u64::from(quantised);
        if self.window.len() <= self.look_ahead {
            return None;
        }
        let gain = self.sum as f64 / (length as f64 * f64::from(ONE));
        self.sum -= u64::from(self.window.pop_front().unwrap_or(0));
        Some(gain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_peak_is_approached_in_a_line_held_and_released_exponentially() {
        let (look_ahead, release_frames, peak, needed) = (8_usize, 20.0, 30_usize, 0.25);
        let mut envelope = Envelope::new(look_ahead, release_frames);
        let gains: Vec<f64> =
            (0..200).filter_map(|n| envelope.next(if n == peak { needed } else { 1.0 })).collect();
        // What the average runs over: the need is held for L frames after the peak.
        let before_average = |n: usize| {
            if n < peak {
                1.0
            } else {
                let since = n.saturating_sub(peak + look_ahead) as f64;
                1.0 - (1.0 - needed) * (-since / release_frames).exp()
            }
        };
        for (frame, gain) in gains.iter().enumerate() {
            let length = look_ahead + 1;
            let expected = (frame..frame + length).map(before_average).sum::<f64>() / length as f64;
            assert!((gain - expected).abs() < 1e-8, "frame {frame}: {gain}, expected {expected}");
        }
        assert!(gains[peak] <= needed);
        assert_eq!(gains[peak - look_ahead - 1], 1.0);
    }

    #[test]
    fn no_frame_gets_more_than_it_needs_and_calm_leads_back_to_exactly_one() {
        let mut envelope = Envelope::new(17, 3.0);
        let needs: Vec<f64> = (0..4_000_u32)
            .map(|n| {
                if n < 3_000 {
                    1.0 / (1.0 + f64::from(n.wrapping_mul(2_654_435_761) >> 20) / 512.0)
                } else {
                    1.0
                }
            })
            .collect();
        let gains: Vec<f64> = needs.iter().filter_map(|&needed| envelope.next(needed)).collect();
        assert_eq!(gains.len(), needs.len() - 17);
        assert!(gains.iter().zip(&needs).all(|(gain, needed)| gain <= needed));
        assert_eq!(gains.last(), Some(&1.0));
    }
}
