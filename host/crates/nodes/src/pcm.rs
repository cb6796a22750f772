//! Arithmetic on PCM samples: from a format to a wide number and back, rounded half to even and saturating. Several
//! nodes share it; it knows no packets.
//!
//! Rounding adds a magic number whose unit in the last place is 1, so that the processor's own rounding does the
//! work: baseline x86-64 has no rounding instruction, and a call per sample would cost ten times more.

/// A sample format as arithmetic sees it.
pub(crate) trait Pcm: Copy + Default + Send + 'static {
    /// What sums and products are computed in: exact for single samples, precise enough for sums of them.
    type Wide: Copy
        + Default
        + std::ops::Add<Output = Self::Wide>
        + std::ops::Mul<Output = Self::Wide>
        + std::ops::AddAssign;

    /// The value in units of the format's own step.
    fn widen(self) -> Self::Wide;

    /// Rounded half to even, saturated; NaN becomes 0. `f32` stays as it is, NaN included.
    fn narrow(wide: Self::Wide) -> Self;

    /// A factor or coefficient.
    fn factor(value: f64) -> Self::Wide;
}

impl Pcm for i16 {
    type Wide = f32;

    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
    }

    #[inline(always)]
    fn narrow(wide: f32) -> Self {
        round_to_i16(wide)
    }

    fn factor(value: f64) -> f32 {
        value as f32
    }
}

impl Pcm for i32 {
    type Wide = f64;

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn narrow(wide: f64) -> Self {
        round_to_i32(wide)
    }

    fn factor(value: f64) -> f64 {
        value
    }
}

impl Pcm for f32 {
    type Wide = Self;

    #[inline(always)]
    fn widen(self) -> Self {
        self
    }

    #[inline(always)]
    fn narrow(wide: Self) -> Self {
        wide
    }

    fn factor(value: f64) -> Self {
        value as Self
    }
}

/// 1.5 · 2²³: an `f32` between 2²³ and 2²⁴ has steps of 1.
const MAGIC_F32: f32 = 12_582_912.0;
/// 1.5 · 2⁵²: an `f64` between 2⁵² and 2⁵³ has steps of 1.
const MAGIC_F64: f64 = 6_755_399_441_055_744.0;

/// The nearest 16-bit integer, ties to even, saturating; NaN is 0.
///
/// Above, no clamp of floats is needed: bits of positive floats are ordered as integers are, so whatever exceeds 32767
/// ends in the integer clamp, which packs and saturates in one instruction.
#[inline(always)]
pub(crate) fn round_to_i16(value: f32) -> i16 {
    let value = if value.is_nan() { 0.0 } else { value };
    let value = if value > -32_768.0 { value } else { -32_768.0 };
    let rounded = ((value + MAGIC_F32).to_bits() as i32).wrapping_sub(MAGIC_F32.to_bits() as i32);
    rounded.clamp(-32_768, 32_767) as i16
}

/// The nearest 32-bit integer, ties to even, saturating; NaN is 0.
#[inline(always)]
pub(crate) fn round_to_i32(value: f64) -> i32 {
    let value = if value.is_nan() { 0.0 } else { value };
    let value = if value > -2_147_483_648.0 { value } else { -2_147_483_648.0 };
    let value = if value < 2_147_483_647.0 { value } else { 2_147_483_647.0 };
    // The magic number's low 32 bits are 0, so those of the sum are the integer in two's complement.
    (value + MAGIC_F64).to_bits() as i32
}

/// The loudest sample that transforms work on, +120 dBFS: the sum of squares of many is still a number.
const LOUDEST: f32 = 1_048_576.0;

/// `sample` limited to +120 dBFS, or 0 when it is NaN or infinite: one bad sample must neither poison a filter's state
/// nor overflow in a transform.
#[inline(always)]
pub(crate) fn sane(sample: f32) -> f32 {
    if sample.abs() <= f32::MAX { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 }
}

/// True when [`sane`] would change none of `samples`: whoever knows that needs no copy of them.
pub(crate) fn all_sane(samples: &[f32]) -> bool {
    // A block has no early exit, so that it becomes vector instructions.
    samples.chunks(1024).all(|block| block.iter().fold(true, |sane, sample| sane & (sample.abs() <= LOUDEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by the standard library's slower functions.
    fn reference_i16(value: f32) -> i16 {
        value.round_ties_even() as i16
    }

    #[test]
    fn every_half_step_of_16_bits_rounds_to_even() {
        for half_steps in -70_000..=70_000 {
            let value = half_steps as f32 / 2.0;
            assert_eq!(round_to_i16(value), reference_i16(value), "{value}");
            for near in [value.next_up(), value.next_down()] {
                assert_eq!(round_to_i16(near), reference_i16(near), "{near}");
            }
        }
    }

    #[test]
    fn thirty_two_bits_round_to_even_and_saturate() {
        let around = [0.0, 0.5, 1.5, 2.5, 1e6 + 0.5, 2_147_483_645.5, 2_147_483_646.5, 2_147_483_647.5, 1e12];
        for magnitude in around {
            for value in [magnitude, -magnitude, f64::next_up(magnitude), -f64::next_down(magnitude)] {
                assert_eq!(round_to_i32(value), value.round_ties_even() as i32, "{value}");
            }
        }
    }

    #[test]
    fn whatever_exceeds_16_bits_saturates() {
        for magnitude in [32_766.5, 32_767.4, 32_767.5, 4.2e6, 8.4e6, 1.3e7, 1e20, f32::MAX] {
            assert_eq!([magnitude, -magnitude].map(round_to_i16), [magnitude, -magnitude].map(reference_i16));
        }
    }

    #[test]
    fn samples_are_sane_when_each_of_them_is() {
        let mut samples = vec![0.5_f32; 3_000];
        (samples[0], samples[2_999]) = (LOUDEST, -LOUDEST);
        assert!(all_sane(&samples) && all_sane(&[]));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, LOUDEST.next_up(), f32::MIN] {
            for place in [0, 1_023, 1_024, 2_999] {
                let kept = std::mem::replace(&mut samples[place], bad);
                assert!(!all_sane(&samples), "{bad} at {place}");
                samples[place] = kept;
            }
        }
    }

    #[test]
    fn infinities_saturate_and_nan_is_silence() {
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY, f32::NAN].map(round_to_i16), [32_767, -32_768, 0]);
        assert_eq!(
            [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(round_to_i32),
            [2_147_483_647, -2_147_483_648, 0]
        );
        assert_eq!(
            [f32::INFINITY, f32::NAN, f32::MAX, f32::MIN, 2.5, -1e-45].map(sane),
            [0.0, 0.0, LOUDEST, -LOUDEST, 2.5, -1e-45]
        );
    }
}
