//! Which of rubato's resamplers converts between two rates, with which sizes, and how late its output is.
//!
//! - FFT (overlap-add, BlackmanHarris² window, in blocks) for rates whose blocks stay short. The block is both the
//!   filter's length and the unit of work, so it is counted in frames of the lower rate: a fixed time would droop
//!   at low rates. Blocks are multiples of 4 on both sides: then half a block, the delay, is whole frames, and the
//!   transforms have fast sizes (882 frames take 1.3 times the time of 1764 or 588).
//! - Windowed sinc with cubic interpolation of its table for rates that share no large divisor, such as 22,051 and
//!   48,000 Hz, where an FFT block would last seconds.

use rubato::{
    Async, Fft, FixedAsync, FixedSync, ResampleResult, Resampler as _, ResamplerConstructionError,
    SincInterpolationParameters, SincInterpolationType, WindowFunction, calculate_cutoff,
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
/// By how much the sinc resampler's ratio may differ while it is aligned.
const MOST_BENT: f64 = 1.01;

/// How a sinc resampler gets an output frame onto the input's grid: it begins with a block of silence at a ratio that is
/// bent by so much.
#[derive(Clone, Copy, Debug)]
struct Alignment {
    ratio: f64,
    bent_ratio: f64,
}

/// One of rubato's resamplers, and how to line its output up with its input.
pub(super) struct Engine {
    pub(super) rubato: Box<dyn rubato::Resampler<f32>>,
    alignment: Option<Alignment>,
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

    /// To the start of a stream.
    pub(super) fn rewind(&mut self) -> Result<(), String> {
        self.rubato.reset();
        let Some(Alignment { ratio, bent_ratio }) = self.alignment else { return Ok(()) };
        set_ratio(self.rubato.as_mut(), bent_ratio).map_err(|error| error.to_string())?;
        let channels = self.rubato.nbr_channels();
        let mut ignored = Vec::new();
        self.convert(&vec![0.0; self.block_frames() * channels], channels, &mut ignored)?;
        set_ratio(self.rubato.as_mut(), ratio).map_err(|error| error.to_string())
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
        Ok(Self { rubato: Box::new(fft), alignment: None, leading_silence: 0, delay_frames })
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
        let mut sinc =
            Async::new_sinc(ratio, MOST_BENT, &params, SINC_BLOCK_FRAMES, channels, FixedAsync::Input)?;
        // Output frame k lies at (k + 1) · step - lead in input frames.
        let (step, lead) = (1.0 / ratio, taps as f64 / 2.0 - 1.0 / oversampling as f64);
        let frames = sinc.output_frames_next();
        let start = frames as f64 * step - lead;
        let mut aligned = None;
        for Aligned { shift, leading_silence, delay_frames } in alignments(step, start) {
            let bent_ratio = 1.0 / (step + shift / frames as f64);
            // The bent block must have as many frames as the alignment was computed for.
            if set_ratio(&mut sinc, bent_ratio).is_ok() && sinc.output_frames_next() == frames {
                aligned = Some((bent_ratio, leading_silence, delay_frames));
                break;
            }
        }
        // There always is one (a test looks at many ratios); without any, the grid is missed by less than a frame.
        let nearest = alignments(step, start).next().unwrap_or_default();
        let (bent_ratio, leading_silence, delay_frames) =
            aligned.unwrap_or((ratio, nearest.leading_silence, nearest.delay_frames));
        let alignment = Some(Alignment { ratio, bent_ratio });
        Ok(Self { rubato: Box::new(sinc), alignment, leading_silence, delay_frames })
    }
}

fn set_ratio(rubato: &mut dyn rubato::Resampler<f32>, ratio: f64) -> ResampleResult<()> {
    rubato.as_adjustable().map_or(Ok(()), |adjustable| adjustable.set_resample_ratio(ratio, false))
}

/// One way of getting an output frame onto the input's grid.
#[derive(Clone, Copy, Debug, Default)]
struct Aligned {
    /// By how many input frames the first block has to be longer.
    shift: f64,
    leading_silence: usize,
    delay_frames: usize,
}

/// The ways to put one of the first output frames behind a block of silence, whose last one lies at `start`, on a whole
/// input frame; those that shift least come first. So much more silence puts the stream's first frame there.
fn alignments(step: f64, start: f64) -> impl Iterator<Item = Aligned> {
    let block = SINC_BLOCK_FRAMES as f64;
    // From the first frame that lies behind the block on, over a few input frames.
    let first = ((block + 1.0 - start) / step).ceil().max(1.0) as usize - 1;
    let candidates = (1.0 / step).ceil() as usize * 4 + 4;
    let mut ways: Vec<Aligned> = (first..first + candidates)
        .flat_map(|delay_frames| {
            let position = start + (delay_frames + 1) as f64 * step;
            [position.floor(), position.ceil()].map(|frame| Aligned {
                shift: frame - position,
                leading_silence: (frame - block).max(0.0) as usize,
                delay_frames,
            })
        })
        .collect();
    ways.sort_by(|a, b| a.shift.abs().total_cmp(&b.shift.abs()));
    ways.into_iter()
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
    fn every_sinc_resampler_can_be_aligned_by_bending_its_first_block() {
        let rates = [2_003, 8_003, 16_001, 22_051, 44_101, 47_999, 96_001, 767_999];
        for input in rates {
            for output in rates.map(|rate| rate + 2) {
                let engine = Engine::new(input, output, 1, Bandwidth::Low).unwrap();
                let Some(Alignment { ratio, bent_ratio }) = engine.alignment else { continue };
                assert_ne!(ratio, bent_ratio, "{input} -> {output}");
                assert!((bent_ratio / ratio - 1.0).abs() < MOST_BENT - 1.0, "{input} -> {output}");
            }
        }
    }
}
