//! Which of rubato's resamplers converts between two rates, with which sizes, and how late its output is.
//!
//! - FFT (overlap-add, BlackmanHarris² window, in blocks) for rates whose blocks stay short. The block is both the
//!   filter's length and the unit of work, so it is counted in frames of the lower rate: a fixed time would droop
//!   at low rates. Blocks are multiples of 4 on both sides: then half a block, the delay, is whole frames, and the
//!   transforms have fast sizes (882 frames take 1.3 times the time of 1764 or 588).
//! - Windowed sinc with cubic interpolation of its table for rates that share no large divisor, such as 22,051 and
//!   48,000 Hz, where an FFT block would last seconds.

use rubato::{
    Async, Fft, FixedAsync, FixedSync, ResamplerConstructionError, SincInterpolationParameters,
    SincInterpolationType, WindowFunction, calculate_cutoff,
};

/// Where the anti-aliasing filter begins to fall, by its length in frames of the lower of both rates. Rejection
/// beyond the Nyquist frequency is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bandwidth {
    /// 80 frames.
    Low,
    /// 160 frames.
    Medium,
    /// 320 frames.
    High,
}

impl Bandwidth {
    const fn filter_frames(self) -> usize {
        match self {
            Self::Low => 80,
            Self::Medium => 160,
            Self::High => 320,
        }
    }
}

/// An FFT block of 4 frames per unit of the reduced ratio lasts 4 / gcd seconds; beyond 0.16 s sinc takes over, which
/// costs up to 70 times the time. 25 Hz is what 8,000 and 11,025 Hz share.
const SMALLEST_FFT_GCD_HZ: u32 = 25;
/// Input frames per call of the sinc resampler. Any value gives the same samples.
const SINC_BLOCK_FRAMES: usize = 512;
/// Output frames among which the sinc resampler's first one on the input's grid is looked for.
const ALIGNMENT_SEARCH_FRAMES: usize = 4_096;

/// One of rubato's resamplers, and how to line its output up with its input.
pub(super) struct Engine {
    pub(super) rubato: Box<dyn rubato::Resampler<f32>>,
    /// Frames of silence to feed before the stream.
    pub(super) leading_silence: usize,
    /// Output frames that come before the one that belongs to the stream's first frame.
    pub(super) delay_frames: usize,
}

impl Engine {
    pub(super) fn new(
        input_rate_hz: u32,
        output_rate_hz: u32,
        channels: usize,
        bandwidth: Bandwidth,
    ) -> Result<Self, ResamplerConstructionError> {
        let divisor = gcd(input_rate_hz, output_rate_hz);
        if divisor >= SMALLEST_FFT_GCD_HZ {
            let units = ((input_rate_hz / divisor) as usize, (output_rate_hz / divisor) as usize);
            Self::fft(units, channels, bandwidth)
        } else {
            Self::sinc(f64::from(input_rate_hz), f64::from(output_rate_hz), channels, bandwidth)
        }
    }

    /// How many frames the next call takes.
    pub(super) fn block_frames(&self) -> usize {
        self.rubato.input_frames_next()
    }

    fn fft(
        (input, output): (usize, usize),
        channels: usize,
        bandwidth: Bandwidth,
    ) -> Result<Self, ResamplerConstructionError> {
        let block = input * block_units(bandwidth.filter_frames(), input.min(output));
        let window = WindowFunction::BlackmanHarris2;
        let fft = Fft::new_custom(input, output, block, 1, channels, window, FixedSync::Both)?;
        let delay_frames = fft.fft_size_out() / 2;
        Ok(Self { rubato: Box::new(fft), leading_silence: 0, delay_frames })
    }

    fn sinc(
        input_rate_hz: f64,
        output_rate_hz: f64,
        channels: usize,
        bandwidth: Bandwidth,
    ) -> Result<Self, ResamplerConstructionError> {
        let ratio = output_rate_hz / input_rate_hz;
        let window = WindowFunction::BlackmanHarris2;
        // Going down, the filter is as long in time as it would be at the lower rate.
        let stretch = (1.0 / ratio).max(1.0);
        let taps = ((bandwidth.filter_frames() as f64 * stretch).ceil() as usize).next_multiple_of(8);
        // A stretched kernel is smooth: the same accuracy needs fewer points between taps.
        let oversampling = ((128.0 / stretch).ceil() as usize).max(16);
        let params = SincInterpolationParameters::new(taps, window)
            .f_cutoff(calculate_cutoff(bandwidth.filter_frames(), window))
            .oversampling_factor(oversampling)
            .interpolation(SincInterpolationType::Cubic);
        let sinc = Async::new_sinc(ratio, 1.0, &params, SINC_BLOCK_FRAMES, channels, FixedAsync::Input)?;
        let first = taps as f64 / 2.0 - 1.0 / oversampling as f64;
        let (leading_silence, delay_frames) = align(1.0 / ratio, first);
        Ok(Self { rubato: Box::new(sinc), leading_silence, delay_frames })
    }
}

/// The sinc resampler's output frame k lies at (k + 1) · step - lead in input frames. This finds the k that lies
/// closest to a whole input frame, and that frame: so much silence puts the stream's first frame there.
fn align(step: f64, lead: f64) -> (usize, usize) {
    let distance = |k: usize| {
        let position = (k + 1) as f64 * step - lead;
        (position - position.round()).abs()
    };
    let first = (lead / step).ceil() as usize;
    let best = (first..first + ALIGNMENT_SEARCH_FRAMES).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    let frame = best.unwrap_or(first);
    ((((frame + 1) as f64 * step - lead).round()) as usize, frame)
}

/// The smallest multiple of 4 without prime factors above 5 that makes a block of at least `frames` frames of the
/// lower rate out of units of `unit` frames.
fn block_units(frames: usize, unit: usize) -> usize {
    let smallest = frames.div_ceil(unit).next_multiple_of(4);
    (smallest..).step_by(4).find(|&units| is_smooth(units)).unwrap_or(smallest)
}

fn is_smooth(mut number: usize) -> bool {
    for prime in [2, 3, 5] {
        while number.is_multiple_of(prime) {
            number /= prime;
        }
    }
    number == 1
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fft_blocks_are_long_enough_short_in_time_and_of_fast_sizes() {
        let rates = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000, 384_000];
        for input in rates {
            for output in rates.into_iter().filter(|&output| output != input) {
                let divisor = gcd(input, output);
                assert!(divisor >= SMALLEST_FFT_GCD_HZ, "{input} -> {output}");
                let lower = (input.min(output) / divisor) as usize;
                let units = block_units(320, lower);
                assert!(units * lower >= 320 && units.is_multiple_of(4), "{input} -> {output}: {units}");
                let block_ms = units as f64 * 1_000.0 / f64::from(divisor);
                assert!(block_ms <= 160.0, "{input} -> {output}: {block_ms} ms");
            }
        }
    }

    #[test]
    fn alignment_finds_a_frame_on_the_grid() {
        for (input, output, lead) in
            [(22_051.0, 48_000.0, 160.0), (48_000.0, 22_051.0, 350.9), (3.0, 2.0, 7.3)]
        {
            let step: f64 = input / output;
            let (silence, frame) = align(step, lead);
            let miss = (frame + 1) as f64 * step - lead - silence as f64;
            let best_of_all =
                (0..6_000).map(|k| (k + 1) as f64 * step - lead).filter(|position| *position >= 0.0);
            let best = best_of_all.map(|position| (position - position.round()).abs()).fold(1.0, f64::min);
            assert!(miss.abs() <= best + 1e-3, "{input} -> {output}: {miss} of {best}");
        }
    }
}
