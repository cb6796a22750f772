//! How well found segments match true ones, measured in time, not in counts.

/// A stretch of time, in nanoseconds from the start of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub start_ns: i64,
    /// Where it ends; after the start.
    pub end_ns: i64,
}

impl Segment {
    /// How long it is.
    #[must_use]
    pub fn duration_ns(&self) -> i64 {
        (self.end_ns - self.start_ns).max(0)
    }

    /// How much of it `other` covers.
    #[must_use]
    pub fn overlap_ns(&self, other: &Self) -> i64 {
        (self.end_ns.min(other.end_ns) - self.start_ns.max(other.start_ns)).max(0)
    }
}

/// Found time against true time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Share of the found time that is true.
    pub precision: f64,
    /// Share of the true time that was found.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
}

/// Compares two lists; segments of one list do not overlap each other.
#[must_use]
pub fn score(found: &[Segment], truth: &[Segment]) -> Score {
    let total = |segments: &[Segment]| segments.iter().map(Segment::duration_ns).sum::<i64>() as f64;
    let common: i64 = truth.iter().map(|t| found.iter().map(|f| t.overlap_ns(f)).sum::<i64>()).sum();
    let share = |whole: f64| if whole > 0.0 { common as f64 / whole } else { 1.0 };
    let (precision, recall) = (share(total(found)), share(total(truth)));
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    Score { precision, recall, f1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start_ns: i64, end_ns: i64) -> Segment {
        Segment { start_ns, end_ns }
    }

    #[test]
    fn half_found_and_half_wrong_is_one_half() {
        // 10 of 20 true found; 10 of 20 found are true.
        let score = score(&[segment(10, 30)], &[segment(0, 20)]);
        assert_eq!((score.precision, score.recall, score.f1), (0.5, 0.5, 0.5));
    }

    #[test]
    fn one_long_segment_over_two_true_ones_costs_the_gap() {
        let score = score(&[segment(0, 100)], &[segment(0, 40), segment(60, 100)]);
        assert_eq!((score.precision, score.recall), (0.8, 1.0));
        assert!((score.f1 - 1.6 / 1.8).abs() < 1e-12);
    }

    #[test]
    fn nothing_found_of_something_is_zero() {
        assert_eq!(score(&[], &[segment(0, 5)]).f1, 0.0);
        assert_eq!(score(&[], &[]).f1, 1.0);
    }
}
