//! The recent mono samples of a stream, kept so that a finished segment can be handed on as audio. It is as long
//! as the segment that is open, or as an opening may be dated back; the detector says from where on.

use std::ops::Range;

/// Samples by their number in the stream.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: Vec<f32>,
    /// Number of `samples[0]`.
    first: u64,
}

impl History {
    /// Adds the samples that follow.
    pub(super) fn append(&mut self, samples: &[f32]) {
        self.samples.extend_from_slice(samples);
    }

    /// Says that samples before `number` will not be asked for.
    pub(super) fn forget_before(&mut self, number: u64) {
        let unneeded = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let unneeded = unneeded.min(self.samples.len());
        // Moving the rest costs time: do it when at least half goes, so that each sample moves once on average.
        if unneeded * 2 > self.samples.len() {
            self.samples.drain(..unneeded);
            self.first += unneeded as u64;
        }
    }

    /// A copy of the samples in `range`, cut to those that are kept.
    pub(super) fn copy(&self, range: Range<u64>) -> Vec<f32> {
        let index = |number: u64| {
            usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.samples.len())
        };
        let (start, end) = (index(range.start), index(range.end));
        self.samples.get(start..end).unwrap_or_default().to_vec()
    }

    /// Starts again at sample 0.
    pub(super) fn reset(&mut self) {
        self.samples.clear();
        self.first = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_their_numbers_when_older_ones_go() {
        let mut history = History::default();
        for start in (0..1_000_usize).step_by(10) {
            let samples: Vec<f32> = (start..start + 10).map(|n| n as f32).collect();
            history.append(&samples);
            history.forget_before(start.saturating_sub(25) as u64);
            assert!(history.samples.len() <= 2 * 35 + 10, "{} samples kept", history.samples.len());
        }
        assert_eq!(history.copy(980..983), [980.0, 981.0, 982.0]);
        assert_eq!(history.copy(998..1_200), [998.0, 999.0]);
        assert!(history.copy(0..3).is_empty());
    }
}
