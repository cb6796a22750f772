//! How strong one frequency is in a window of samples, one sample at a time. It decides nothing.
//!
//! Source: G. Goertzel, "An algorithm for the evaluation of finite trigonometric series" (American Mathematical Monthly
//! 65, 1958).

/// One frequency in one window.
#[derive(Clone, Copy, Debug)]
pub struct Goertzel {
    coefficient: f64,
    s1: f64,
    s2: f64,
}

impl Goertzel {
    /// For a frequency below half the sample rate.
    pub fn new(frequency_hz: f64, sample_rate_hz: f64) -> Self {
        let w = std::f64::consts::TAU * frequency_hz / sample_rate_hz;
        Self { coefficient: 2.0 * w.cos(), s1: 0.0, s2: 0.0 }
    }

    /// Takes the next sample of the window.
    pub fn take(&mut self, sample: f64) {
        let s = sample + self.coefficient * self.s1 - self.s2;
        (self.s2, self.s1) = (self.s1, s);
    }

    /// Ends the window of so many samples: the squared amplitude of a sine of this frequency.
    pub fn finish(&mut self, samples: usize) -> f64 {
        let power = self.s1 * self.s1 + self.s2 * self.s2 - self.coefficient * self.s1 * self.s2;
        (self.s1, self.s2) = (0.0, 0.0);
        power * 4.0 / (samples as f64 * samples as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squared_amplitude(at_hz: f64, samples: impl Iterator<Item = f64>) -> f64 {
        let mut goertzel = Goertzel::new(at_hz, 8_000.0);
        let count = samples.map(|sample| goertzel.take(sample)).count();
        goertzel.finish(count)
    }

    fn tone(hz: f64, amplitude: f64) -> impl Iterator<Item = f64> {
        (0..400).map(move |n| amplitude * (std::f64::consts::TAU * hz * f64::from(n) / 8_000.0 + 0.3).sin())
    }

    #[test]
    fn a_sine_on_a_bin_has_its_amplitude_and_other_bins_have_none() {
        // Bins are 20 Hz apart.
        assert!((squared_amplitude(1_000.0, tone(1_000.0, 0.5)) - 0.25).abs() < 1e-9);
        assert!(squared_amplitude(1_020.0, tone(1_000.0, 0.5)) < 1e-9);
    }

    #[test]
    fn it_is_the_discrete_fourier_transform_of_the_window() {
        let noise = || (0..400_u32).map(|n| (f64::from(n * n) * 0.37).sin());
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in noise().enumerate() {
            let w = std::f64::consts::TAU * 700.0 * n as f64 / 8_000.0;
            re += sample * w.cos();
            im -= sample * w.sin();
        }
        let expected = (re * re + im * im) * 4.0 / (400.0 * 400.0);
        assert!((squared_amplitude(700.0, noise()) - expected).abs() < 1e-9);
    }
}
