//! The params of the VAD node: their defaults, their limits, and what they mean in frames.

use remotemedia_core::NodeError;
use schemars::JsonSchema;
use serde::Deserialize;

use super::hysteresis::Rules;

/// An opening is dated back at most this far to where the score rose.
const LOOK_BACK_MS: u32 = 100;

/// Which engine scores the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VadEngine {
    /// Energy above an adaptive noise floor in 16 mel bands: any rate from 8 kHz, about 1.3 µs per 30 ms at 16 kHz.
    #[default]
    Energy,
    /// The earshot neural network behind a level gate: 16 kHz only, 11 µs per 30 ms.
    Earshot,
}

/// How speech is found. Times are rounded to whole frames of 16 ms.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VadParams {
    /// Which engine scores the frames: `energy` (any rate from 8 kHz) or `earshot` (neural, 16 kHz only).
    pub engine: VadEngine,
    /// Probability of speech, 0 to 1, at which a segment opens.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub threshold: f64,
    /// How far the probability must fall below `threshold` before a frame counts as quiet; less than `threshold`.
    #[schemars(range(min = 0.0, max = 0.98))]
    pub hysteresis: f64,
    /// Audio before the first speech frame that belongs to a segment, in milliseconds.
    #[schemars(range(max = 2_000))]
    pub pre_roll_ms: u32,
    /// Audio after the last speech frame that belongs to a segment, in milliseconds; at most `hang_over_ms`.
    #[schemars(range(max = 10_000))]
    pub post_roll_ms: u32,
    /// Quiet, in milliseconds, that ends a segment; shorter pauses are part of it.
    #[schemars(range(max = 10_000))]
    pub hang_over_ms: u32,
    /// Shortest speech, in milliseconds, that makes a segment, measured without pre- and post-roll.
    #[schemars(range(max = 10_000))]
    pub min_speech_ms: u32,
    /// A segment is cut after this many milliseconds and goes on as the next one; it bounds memory and delay.
    #[schemars(range(min = 1_000, max = 600_000))]
    pub max_speech_ms: u32,
}

impl Default for VadParams {
    fn default() -> Self {
        Self {
            engine: VadEngine::Energy,
            threshold: 0.5,
            hysteresis: 0.38,
            pre_roll_ms: 0,
            post_roll_ms: 64,
            hang_over_ms: 240,
            min_speech_ms: 144,
            max_speech_ms: 30_000,
        }
    }
}

impl VadParams {
    /// Checks what the schema cannot say.
    pub(super) fn validate(&self) -> Result<(), NodeError> {
        within("threshold", self.threshold, 0.01, 0.99)?;
        within("hysteresis", self.hysteresis, 0.0, 0.98)?;
        within("pre_roll_ms", self.pre_roll_ms, 0, 2_000)?;
        within("post_roll_ms", self.post_roll_ms, 0, 10_000)?;
        within("hang_over_ms", self.hang_over_ms, 0, 10_000)?;
        within("min_speech_ms", self.min_speech_ms, 0, 10_000)?;
        within("max_speech_ms", self.max_speech_ms, 1_000, 600_000)?;
        if self.hysteresis >= self.threshold {
            return Err(NodeError::invalid_params(format!(
                "hysteresis ({}) must be less than threshold ({}), or no segment would ever end",
                self.hysteresis, self.threshold
            )));
        }
        if self.post_roll_ms > self.hang_over_ms {
            return Err(NodeError::invalid_params(format!(
                "post_roll_ms ({}) may not exceed hang_over_ms ({}): a segment cannot reach past the quiet \
                 that ended it",
                self.post_roll_ms, self.hang_over_ms
            )));
        }
        if self.min_speech_ms >= self.max_speech_ms {
            return Err(NodeError::invalid_params(format!(
                "min_speech_ms ({}) must be less than max_speech_ms ({})",
                self.min_speech_ms, self.max_speech_ms
            )));
        }
        Ok(())
    }

    /// The rules in frames of `hop` samples.
    pub(super) fn rules(&self, sample_rate_hz: u32, hop: usize) -> Rules {
        let frames = |ms: u32| {
            let samples = u64::from(ms) * u64::from(sample_rate_hz);
            let samples_per_frame = 1_000 * hop as u64;
            (samples + samples_per_frame / 2) / samples_per_frame
        };
        Rules {
            open_log_odds: log_odds(self.threshold),
            close_log_odds: log_odds(self.threshold - self.hysteresis),
            max_look_back: frames(LOOK_BACK_MS),
            pre_roll: frames(self.pre_roll_ms),
            post_roll: frames(self.post_roll_ms),
            hang_over: frames(self.hang_over_ms),
            min_speech: frames(self.min_speech_ms),
            max_speech: frames(self.max_speech_ms),
        }
    }
}

/// Log-odds of a probability between 0 and 1.
fn log_odds(probability: f64) -> f32 {
    (probability / (1.0 - probability)).ln() as f32
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), NodeError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(NodeError::invalid_params(format!("{name} must be from {least} to {most}, got {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_times_are_whole_frames_at_16_khz() {
        let rules = VadParams::default().rules(16_000, 256);
        assert_eq!((rules.pre_roll, rules.post_roll, rules.hang_over, rules.min_speech), (0, 4, 15, 9));
        assert_eq!((rules.max_look_back, rules.max_speech), (6, 1_875));
        assert_eq!(rules.open_log_odds, 0.0);
        // ln(0.12 / 0.88)
        assert!((rules.close_log_odds - -1.992_43).abs() < 1e-4, "{}", rules.close_log_odds);
    }

    #[test]
    fn params_that_contradict_each_other_are_refused_by_name() {
        let defaults = VadParams::default;
        let cases = [
            (VadParams { threshold: 0.0, ..defaults() }, "threshold"),
            (VadParams { threshold: f64::NAN, ..defaults() }, "threshold"),
            (VadParams { threshold: 0.3, ..defaults() }, "hysteresis"),
            (VadParams { post_roll_ms: 300, ..defaults() }, "post_roll_ms"),
            (VadParams { min_speech_ms: 5_000, max_speech_ms: 5_000, ..defaults() }, "min_speech_ms"),
            (VadParams { max_speech_ms: 10, ..defaults() }, "max_speech_ms"),
        ];
        assert!(defaults().validate().is_ok());
        for (params, named) in cases {
            let error = params.validate().unwrap_err();
            assert!(error.message.contains(named), "{named}: {error}");
        }
    }
}
