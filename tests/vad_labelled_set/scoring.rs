//! How good a detection is: frame F1 in steps of 10 ms, the area under the ROC curve of the probabilities, and
//! how far starts and ends are off. It knows no detector.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::recordings::{Recording, SAMPLE_RATE_HZ};

const STEP_NS: i64 = 10_000_000;

/// What a detector says about one recording.
pub struct Detection {
    /// Speech segments, start and end in ns, in order.
    pub segments: Vec<(i64, i64)>,
    /// Time (ns) in the middle of each frame, and its probability of speech.
    pub probabilities: Vec<(i64, f32)>,
}

/// Steps of 10 ms by truth and detection.
#[derive(Clone, Copy, Default)]
struct Counts {
    hits: u64,
    false_alarms: u64,
    misses: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.false_alarms += other.false_alarms;
        self.misses += other.misses;
    }

    fn f1(self) -> f64 {
        2.0 * self.hits as f64 / (2 * self.hits + self.false_alarms + self.misses).max(1) as f64
    }

    fn precision(self) -> f64 {
        self.hits as f64 / (self.hits + self.false_alarms).max(1) as f64
    }

    fn recall(self) -> f64 {
        self.hits as f64 / (self.hits + self.misses).max(1) as f64
    }
}

/// The sums over a set.
#[derive(Default)]
pub struct Scores {
    cells: BTreeMap<(String, i64), Counts>,
    onset_errors_ns: Vec<i64>,
    offset_errors_ns: Vec<i64>,
    labelled_probabilities: Vec<(f32, bool)>,
}

impl Scores {
    /// Adds one recording's detection.
    pub fn add(&mut self, recording: &Recording, detection: &Detection) {
        let duration_ns = recording.samples.len() as i64 * 1_000_000_000 / i64::from(SAMPLE_RATE_HZ);
        let mut counts = Counts::default();
        for step in 0..duration_ns / STEP_NS {
            let middle_ns = step * STEP_NS + STEP_NS / 2;
            match (covers(&recording.segments, middle_ns), covers(&detection.segments, middle_ns)) {
                (true, true) => counts.hits += 1,
                (false, true) => counts.false_alarms += 1,
                (true, false) => counts.misses += 1,
                (false, false) => {}
            }
        }
        self.cells.entry((recording.noise.clone(), recording.snr_db)).or_default().add(counts);
        for &(start_ns, end_ns) in &detection.segments {
            let mut overlapped =
                recording.segments.iter().filter(|&&(from_ns, to_ns)| from_ns < end_ns && to_ns > start_ns);
            if let Some(&first) = overlapped.next() {
                let last = overlapped.next_back().copied().unwrap_or(first);
                self.onset_errors_ns.push((start_ns - first.0).abs());
                self.offset_errors_ns.push((end_ns - last.1).abs());
            }
        }
        let frames = detection.probabilities.iter();
        self.labelled_probabilities
            .extend(frames.map(|&(middle_ns, p)| (p, covers(&recording.segments, middle_ns))));
    }

    /// Frame F1 of the recordings that `choose` says yes to, by noise kind and signal-to-noise ratio.
    pub fn f1(&self, choose: impl Fn(&str, i64) -> bool) -> f64 {
        self.sum(choose).f1()
    }

    fn sum(&self, choose: impl Fn(&str, i64) -> bool) -> Counts {
        let mut sum = Counts::default();
        for ((noise, snr_db), counts) in &self.cells {
            if choose(noise, *snr_db) {
                sum.add(*counts);
            }
        }
        sum
    }

    /// Median distance between detected and true starts, in ms. Segments that hit nothing count in F1 only.
    pub fn median_onset_ms(&self) -> f64 {
        median_ms(&self.onset_errors_ns)
    }

    /// Median distance between detected and true ends, in ms.
    pub fn median_offset_ms(&self) -> f64 {
        median_ms(&self.offset_errors_ns)
    }

    /// Area under the ROC curve of the frame probabilities of the whole set: the chance that a frame of speech
    /// has a higher one than a frame without (Mann-Whitney U, ties at half).
    pub fn auc(&self) -> f64 {
        let mut sorted = self.labelled_probabilities.clone();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut quiet_below, mut wins) = (0.0, 0.0);
        for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
            let speech = tied.iter().filter(|(_, is_speech)| *is_speech).count() as f64;
            let quiet = tied.len() as f64 - speech;
            wins += speech * (quiet_below + quiet / 2.0);
            quiet_below += quiet;
        }
        let speech = sorted.len() as f64 - quiet_below;
        wins / (speech * quiet_below)
    }

    /// F1 by noise kind and signal-to-noise ratio, and the sums, for a person.
    pub fn table(&self, title: &str) -> String {
        let mut noises: Vec<&str> = self.cells.keys().map(|(noise, _)| noise.as_str()).collect();
        noises.dedup();
        let mut ratios: Vec<i64> = self.cells.keys().map(|(_, snr_db)| *snr_db).collect();
        ratios.sort_unstable_by(|a, b| b.cmp(a));
        ratios.dedup();
        let mut text = format!("{title}\n F1    ");
        for noise in &noises {
            let _ = write!(text, "{noise:>8}");
        }
        text.push_str("     all\n");
        for &ratio in &ratios {
            let _ = write!(text, "{ratio:>3} dB ");
            for noise in &noises {
                let _ = write!(text, "{:8.3}", self.f1(|kind, snr_db| kind == *noise && snr_db == ratio));
            }
            let _ = writeln!(text, "{:8.3}", self.f1(|_, snr_db| snr_db == ratio));
        }
        text.push_str("   all ");
        for noise in &noises {
            let _ = write!(text, "{:8.3}", self.f1(|kind, _| kind == *noise));
        }
        let all = self.sum(|_, _| true);
        let _ = writeln!(text, "{:8.3}", all.f1());
        let _ = writeln!(
            text,
            "precision {:.3}, recall {:.3}, AUC {:.3}, median onset {:.0} ms, offset {:.0} ms",
            all.precision(),
            all.recall(),
            self.auc(),
            self.median_onset_ms(),
            self.median_offset_ms()
        );
        text
    }
}

fn covers(segments: &[(i64, i64)], time_ns: i64) -> bool {
    segments.iter().any(|&(start_ns, end_ns)| start_ns <= time_ns && time_ns < end_ns)
}

fn median_ms(errors_ns: &[i64]) -> f64 {
    let mut sorted = errors_ns.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or(f64::INFINITY, |&error| error as f64 / 1e6)
}

#[test]
fn a_perfect_detection_scores_one_and_a_shifted_one_what_it_overlaps() {
    let recording = Recording {
        noise: "none".into(),
        snr_db: 20,
        samples: vec![0; 160_000],
        segments: vec![(1_000_000_000, 3_000_000_000)],
    };
    let score = |start_ns, end_ns| {
        let mut scores = Scores::default();
        let probabilities = (0..100).map(|i| (i * 100_000_000, if i < 10 { 0.2 } else { 0.1 })).collect();
        scores.add(&recording, &Detection { segments: vec![(start_ns, end_ns)], probabilities });
        scores
    };
    assert_eq!(score(1_000_000_000, 3_000_000_000).f1(|_, _| true), 1.0);
    let shifted = score(1_500_000_000, 3_250_000_000);
    // 1.5 s hit, 0.25 s false, 0.5 s missed.
    assert!((shifted.f1(|_, _| true) - 3.0 / 3.75).abs() < 1e-12);
    assert_eq!((shifted.median_onset_ms(), shifted.median_offset_ms()), (500.0, 250.0));
    // Speech frames (20 of 100) all have 0.1; 10 of the 80 others have 0.2 and win, 70 tie.
    assert!((shifted.auc() - 70.0 / 80.0 / 2.0).abs() < 1e-12);
}
