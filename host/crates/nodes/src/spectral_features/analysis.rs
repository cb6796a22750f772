//! The spectrum of one frame and what is read from it. It knows no stream.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::SpectralFeaturesParams;
use super::mel::{Band, bands};

/// The least power that has a logarithm of its own: -100 dB.
const LEAST_POWER: f64 = 1e-10;
/// Part of the magnitudes below the roll-off.
const ROLLOFF_PART: f64 = 0.85;

/// What one frame looks like.
pub(super) struct Features<'a> {
    pub(super) log_mel_db: &'a [f32],
    /// `None` for silence, which has no shape.
    pub(super) shape: Option<Shape>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) centroid_hz: f64,
    pub(super) rolloff_hz: f64,
    pub(super) flatness: f64,
}

/// Everything that frames of one length at one rate share.
pub(super) struct Analysis {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Band>,
    bin_hz: f64,
    windowed: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    log_mel_db: Vec<f32>,
}

impl Analysis {
    pub(super) fn new(params: &SpectralFeaturesParams, sample_rate_hz: u32) -> Result<Self, String> {
        let n_fft = params.n_fft as usize;
        let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
        let fmax_hz = params.fmax_hz.unwrap_or(nyquist_hz);
        if fmax_hz > nyquist_hz || params.fmin_hz >= fmax_hz {
            return Err(format!(
                "bands from {} to {fmax_hz} Hz do not fit below {nyquist_hz} Hz, half the input's sample rate",
                params.fmin_hz
            ));
        }
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(n_fft);
        let bin_hz = f64::from(sample_rate_hz) / n_fft as f64;
        let bins = n_fft / 2 + 1;
        let turn = std::f64::consts::TAU / n_fft as f64;
        Ok(Self {
            window: (0..n_fft).map(|n| (0.5 - 0.5 * (turn * n as f64).cos()) as f32).collect(),
            bands: bands(params.mel_scale, params.n_mels as usize, params.fmin_hz, fmax_hz, bin_hz, bins),
            bin_hz,
            windowed: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; bins],
            log_mel_db: vec![0.0; params.n_mels as usize],
            fft,
        })
    }

    /// Analyses `n_fft` samples.
    pub(super) fn run(&mut self, samples: &[f32]) -> Result<Features<'_>, String> {
        for ((windowed, sample), weight) in self.windowed.iter_mut().zip(samples).zip(&self.window) {
            *windowed = sample * weight;
        }
        self.fft
            .process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch)
            .map_err(|error| error.to_string())?;
        for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *power = bin.norm_sqr();
        }
        for (level, band) in self.log_mel_db.iter_mut().zip(&self.bands) {
            let powers = &self.power[band.first_bin..];
            let energy: f32 = band.weights.iter().zip(powers).map(|(weight, power)| weight * power).sum();
            *level = (10.0 * f64::from(energy).max(LEAST_POWER).log10()) as f32;
        }
        Ok(Features { log_mel_db: &self.log_mel_db, shape: self.shape() })
    }

    fn shape(&self) -> Option<Shape> {
        let (mut magnitudes, mut moment, mut powers, mut logs) = (0.0, 0.0, 0.0, 0.0);
        for (bin, &power) in self.power.iter().enumerate() {
            let power = f64::from(power);
            let magnitude = power.sqrt();
            magnitudes += magnitude;
            moment += magnitude * bin as f64;
            powers += power.max(LEAST_POWER);
            logs += power.max(LEAST_POWER).ln();
        }
        if magnitudes == 0.0 {
            return None;
        }
        let mut below = 0.0;
        let rolloff = self.power.iter().position(|&power| {
            below += f64::from(power).sqrt();
            below >= ROLLOFF_PART * magnitudes
        });
        let bins = self.power.len() as f64;
        Some(Shape {
            centroid_hz: self.bin_hz * moment / magnitudes,
            rolloff_hz: self.bin_hz * rolloff.unwrap_or(self.power.len() - 1) as f64,
            flatness: (logs / bins).exp() / (powers / bins),
        })
    }
}
