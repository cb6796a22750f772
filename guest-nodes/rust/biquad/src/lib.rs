//! The node `biquad`: a second-order equaliser section, with state per channel that lasts over packets, so that
//! results do not depend on how the stream was cut. It does not ramp coefficients: params are fixed for its life.

mod design;

use design::{Coefficients, Shape};
use remotemedia_node::{AudioView, Info, Node, NodeError};

/// The params of a manifest.
#[derive(Clone, Copy, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The response.
    kind: Kind,
    /// Corner, centre or shelf midpoint frequency, in Hz; below half the sample rate.
    #[schemars(range(min = 0.001))]
    frequency_hz: f64,
    /// Quality factor: the height of the corner of lowpass and highpass (0.7071 is Butterworth), centre frequency
    /// over bandwidth of peaking and notch, steepness of a shelf.
    #[serde(default = "butterworth")]
    #[schemars(range(min = 0.001, max = 1000.0))]
    q: f64,
    /// Gain of peaking and shelf filters, in dB.
    #[serde(default)]
    #[schemars(range(min = -150.0, max = 150.0))]
    gain_db: f64,
}

fn butterworth() -> f64 {
    std::f64::consts::FRAC_1_SQRT_2
}

/// The response of the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Passes what is below the frequency.
    Lowpass,
    /// Passes what is above the frequency.
    Highpass,
    /// Raises or lowers a band around the frequency.
    Peaking,
    /// Raises or lowers what is below the frequency.
    LowShelf,
    /// Raises or lowers what is above the frequency.
    HighShelf,
    /// Removes the frequency.
    Notch,
}

/// What one channel remembers: the two registers of the transposed direct form II.
#[derive(Clone, Copy, Debug, Default)]
struct ChannelState {
    s1: f64,
    s2: f64,
}

/// The filter. Its coefficients belong to one sample rate and are made when the first block tells it.
#[derive(Debug)]
struct Biquad {
    params: Params,
    sample_rate_hz: u32,
    coefficients: Coefficients,
    channels: Vec<ChannelState>,
}

impl Biquad {
    /// Adapts to the caps of the stream; a change of caps starts a new stream, with fresh state.
    fn adapt(&mut self, sample_rate_hz: u32, channels: u16) -> Result<(), NodeError> {
        if sample_rate_hz != self.sample_rate_hz {
            let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
            if self.params.frequency_hz >= nyquist_hz {
                return Err(NodeError::invalid_input(format!(
                    "frequency_hz is {}, but audio at {sample_rate_hz} Hz holds nothing from {nyquist_hz} Hz on",
                    self.params.frequency_hz
                )));
            }
            let Params { kind, frequency_hz, q, gain_db } = self.params;
            self.coefficients = Shape { frequency_hz, q, gain_db }.design(kind, f64::from(sample_rate_hz));
            self.sample_rate_hz = sample_rate_hz;
            self.channels.clear();
        }
        if self.channels.len() != usize::from(channels) {
            self.channels = vec![ChannelState::default(); usize::from(channels)];
        }
        Ok(())
    }
}

impl Node for Biquad {
    type Params = Params;
    const INFO: Info = Info::audio("biquad", "A second-order equaliser section (RBJ cookbook).");

    fn new(params: Params) -> Result<Self, NodeError> {
        let checks = [
            ("frequency_hz", params.frequency_hz, params.frequency_hz > 0.0, "above 0"),
            ("q", params.q, (0.001..=1000.0).contains(&params.q), "from 0.001 to 1000"),
            ("gain_db", params.gain_db, params.gain_db.abs() <= 150.0, "from -150 to 150"),
        ];
        for (name, value, valid, wanted) in checks {
            if !valid || !value.is_finite() {
                return Err(NodeError::invalid_params(format!("{name} is {value}, must be {wanted}")));
            }
        }
        Ok(Self { params, sample_rate_hz: 0, coefficients: Coefficients::IDENTITY, channels: Vec::new() })
    }

    fn audio(&mut self, audio: &mut AudioView<'_>) -> Result<(), NodeError> {
        self.adapt(audio.sample_rate_hz, audio.channels)?;
        let Coefficients { b0, b1, b2, a1, a2 } = self.coefficients;
        let stride = self.channels.len();
        for (channel, state) in self.channels.iter_mut().enumerate() {
            let ChannelState { mut s1, mut s2 } = *state;
            for sample in audio.samples.iter_mut().skip(channel).step_by(stride) {
                let x = f64::from(*sample);
                let y = b0 * x + s1;
                s1 = b1 * x - a1 * y + s2;
                s2 = b2 * x - a2 * y;
                *sample = y as f32;
            }
            // A NaN or infinity would stay in a recursive filter for ever; let it pass and start afresh.
            *state = if s1.is_finite() && s2.is_finite() {
                ChannelState { s1, s2 }
            } else {
                ChannelState::default()
            };
        }
        Ok(())
    }
}

remotemedia_node::export!(Biquad);

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_node::testing::start;

    #[test]
    fn results_do_not_depend_on_how_the_stream_was_cut() {
        let params = r#"{"kind": "peaking", "frequency_hz": 1000, "q": 2, "gain_db": 9}"#;
        let input: Vec<f32> = (0..600).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let whole = start::<Biquad>(params).unwrap().audio_f32(48_000, 2, &input).unwrap();
        let mut node = start::<Biquad>(params).unwrap();
        let mut cut = Vec::new();
        for frames in [0..2, 2..6, 6..6, 6..400, 400..600] {
            cut.extend(node.audio_f32(48_000, 2, &input[frames]).unwrap());
        }
        assert_eq!(whole, cut);
    }

    #[test]
    fn a_notch_removes_its_frequency_and_nothing_far_from_it() {
        let tone = |hz: f64| -> Vec<f32> {
            (0..48_000).map(|n| (std::f64::consts::TAU * hz * f64::from(n) / 48_000.0).sin() as f32).collect()
        };
        // From the power: samples need not fall on the crest of the wave.
        let amplitude_after_settling = |hz: f64| {
            let mut node = start::<Biquad>(r#"{"kind": "notch", "frequency_hz": 1000, "q": 5}"#).unwrap();
            let out = node.audio_f32(48_000, 1, &tone(hz)).unwrap();
            let power = out[24_000..].iter().map(|&y| f64::from(y) * f64::from(y)).sum::<f64>() / 24_000.0;
            (2.0 * power).sqrt()
        };
        assert!(amplitude_after_settling(1_000.0) < 1e-5);
        assert!((amplitude_after_settling(8_000.0) - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_frequency_at_or_above_nyquist_is_refused_when_the_rate_is_known() {
        let mut node = start::<Biquad>(r#"{"kind": "lowpass", "frequency_hz": 4000}"#).unwrap();
        let error = node.audio_f32(8_000, 1, &[0.0]).unwrap_err();
        assert!(error.message().contains("frequency_hz is 4000"), "{error}");
        assert!(start::<Biquad>(r#"{"kind": "lowpass", "frequency_hz": 0}"#).is_err());
        assert!(start::<Biquad>(r#"{"kind": "lowpass", "frequency_hz": 10, "q": 0}"#).is_err());
    }

    #[test]
    fn a_nan_does_not_poison_the_filter() {
        let mut node = start::<Biquad>(r#"{"kind": "lowpass", "frequency_hz": 1000}"#).unwrap();
        assert!(node.audio_f32(48_000, 1, &[0.5, f32::NAN]).unwrap()[1].is_nan());
        assert!(node.audio_f32(48_000, 1, &[0.5; 32]).unwrap().iter().all(|sample| sample.is_finite()));
    }
}
