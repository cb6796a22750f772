//! A detector: mono samples in, frame scores and speech segments in sample numbers out.
//!
//! It joins an engine, the median and the hysteresis, and knows where in the stream a frame lies. It holds no
//! packet, no time and no JSON.

use std::ops::Range;

use remotemedia_core::NodeError;

use super::energy::EnergyEngine;
use super::hysteresis::{Hysteresis, Segment};
use super::median::SlidingMedian;
use super::neural::{self, EarshotEngine};
use super::params::{VadEngine, VadParams};

/// The lowest rate that holds enough of a voice.
const LOWEST_RATE_HZ: u32 = 8_000;

/// What a detector finds out about one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// First sample of the 16 ms that it speaks about.
    pub start: u64,
    /// Probability of speech, 0 to 1.
    pub probability: f32,
    /// Whether it lies in a segment, as far as that is known when it is scored.
    pub is_speech: bool,
}

/// What a detector has found.
#[derive(Clone, Debug)]
pub(super) enum Finding {
    /// The next frame's score.
    Frame(Frame),
    /// A finished segment: its samples and the mean probability of its speech frames.
    Segment(Range<u64>, f32),
}

enum Engine {
    Energy(Box<EnergyEngine>),
    Earshot(EarshotEngine),
}

/// The detector of one stream.
pub(super) struct Detector {
    engine: Engine,
    median: SlidingMedian,
    hysteresis: Hysteresis,
    hop: Box<[f32]>,
    filled: usize,
    /// Samples taken, without the zeros that fill up the last hop.
    samples: u64,
    hops: u64,
    frames: u64,
    /// How many samples before its hop the frame of a score begins.
    delay: u64,
}

impl Detector {
    /// A detector for a rate.
    ///
    /// # Errors
    /// `InvalidInput` when the engine cannot work at this rate.
    pub(super) fn new(params: &VadParams, sample_rate_hz: u32) -> Result<Self, NodeError> {
        let hop = hop_samples(sample_rate_hz);
        let (engine, delay) = match params.engine {
            VadEngine::Energy if sample_rate_hz >= LOWEST_RATE_HZ => {
                (Engine::Energy(Box::new(EnergyEngine::new(sample_rate_hz, hop))), hop / 2)
            }
            VadEngine::Earshot if sample_rate_hz == neural::SAMPLE_RATE_HZ => {
                (Engine::Earshot(EarshotEngine::new()), hop)
            }
            VadEngine::Energy => {
                return Err(NodeError::invalid_input(format!(
                    "VAD needs at least {LOWEST_RATE_HZ} Hz, got {sample_rate_hz} Hz: resample the audio, with \
                     AudioResample {{\"target_sample_rate\": 16000}} before it"
                )));
            }
            VadEngine::Earshot => {
                return Err(NodeError::invalid_input(format!(
                    "VAD with engine \"earshot\" works at {} Hz, got {sample_rate_hz} Hz: put AudioResample \
                     {{\"target_sample_rate\": 16000}} before it, or use engine \"energy\"",
                    neural::SAMPLE_RATE_HZ
                )));
            }
        };
        Ok(Self {
            engine,
            median: SlidingMedian::default(),
            hysteresis: Hysteresis::new(params.rules(sample_rate_hz, hop)),
            hop: vec![0.0; hop].into(),
            filled: 0,
            samples: 0,
            hops: 0,
            frames: 0,
            delay: delay as u64,
        })
    }

    /// Samples per frame.
    pub(super) fn hop(&self) -> usize {
        self.hop.len()
    }

    /// Samples taken since the start.
    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// The earliest sample that a segment not yet found can begin with.
    pub(super) fn earliest_sample(&self) -> u64 {
        self.sample_of(self.hysteresis.earliest_frame())
    }

    /// Takes samples, `available` or up to the end of the hop: `read` writes them. Gives what was written; call
    /// [`Detector::advance`] next.
    pub(super) fn fill(&mut self, available: usize, read: impl FnOnce(&mut [f32])) -> &[f32] {
        let start = self.filled;
        self.filled += available.min(self.hop.len() - start);
        let samples = &mut self.hop[start..self.filled];
        self.samples += samples.len() as u64;
        read(samples);
        samples
    }

    /// Scores the hop, when it is full.
    pub(super) fn advance(&mut self, found: &mut impl FnMut(Finding)) {
        if self.filled == self.hop.len() {
            self.score_hop(found);
        }
    }

    /// Ends the stream, or its part before a gap: scores what is held back and finishes the open segment.
    pub(super) fn finish(&mut self, found: &mut impl FnMut(Finding)) {
        while self.hops * (self.hop.len() as u64) < self.samples + self.delay && self.samples > 0 {
            self.hop[self.filled..].fill(0.0);
            self.score_hop(found);
        }
        while let Some(score) = self.median.drain() {
            self.decide(score, found);
        }
        if let Some(segment) = self.hysteresis.finish() {
            self.report(&segment, found);
        }
    }

    /// Starts again at sample 0, remembering the background.
    pub(super) fn restart(&mut self) {
        match &mut self.engine {
            Engine::Energy(engine) => engine.reset_samples(),
            Engine::Earshot(engine) => engine.reset_samples(),
        }
        self.median.reset();
        self.hysteresis.reset();
        (self.filled, self.samples, self.hops, self.frames) = (0, 0, 0, 0);
    }

    fn score_hop(&mut self, found: &mut impl FnMut(Finding)) {
        self.filled = 0;
        self.hops += 1;
        let score = match &mut self.engine {
            Engine::Energy(engine) => engine.log_odds(&self.hop),
            Engine::Earshot(engine) => engine.log_odds(&self.hop),
        };
        if let Some(score) = self.median.push(score) {
            self.decide(score, found);
        }
    }

    fn decide(&mut self, log_odds: f32, found: &mut impl FnMut(Finding)) {
        let probability = super::probability(log_odds);
        let segment = self.hysteresis.push(log_odds, probability);
        let start = self.sample_of(self.frames);
        self.frames += 1;
        if start < self.samples {
            found(Finding::Frame(Frame { start, probability, is_speech: self.hysteresis.in_speech() }));
        }
        if let Some(segment) = segment {
            self.report(&segment, found);
        }
    }

    fn report(&self, segment: &Segment, found: &mut impl FnMut(Finding)) {
        // Only whole hops count, so that a segment does not depend on how the stream was cut.
        let end = self.sample_of(segment.frames.end).min(self.samples).min(self.hops * self.hop.len() as u64);
        let start = self.sample_of(segment.frames.start);
        if start < end {
            found(Finding::Segment(start..end, segment.mean_probability));
        }
    }

    fn sample_of(&self, frame: u64) -> u64 {
        (frame * self.hop.len() as u64).saturating_sub(self.delay)
    }
}

/// 16 ms, rounded to a multiple of 16 samples so that the FFT has small factors.
fn hop_samples(sample_rate_hz: u32) -> usize {
    let sixteenths = (u64::from(sample_rate_hz) + 500) / 1_000;
    usize::try_from(sixteenths.max(1) * 16).unwrap_or(256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_16_ms_at_every_rate() {
        for rate in [8_000_u32, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 384_000] {
            let milliseconds = hop_samples(rate) as f64 * 1_000.0 / f64::from(rate);
            assert!((milliseconds - 16.0).abs() < 0.4, "{rate} Hz: {milliseconds} ms");
        }
        assert_eq!(hop_samples(16_000), 256);
    }

    #[test]
    fn a_rate_that_an_engine_cannot_use_is_refused_with_the_way_out() {
        let params = VadParams { engine: VadEngine::Earshot, ..VadParams::default() };
        let error = Detector::new(&params, 48_000).err().unwrap();
        assert!(error.message.contains("AudioResample") && error.message.contains("48000"), "{error}");
        let error = Detector::new(&VadParams::default(), 4_000).err().unwrap();
        assert!(error.message.contains("8000 Hz"), "{error}");
    }

    #[test]
    fn every_sample_belongs_to_a_frame_and_frames_come_in_order() {
        for engine in [VadEngine::Energy, VadEngine::Earshot] {
            for length in [1_usize, 255, 256, 257, 5_000] {
                let params = VadParams { engine, ..VadParams::default() };
                let mut detector = Detector::new(&params, 16_000).unwrap();
                let mut starts = Vec::new();
                let mut found = |finding| {
                    if let Finding::Frame(frame) = finding {
                        starts.push(frame.start);
                    }
                };
                let mut left = length;
                while left > 0 {
                    left -= detector.fill(left, |target| target.fill(0.1)).len();
                    detector.advance(&mut found);
                }
                detector.finish(&mut found);
                assert_eq!(starts[0], 0);
                assert!(starts.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] <= 256));
                let last = usize::try_from(starts[starts.len() - 1]).unwrap();
                assert!(last < length && length <= last + 256, "{length} samples, last frame at {last}");
            }
        }
    }
}
