//! Mel scales and the triangular filters on them. Sources: Slaney, Auditory Toolbox (1998); Young et al., The HTK Book.

use schemars::JsonSchema;
use serde::Deserialize;

/// How Hz become mel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MelScale {
    /// Linear below 1 kHz (66.7 Hz per mel), logarithmic above (27 mel from 1 to 6.4 kHz).
    #[default]
    Slaney,
    /// 2595 · log10(1 + f / 700).
    Htk,
}

const SLANEY_HZ_PER_MEL: f64 = 200.0 / 3.0;
const SLANEY_BREAK_HZ: f64 = 1_000.0;

impl MelScale {
    pub(super) fn mel_of(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2_595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < SLANEY_BREAK_HZ => hz / SLANEY_HZ_PER_MEL,
            Self::Slaney => 15.0 + 27.0 * (hz / SLANEY_BREAK_HZ).ln() / 6.4_f64.ln(),
        }
    }

    pub(super) fn hz_of(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10.0_f64.powf(mel / 2_595.0) - 1.0),
            Self::Slaney if mel < 15.0 => mel * SLANEY_HZ_PER_MEL,
            Self::Slaney => SLANEY_BREAK_HZ * (6.4_f64.ln() * (mel - 15.0) / 27.0).exp(),
        }
    }
}

/// One band: weights of consecutive bins.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) first_bin: usize,
    pub(super) weights: Vec<f32>,
}

/// `count` triangles, equally spaced on the scale from `fmin_hz` to `fmax_hz`, each of the area 1 Hz.
pub(super) fn bands(
    scale: MelScale,
    count: usize,
    fmin_hz: f64,
    fmax_hz: f64,
    bin_hz: f64,
    bins: usize,
) -> Vec<Band> {
    let (low, high) = (scale.mel_of(fmin_hz), scale.mel_of(fmax_hz));
    let edge = |k: usize| scale.hz_of(low + (high - low) * k as f64 / (count + 1) as f64);
    let band = |k: usize| {
        let (left, centre, right) = (edge(k), edge(k + 1), edge(k + 2));
        let weight = |bin: usize| {
            let hz = bin as f64 * bin_hz;
            let height = ((hz - left) / (centre - left)).min((right - hz) / (right - centre));
            (height.max(0.0) * 2.0 / (right - left)) as f32
        };
        let first_bin = ((left / bin_hz).floor() as usize).min(bins);
        let end = ((right / bin_hz).ceil() as usize + 1).clamp(first_bin, bins);
        Band { first_bin, weights: (first_bin..end).map(weight).collect() }
    };
    (0..count).map(band).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scales_hit_the_points_that_define_them() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * b.max(1.0), "{a} {b}");
        close(MelScale::Slaney.mel_of(500.0), 7.5);
        close(MelScale::Slaney.mel_of(1_000.0), 15.0);
        close(MelScale::Slaney.mel_of(6_400.0), 42.0);
        close(MelScale::Htk.mel_of(700.0), 2_595.0 * 2.0_f64.log10());
        close(MelScale::Htk.mel_of(6_300.0), 2_595.0);
        for scale in [MelScale::Slaney, MelScale::Htk] {
            for hz in [0.0, 10.0, 999.0, 1_001.0, 20_000.0] {
                close(scale.hz_of(scale.mel_of(hz)), hz);
            }
        }
    }

    #[test]
    fn triangles_have_an_area_of_one_hz_when_bins_are_fine() {
        for scale in [MelScale::Slaney, MelScale::Htk] {
            for band in bands(scale, 20, 100.0, 4_000.0, 1.0, 4_001) {
                let area: f32 = band.weights.iter().sum();
                assert!((area - 1.0).abs() < 0.01, "{scale:?}: {area}");
            }
        }
    }
}
