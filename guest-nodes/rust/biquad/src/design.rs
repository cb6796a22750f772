//! Coefficients after Robert Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients"
//! (W3C Note, 2021), normalised so that a0 is 1.

use crate::Kind;

/// y\[n\] = b0 x\[n\] + b1 x\[n-1\] + b2 x\[n-2\] - a1 y\[n-1\] - a2 y\[n-2\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    pub b0: f64,
    pub b1: f64,
    pub b2: f64,
    pub a1: f64,
    pub a2: f64,
}

impl Coefficients {
    /// Changes nothing.
    pub const IDENTITY: Self = Self { b0: 1.0, b1: 0.0, b2: 0.0, a1: 0.0, a2: 0.0 };
}

/// The numbers of a response.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub frequency_hz: f64,
    pub q: f64,
    pub gain_db: f64,
}

impl Shape {
    /// The coefficients of that response at a sample rate.
    pub fn design(self, kind: Kind, sample_rate_hz: f64) -> Coefficients {
        let w0 = std::f64::consts::TAU * self.frequency_hz / sample_rate_hz;
        let (sin, cos) = w0.sin_cos();
        let alpha = sin / (2.0 * self.q);
        let a = 10_f64.powf(self.gain_db / 40.0);
        let (b, a) = match kind {
            Kind::Lowpass => {
                let b1 = 1.0 - cos;
                ([b1 / 2.0, b1, b1 / 2.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
            }
            Kind::Highpass => {
                let b1 = -(1.0 + cos);
                ([-b1 / 2.0, b1, -b1 / 2.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
            }
            Kind::Notch => ([1.0, -2.0 * cos, 1.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha]),
            Kind::Peaking => (
                [1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a],
                [1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a],
            ),
            // A high shelf is a low shelf with the signs of the cosine turned round.
            Kind::LowShelf => shelf(a, cos, alpha, 1.0),
            Kind::HighShelf => shelf(a, cos, alpha, -1.0),
        };
        Coefficients { b0: b[0] / a[0], b1: b[1] / a[0], b2: b[2] / a[0], a1: a[1] / a[0], a2: a[2] / a[0] }
    }
}

fn shelf(a: f64, cos: f64, alpha: f64, sign: f64) -> ([f64; 3], [f64; 3]) {
    let (plus, minus) = (a + 1.0, a - 1.0);
    let cos = sign * cos;
    let slope = 2.0 * a.sqrt() * alpha;
    (
        [
            a * (plus - minus * cos + slope),
            sign * 2.0 * a * (minus - plus * cos),
            a * (plus - minus * cos - slope),
        ],
        [plus + minus * cos + slope, sign * -2.0 * (minus + plus * cos), plus + minus * cos - slope],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Magnitude of the transfer function at `hz`, in dB, straight from its definition.
    fn response_db(c: Coefficients, hz: f64) -> f64 {
        let w = std::f64::consts::TAU * hz / 48_000.0;
        let magnitude = |k: [f64; 3]| {
            let re = k[0] + k[1] * w.cos() + k[2] * (2.0 * w).cos();
            let im = k[1] * w.sin() + k[2] * (2.0 * w).sin();
            re.hypot(im)
        };
        20.0 * (magnitude([c.b0, c.b1, c.b2]) / magnitude([1.0, c.a1, c.a2])).log10()
    }

    fn design(kind: Kind, q: f64, gain_db: f64) -> Coefficients {
        Shape { frequency_hz: 2_000.0, q, gain_db }.design(kind, 48_000.0)
    }

    fn assert_db(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6, "{actual} dB, expected {expected} dB");
    }

    #[test]
    fn every_response_has_its_defining_gains() {
        let half_power = 10.0 * 0.5_f64.log10();
        let butterworth = std::f64::consts::FRAC_1_SQRT_2;
        let lowpass = design(Kind::Lowpass, butterworth, 0.0);
        assert_db(response_db(lowpass, 0.0), 0.0);
        assert_db(response_db(lowpass, 2_000.0), half_power);
        assert!(response_db(lowpass, 23_999.0) < -100.0);
        let highpass = design(Kind::Highpass, butterworth, 0.0);
        assert_db(response_db(highpass, 24_000.0), 0.0);
        assert_db(response_db(highpass, 2_000.0), half_power);
        assert!(response_db(highpass, 0.01) < -100.0);
        let peaking = design(Kind::Peaking, 1.5, -7.5);
        assert_db(response_db(peaking, 2_000.0), -7.5);
        assert_db(response_db(peaking, 0.0), 0.0);
        assert_db(response_db(peaking, 24_000.0), 0.0);
        let low_shelf = design(Kind::LowShelf, butterworth, 6.0);
        assert_db(response_db(low_shelf, 0.0), 6.0);
        assert_db(response_db(low_shelf, 2_000.0), 3.0);
        assert_db(response_db(low_shelf, 24_000.0), 0.0);
        let high_shelf = design(Kind::HighShelf, butterworth, -12.0);
        assert_db(response_db(high_shelf, 0.0), 0.0);
        assert_db(response_db(high_shelf, 2_000.0), -6.0);
        assert_db(response_db(high_shelf, 24_000.0), -12.0);
        let notch = design(Kind::Notch, 4.0, 0.0);
        assert!(response_db(notch, 2_000.0) < -200.0);
        assert_db(response_db(notch, 0.0), 0.0);
    }
}
