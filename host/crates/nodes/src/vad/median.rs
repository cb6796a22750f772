//! A sliding median over frame scores: it removes bursts of up to three frames (clicks, keys, taps) and keeps
//! the edges of speech where they are.
//!
//! It looks [`LOOK_AHEAD`] frames ahead, so scores leave it that much later than they came in. It does not know
//! what a score means.

/// Frames of the window.
const WINDOW: usize = 7;

/// How many frames a score is held back.
pub(super) const LOOK_AHEAD: usize = WINDOW / 2;

/// The last [`WINDOW`] scores.
#[derive(Clone, Debug, Default)]
pub(super) struct SlidingMedian {
    recent: [f32; WINDOW],
    /// Scores taken since the last reset, flushing rounds included.
    taken: usize,
    /// Scores given back since the last reset.
    given: usize,
}

impl SlidingMedian {
    /// Takes the next score; gives the median around the score [`LOOK_AHEAD`] frames back, once there is one.
    pub(super) fn push(&mut self, score: f32) -> Option<f32> {
        self.recent.rotate_left(1);
        self.recent[WINDOW - 1] = score;
        self.taken += 1;
        if self.taken <= LOOK_AHEAD {
            return None;
        }
        self.given += 1;
        let mut recent = self.recent;
        Some(median(&mut recent[WINDOW - self.taken.min(WINDOW)..]))
    }

    /// At the end of the stream: the median around the next score still held back, over what there is of its
    /// window; `None` when all have left.
    pub(super) fn drain(&mut self) -> Option<f32> {
        if self.given >= self.taken {
            return None;
        }
        // The score at `given` has its whole past in the window and `taken - 1 - given` scores of its future.
        let future = self.taken - 1 - self.given;
        let past = self.given.min(LOOK_AHEAD);
        self.given += 1;
        let mut recent = self.recent;
        Some(median(&mut recent[WINDOW - 1 - future - past..]))
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The middle value; the mean of the two middle values when there are two.
fn median(values: &mut [f32]) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { 0.5 * (values[middle - 1] + values[middle]) } else { values[middle] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(scores: &[f32]) -> Vec<f32> {
        let mut sliding = SlidingMedian::default();
        let mut medians: Vec<f32> = scores.iter().filter_map(|&score| sliding.push(score)).collect();
        while let Some(last) = sliding.drain() {
            medians.push(last);
        }
        medians
    }

    #[test]
    fn every_score_leaves_as_the_median_of_its_cut_neighbourhood() {
        for length in 0..12_usize {
            let scores: Vec<f32> = (0..length).map(|i| (i * 37 % 11) as f32).collect();
            let expected: Vec<f32> = (0..length)
                .map(|i| {
                    let mut around = scores[i.saturating_sub(3)..(i + 4).min(length)].to_vec();
                    around.sort_by(f32::total_cmp);
                    (around[(around.len() - 1) / 2] + around[around.len() / 2]) / 2.0
                })
                .collect();
            assert_eq!(filter(&scores), expected, "{length} scores");
        }
    }

    #[test]
    fn three_loud_frames_vanish_and_four_stay() {
        let quiet = [0.0; 4];
        assert_eq!(filter(&[&quiet[..], &[9.0; 3], &quiet].concat()), [0.0; 11]);
        let loud = [&quiet[..], &[9.0; 4], &quiet].concat();
        assert_eq!(filter(&loud), loud);
    }
}
