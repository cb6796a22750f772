//! The `earshot` engine: the earshot crate's neural detector behind a level gate.
//!
//! The network wants hops of exactly 256 samples at 16 kHz. Bare, it fires on lasting tones and on distant
//! talk; the gate takes that away.

use earshot::Detector;

use super::level_gate::LevelGate;

/// The only rate the network was trained for.
pub(super) const SAMPLE_RATE_HZ: u32 = 16_000;

/// The network's odds of speech are taken this much lower: it is generous.
const CAUTION_LOG_ODDS: f32 = 0.5;

/// Probabilities nearer to 0 or 1 than this carry no more information.
const CLOSEST_TO_CERTAIN: f32 = 1e-4;

/// What the engine remembers of one stream.
pub(super) struct EarshotEngine {
    /// About 8 KiB.
    detector: Box<Detector>,
    gate: LevelGate,
}

impl EarshotEngine {
    pub(super) fn new() -> Self {
        Self { detector: Detector::default_boxed(), gate: LevelGate::new() }
    }

    /// Log-odds of speech in the hop before this one (the network's window ends with this one).
    pub(super) fn log_odds(&mut self, hop: &[f32]) -> f32 {
        let probability = self.detector.predict_f32(hop).clamp(CLOSEST_TO_CERTAIN, 1.0 - CLOSEST_TO_CERTAIN);
        (probability / (1.0 - probability)).ln() - CAUTION_LOG_ODDS - self.gate.penalty(hop)
    }

    /// Forgets the samples before a gap, but not what was learnt about the background.
    pub(super) fn reset_samples(&mut self) {
        self.detector.reset();
    }
}
