//! From frame scores to speech segments: two thresholds, pre-roll, hang-over, shortest and longest segment.
//!
//! A segment opens when the score reaches the upper threshold and is dated back to where it last rose above the
//! lower one. It closes when the score has stayed below the lower threshold for the hang-over, and ends at the
//! last frame above it (plus the post-roll). Everything here counts frames; samples, time and audio are the
//! detector's.

use std::ops::Range;

/// The rules, in frames and log-odds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    /// Opens a segment at or above this score.
    pub open_log_odds: f32,
    /// A frame at or above this score is speech while a segment is open.
    pub close_log_odds: f32,
    /// How far back an opening is dated at most.
    pub max_look_back: u64,
    /// Frames added before the start.
    pub pre_roll: u64,
    /// Frames added after the end.
    pub post_roll: u64,
    /// Quiet frames in a row that close a segment.
    pub hang_over: u64,
    /// Shorter segments (before pre- and post-roll) are dropped.
    pub min_speech: u64,
    /// Longer segments are cut and go on as the next one.
    pub max_speech: u64,
}

/// One finished segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Its frames, pre-roll and post-roll included; the detector cuts it to the frames there are.
    pub frames: Range<u64>,
    /// Mean probability over the frames without pre-roll and post-roll, 0 to 1.
    pub mean_probability: f32,
}

/// A segment that is not finished.
#[derive(Clone, Copy, Debug)]
struct Open {
    start: u64,
    /// One past the last frame of speech.
    end: u64,
    /// Sum of the probabilities of `start..end`.
    sum: f64,
    /// Sum of the probabilities from `end` on.
    quiet_sum: f64,
    /// It goes on from a segment that was cut for its length, so no minimum applies.
    is_continuation: bool,
}

/// The state machine; feed it one score per frame.
#[derive(Clone, Debug)]
pub(super) struct Hysteresis {
    rules: Rules,
    /// Number of the next frame.
    next_frame: u64,
    /// First frame of the current run above the lower threshold, and the sum of its probabilities.
    run: (u64, f64),
    open: Option<Open>,
    /// No segment may begin before the end of the one before.
    not_before: u64,
}

impl Hysteresis {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, next_frame: 0, run: (0, 0.0), open: None, not_before: 0 }
    }

    /// True while a segment is open, its hang-over included.
    pub(super) fn in_speech(&self) -> bool {
        self.open.is_some()
    }

    /// The earliest frame that a segment not yet finished can begin with.
    pub(super) fn earliest_frame(&self) -> u64 {
        let start = match self.open {
            Some(open) => open.start,
            None => self.next_frame.saturating_sub(self.rules.max_look_back),
        };
        start.saturating_sub(self.rules.pre_roll).max(self.not_before)
    }

    /// Takes the score (log-odds) and probability of the next frame; gives the segment that it finished.
    pub(super) fn push(&mut self, log_odds: f32, probability: f32) -> Option<Segment> {
        let frame = self.next_frame;
        self.next_frame += 1;
        let probability = f64::from(probability);
        let is_quiet = log_odds < self.rules.close_log_odds;
        if let Some(open) = &mut self.open {
            open.quiet_sum += probability;
            if !is_quiet {
                open.end = frame + 1;
                open.sum += std::mem::take(&mut open.quiet_sum);
            }
            let is_over = frame + 1 - open.end >= self.rules.hang_over.max(1);
            let is_too_long = frame + 1 - open.start >= self.rules.max_speech;
            return if is_over || is_too_long { self.close(!is_over && !is_quiet) } else { None };
        }
        if is_quiet {
            self.run = (frame + 1, 0.0);
            return None;
        }
        self.run.1 += probability;
        let oldest = frame.saturating_sub(self.rules.max_look_back);
        if self.run.0 < oldest {
            // Too long ago to date back to: forget the oldest frame, at the run's mean.
            self.run.1 -= self.run.1 / (frame + 1 - self.run.0) as f64;
            self.run.0 = oldest;
        }
        if log_odds >= self.rules.open_log_odds {
            let (start, sum) = self.run;
            self.open = Some(Open { start, end: frame + 1, sum, quiet_sum: 0.0, is_continuation: false });
        }
        None
    }

    /// Ends the stream: gives the segment that was still open.
    pub(super) fn finish(&mut self) -> Option<Segment> {
        self.close(false)
    }

    /// Closes the open segment. With `goes_on` the next one opens with the next frame.
    fn close(&mut self, goes_on: bool) -> Option<Segment> {
        let open = self.open.take()?;
        self.run = (self.next_frame, 0.0);
        if goes_on {
            let start = self.next_frame;
            self.open = Some(Open { start, end: start, sum: 0.0, quiet_sum: 0.0, is_continuation: true });
        }
        let length = open.end - open.start;
        let shortest = if open.is_continuation { 1 } else { self.rules.min_speech.max(1) };
        if length < shortest {
            return None;
        }
        let start = open.start.saturating_sub(self.rules.pre_roll).max(self.not_before);
        let end = if goes_on { open.end } else { open.end + self.rules.post_roll };
        self.not_before = end;
        Some(Segment { frames: start..end, mean_probability: (open.sum / length as f64) as f32 })
    }

    /// Starts again at frame 0.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        open_log_odds: 0.0,
        close_log_odds: -1.0,
        max_look_back: 3,
        pre_roll: 1,
        post_roll: 2,
        hang_over: 4,
        min_speech: 3,
        max_speech: 20,
    };

    /// One character per frame: `#` at the upper threshold, `+` at the lower one, `.` below both.
    fn segments(rules: Rules, frames: &str) -> Vec<(u64, u64)> {
        let mut hysteresis = Hysteresis::new(rules);
        let mut found: Vec<Segment> = Vec::new();
        for frame in frames.chars() {
            let log_odds = match frame {
                '#' => 0.0,
                '+' => -1.0,
                _ => -1.5,
            };
            found.extend(hysteresis.push(log_odds, 0.5));
        }
        found.extend(hysteresis.finish());
        found.iter().map(|segment| (segment.frames.start, segment.frames.end)).collect()
    }

    #[test]
    fn a_segment_is_dated_back_to_the_lower_threshold_and_padded() {
        // Frames 4..9 are above the lower threshold; one frame of pre-roll, two of post-roll.
        assert_eq!(segments(RULES, "....++###......"), [(3, 11)]);
    }

    #[test]
    fn an_opening_is_not_dated_back_further_than_the_look_back() {
        // The upper threshold is reached at frame 8: back 3 frames, then one of pre-roll.
        assert_eq!(segments(RULES, "..++++++##....."), [(4, 12)]);
    }

    #[test]
    fn the_lower_threshold_alone_opens_nothing() {
        assert_eq!(segments(RULES, "..++++++++....."), []);
    }

    #[test]
    fn a_gap_shorter_than_the_hang_over_is_bridged_and_a_longer_one_is_not() {
        assert_eq!(segments(RULES, "###...###......"), [(0, 11)]);
        assert_eq!(segments(RULES, "###....###....."), [(0, 5), (6, 12)]);
    }

    #[test]
    fn segments_never_overlap_however_wide_their_margins() {
        let wide = Rules { pre_roll: 9, post_roll: 3, ..RULES };
        assert_eq!(segments(wide, "###....###....."), [(0, 6), (6, 13)]);
    }

    #[test]
    fn speech_shorter_than_the_minimum_is_dropped() {
        assert_eq!(segments(RULES, "...##..........###...."), [(14, 20)]);
    }

    #[test]
    fn a_long_segment_is_cut_without_a_hole_and_its_short_rest_is_kept() {
        let frames = "#".repeat(41) + "....";
        assert_eq!(segments(RULES, &frames), [(0, 20), (20, 40), (40, 43)]);
        assert_eq!(segments(RULES, &"#".repeat(40)), [(0, 20), (20, 40)]);
    }

    #[test]
    fn a_segment_open_at_the_end_is_finished() {
        assert_eq!(segments(RULES, "....###"), [(3, 9)]);
    }

    #[test]
    fn the_mean_probability_leaves_out_the_quiet_frames_at_the_end() {
        let mut hysteresis = Hysteresis::new(RULES);
        let mut found = None;
        for (log_odds, probability) in [
            (-1.0, 0.25),
            (0.0, 0.75),
            (-2.0, 0.5),
            (0.0, 1.0),
            (-2.0, 0.0),
            (-2.0, 0.0),
            (-2.0, 0.0),
            (-2.0, 0.0),
        ] {
            found = found.or(hysteresis.push(log_odds, probability));
        }
        assert_eq!(found.map(|segment| segment.mean_probability), Some((0.25 + 0.75 + 0.5 + 1.0) / 4.0));
        assert!(!hysteresis.in_speech());
    }

    #[test]
    fn no_later_segment_begins_before_the_earliest_frame() {
        let mut hysteresis = Hysteresis::new(RULES);
        let mut promised = 0;
        let mut segments = 0;
        for frame in 0..400_u32 {
            let log_odds = f32::from(u8::try_from(frame * 7919 % 251 / 16 % 3).unwrap()) - 1.8;
            promised = promised.max(hysteresis.earliest_frame());
            if let Some(segment) = hysteresis.push(log_odds, 0.5) {
                assert!(promised <= segment.frames.start, "{promised} was promised, {segment:?} came");
                segments += 1;
            }
        }
        assert!(segments > 3, "{segments} segments test nothing");
    }
}
