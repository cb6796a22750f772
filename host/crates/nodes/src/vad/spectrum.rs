//! Short-time band levels: how many dB relative to full scale each of 16 mel-spaced bands holds, once per hop.
//!
//! One real FFT per hop over a Hann window of two hops. It keeps the hop before and the work space, so that a
//! hop costs no allocation. What the levels mean for speech is decided elsewhere.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

/// Bands between [`LOWEST_HZ`] and [`HIGHEST_HZ`], of equal width on the mel scale.
pub(super) const BANDS: usize = 16;

/// Below it lie rumble and the first harmonics of mains hum.
const LOWEST_HZ: f32 = 100.0;

/// Above it speech carries little; low sample rates end earlier.
const HIGHEST_HZ: f32 = 7_500.0;

/// Part of the Nyquist frequency that is used; anti-alias filters slope above it.
const USED_OF_NYQUIST: f32 = 0.94;

/// Added to the power of a band: levels below -90 dBFS are silence.
const SILENCE_POWER: f32 = 1e-9;

/// The analyser of one stream.
pub(super) struct BandAnalyser {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Box<[f32]>,
    /// The previous hop and the current one.
    recent: Box<[f32]>,
    windowed: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    /// Band b holds the bins `edges[b]..edges[b + 1]`.
    edges: [usize; BANDS + 1],
    /// From squared FFT magnitudes to mean-square power.
    power_scale: f32,
}

impl BandAnalyser {
    /// An analyser that takes `hop` samples at a time, at least 64 and at a rate of at least 8 kHz.
    pub(super) fn new(sample_rate_hz: u32, hop: usize) -> Self {
        let length = 2 * hop;
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        let window: Box<[f32]> = (0..length)
            .map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / length as f32).cos())
            .collect();
        let window_power: f32 = window.iter().map(|w| w * w).sum();
        Self {
            recent: vec![0.0; length].into(),
            windowed: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            edges: band_edges(sample_rate_hz as f32, length),
            // Parseval: a one-sided sum of |X|^2 is half of length x window power x mean square.
            power_scale: 2.0 / (length as f32 * window_power),
            fft,
            window,
        }
    }

    /// Takes the next hop of samples in ±1 and gives each band's level in dBFS (a full-scale sine: -3 dB).
    pub(super) fn levels_dbfs(&mut self, hop: &[f32]) -> [f32; BANDS] {
        self.recent.copy_within(hop.len().., 0);
        let newest = self.recent.len() - hop.len();
        self.recent[newest..].copy_from_slice(hop);
        for ((target, sample), weight) in self.windowed.iter_mut().zip(&self.recent).zip(&self.window) {
            *target = sample * weight;
        }
        // It only fails for buffers of the wrong length, and these come from the plan itself.
        let transformed =
            self.fft.process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch);
        debug_assert!(transformed.is_ok(), "{transformed:?}");
        std::array::from_fn(|band| {
            let bins = &self.spectrum[self.edges[band]..self.edges[band + 1]];
            let power: f32 = bins.iter().map(Complex32::norm_sqr).sum();
            decibel(power * self.power_scale + SILENCE_POWER)
        })
    }

    /// Forgets the samples before.
    pub(super) fn reset(&mut self) {
        self.recent.fill(0.0);
    }
}

/// 10 log10 of a power.
pub(super) fn decibel(power: f32) -> f32 {
    10.0 * std::f32::consts::LOG10_2 * power.log2()
}

/// Bin numbers that cut the spectrum into [`BANDS`] mel-spaced bands of at least one bin.
fn band_edges(sample_rate_hz: f32, length: usize) -> [usize; BANDS + 1] {
    let highest_hz = HIGHEST_HZ.min(USED_OF_NYQUIST * sample_rate_hz / 2.0);
    let (low, high) = (mel(LOWEST_HZ), mel(highest_hz));
    let bin_hz = sample_rate_hz / length as f32;
    let mut edges: [usize; BANDS + 1] = std::array::from_fn(|i| {
        (hertz(low + (high - low) * i as f32 / BANDS as f32) / bin_hz).round() as usize
    });
    for i in 1..edges.len() {
        edges[i] = edges[i].max(edges[i - 1] + 1);
    }
    edges
}

/// Hertz to mel (O'Shaughnessy 1987).
fn mel(hertz: f32) -> f32 {
    2_595.0 * (1.0 + hertz / 700.0).log10()
}

/// Mel to hertz.
fn hertz(mel: f32) -> f32 {
    700.0 * (10_f32.powf(mel / 2_595.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady_levels(sample_rate_hz: u32, signal: impl Fn(f32) -> f32) -> [f32; BANDS] {
        let hop = (sample_rate_hz as usize * 16).div_ceil(1_000);
        let mut analyser = BandAnalyser::new(sample_rate_hz, hop);
        let samples: Vec<f32> = (0..3 * hop).map(|i| signal(i as f32 / sample_rate_hz as f32)).collect();
        samples.chunks_exact(hop).map(|hop| analyser.levels_dbfs(hop)).last().unwrap()
    }

    #[test]
    fn a_sine_shows_its_power_in_the_band_of_its_frequency_at_any_rate() {
        for sample_rate_hz in [8_000, 16_000, 44_100, 48_000, 192_000] {
            // 1 kHz at half of full scale: mean square 1/8, that is -9.03 dB.
            let levels = steady_levels(sample_rate_hz, |t| 0.5 * (std::f32::consts::TAU * 1_000.0 * t).sin());
            let loudest = (0..BANDS).max_by(|&a, &b| levels[a].total_cmp(&levels[b])).unwrap();
            let (from_hz, to_hz) = (hertz(mel(100.0)), 7_500_f32.min(0.47 * sample_rate_hz as f32));
            let width = (mel(to_hz) - mel(from_hz)) / BANDS as f32;
            let expected = ((mel(1_000.0) - mel(from_hz)) / width) as usize;
            assert_eq!(loudest, expected, "at {sample_rate_hz} Hz: {levels:?}");
            let power: f32 = levels.iter().map(|level| 10_f32.powf(level / 10.0)).sum();
            assert!((decibel(power) + 9.03).abs() < 0.1, "at {sample_rate_hz} Hz: {levels:?}");
        }
    }

    #[test]
    fn silence_sits_on_the_level_floor() {
        assert!(steady_levels(16_000, |_| 0.0).iter().all(|level| (level + 90.0).abs() < 0.01));
    }

    #[test]
    fn every_band_of_every_rate_has_a_bin_below_nyquist() {
        for sample_rate_hz in [8_000_u32, 11_025, 16_000, 44_100, 48_000, 384_000] {
            let length = 2 * (sample_rate_hz as usize * 16).div_ceil(1_000);
            let edges = band_edges(sample_rate_hz as f32, length);
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{sample_rate_hz}: {edges:?}");
            assert!(edges[0] > 0 && edges[BANDS] <= length / 2, "{sample_rate_hz}: {edges:?}");
        }
    }
}
