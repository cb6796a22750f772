//! Is what came out what was expected, and if not: where does it begin to differ, by how much, and is it shifted?

use remotemedia_core::AudioBuffer;
use serde_json::Value;

use super::stream::Stream;

/// How far apart two streams are looked for, in frames.
const FARTHEST_SHIFT: usize = 4_096;
/// How much of the streams is looked at for a shift, in frames.
const SHIFT_WINDOW: usize = 8_192;
/// A shift is told when it explains all but this much of the energy.
const SHIFT_LEAVES: f64 = 1e-3;

/// The outcome of a comparison: the error in dB relative to the expected signal (`None` for values, -inf for
/// identical samples), or what differs, in words.
pub(super) type Compared = Result<Option<f64>, String>;

/// Compares what came out with what was expected. `tolerance_db` bounds the energy of the error.
pub(super) fn compare(expected: &Stream, got: Option<&Stream>, tolerance_db: f64) -> Compared {
    match (expected, got) {
        (_, None) => Err("nothing came out of this port".into()),
        (Stream::Audio(expected), Some(Stream::Audio(got))) => audio(expected, got, tolerance_db).map(Some),
        (Stream::Values(expected), Some(Stream::Values(got))) => {
            values(expected, got, 10_f64.powf(tolerance_db / 20.0)).map(|()| None)
        }
        (Stream::Audio(_), Some(Stream::Values(_))) => {
            Err("values came out, and the expected file holds audio".into())
        }
        (Stream::Values(_), Some(Stream::Audio(_))) => {
            Err("audio came out, and the expected file holds values".into())
        }
    }
}

fn audio(expected: &AudioBuffer, got: &AudioBuffer, tolerance_db: f64) -> Result<f64, String> {
    let (wanted, came) = (expected.spec(), got.spec());
    if (wanted.sample_rate_hz, wanted.channels) != (came.sample_rate_hz, came.channels) {
        return Err(format!("the format is {came}, and {wanted} was expected"));
    }
    let (reference, output) = (expected.to_f32(), got.to_f32());
    let channels = usize::from(wanted.channels);
    if expected.frames() != got.frames() {
        let hint = shift(&reference, &output, channels).unwrap_or_default();
        return Err(format!(
            "{} frames came out, and {} were expected{hint}",
            got.frames(),
            expected.frames()
        ));
    }
    let errors = || reference.iter().zip(output.iter()).map(|(&r, &o)| f64::from(o) - f64::from(r));
    let energy = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let error_energy = energy(&mut errors());
    let signal_energy = energy(&mut reference.iter().map(|&sample| f64::from(sample)));
    // Nothing is relative to silence: there the error counts against full scale.
    let scale = if signal_energy > 0.0 { signal_energy } else { reference.len().max(1) as f64 };
    let error_db = 10.0 * (error_energy / scale).log10();
    if error_db <= tolerance_db {
        return Ok(error_db);
    }
    let threshold = (scale / reference.len().max(1) as f64).sqrt() * 10_f64.powf(tolerance_db / 20.0);
    // `!(… <= …)` is also true for what is not a number.
    let at = errors().position(|error| error.is_nan() || error.abs() > threshold).unwrap_or(0);
    let frame = at / channels;
    Err(format!(
        "the error is {error_db:.1} dB, and at most {tolerance_db:.1} dB is allowed; it begins at frame {frame} ({:.4} s) \
         in channel {}: {} instead of {}{}",
        frame as f64 / f64::from(wanted.sample_rate_hz),
        at % channels,
        output.get(at).copied().unwrap_or_default(),
        reference.get(at).copied().unwrap_or_default(),
        shift(&reference, &output, channels).unwrap_or_default(),
    ))
}

/// A sentence when `output` is `reference`, earlier or later.
fn shift(reference: &[f32], output: &[f32], channels: usize) -> Option<String> {
    let first = |samples: &[f32]| -> Vec<f64> {
        samples.chunks_exact(channels).take(SHIFT_WINDOW).map(|frame| f64::from(frame[0])).collect()
    };
    let (reference, output) = (first(reference), first(output));
    let shortest = reference.len().min(output.len());
    let farthest = FARTHEST_SHIFT.min(shortest / 2);
    // How much of the first stream's energy is left when the second one, `lag` frames in, is taken away.
    let left = |early: &[f64], late: &[f64], lag: usize| {
        let pairs = early.iter().zip(&late[lag..]);
        let (mut error, mut energy) = (0.0, 0.0);
        for (early, late) in pairs {
            error += (late - early) * (late - early);
            energy += early * early;
        }
        if energy > 0.0 { error / energy } else { f64::INFINITY }
    };
    let shifts = (0..=farthest).flat_map(|lag| {
        [(left(&reference, &output, lag), lag, "later"), (left(&output, &reference, lag), lag, "earlier")]
    });
    let (rest, lag, direction) = shifts.min_by(|a, b| a.0.total_cmp(&b.0))?;
    match (rest <= SHIFT_LEAVES, lag) {
        (false, _) => None,
        (true, 0) => Some("; the samples that both have are the same".into()),
        (true, lag) => Some(format!("; it looks like the expected signal, {lag} frames {direction}")),
    }
}

fn values(expected: &[Value], got: &[Value], tolerance: f64) -> Result<(), String> {
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        if !alike(expected, got, tolerance) {
            return Err(format!(
                "line {} is {}, and {} was expected",
                index + 1,
                shortened(got),
                shortened(expected)
            ));
        }
    }
    if expected.len() == got.len() {
        return Ok(());
    }
    let surplus = got
        .get(expected.len())
        .map_or_else(String::new, |value| format!("; the first surplus one is {}", shortened(value)));
    let missing = expected
        .get(got.len())
        .map_or_else(String::new, |value| format!("; the first missing one is {}", shortened(value)));
    Err(format!("{} values came out, and {} were expected{surplus}{missing}", got.len(), expected.len()))
}

/// Equal, but for numbers that differ by no more than `tolerance` of the expected one.
fn alike(expected: &Value, got: &Value, tolerance: f64) -> bool {
    match (expected, got) {
        (Value::Number(expected), Value::Number(got)) => {
            let (Some(expected), Some(got)) = (expected.as_f64(), got.as_f64()) else { return false };
            (expected - got).abs() <= tolerance * expected.abs()
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| alike(expected, got, tolerance))
        }
        (Value::Object(expected), Value::Object(got)) => {
            expected.len() == got.len()
                && expected
                    .iter()
                    .all(|(key, value)| got.get(key).is_some_and(|other| alike(value, other, tolerance)))
        }
        _ => expected == got,
    }
}

fn shortened(value: &Value) -> String {
    const MOST: usize = 200;
    let text = value.to_string();
    if text.chars().count() <= MOST {
        format!("`{text}`")
    } else {
        format!("`{}…`", text.chars().take(MOST).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stream(samples: &[f32]) -> Stream {
        Stream::Audio(AudioBuffer::from_f32(1_000, 1, samples.to_vec()).unwrap())
    }

    /// Noise without a period, so that only one shift fits.
    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1_u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32
        })
        .take(count)
        .collect()
    }

    #[test]
    fn the_error_is_the_ratio_of_the_energies() {
        // One of 100 equal samples is off by a tenth: 10 log10(0.01 / 100) = -40 dB.
        let mut off = vec![1.0; 100];
        off[70] = 1.1;
        let error = compare(&stream(&[1.0; 100]), Some(&stream(&off)), -39.9).unwrap().unwrap();
        assert!((error + 40.0).abs() < 1e-4, "{error}");
        let told = compare(&stream(&[1.0; 100]), Some(&stream(&off)), -40.1).unwrap_err();
        assert!(told.contains("-40.0 dB") && told.contains("frame 70 (0.0700 s)"), "{told}");
        assert!(told.contains("1.1 instead of 1"), "{told}");
    }

    #[test]
    fn identical_samples_pass_every_tolerance_and_nothing_else_passes_minus_infinity() {
        let same = compare(&stream(&[0.5, -0.5]), Some(&stream(&[0.5, -0.5])), f64::NEG_INFINITY);
        assert_eq!(same, Ok(Some(f64::NEG_INFINITY)));
        let told = compare(&stream(&[0.5, -0.5]), Some(&stream(&[0.5, -0.500_001])), f64::NEG_INFINITY);
        assert!(told.unwrap_err().contains("frame 1"));
    }

    #[test]
    fn silence_is_measured_against_full_scale_and_nan_never_passes() {
        // 0.001 in each of four samples is -60 dB of full scale.
        let error = compare(&stream(&[0.0; 4]), Some(&stream(&[0.001; 4])), -59.0).unwrap().unwrap();
        assert!((error + 60.0).abs() < 1e-4, "{error}");
        let told = compare(&stream(&[0.0; 4]), Some(&stream(&[0.0, f32::NAN, 0.0, 0.0])), 100.0).unwrap_err();
        assert!(told.contains("frame 1"), "{told}");
    }

    #[test]
    fn a_shifted_stream_is_told_as_one() {
        let expected = noise(500);
        let late: Vec<f32> = std::iter::repeat_n(0.0, 7).chain(expected.iter().copied()).collect();
        let told = compare(&stream(&expected), Some(&stream(&late)), -90.0).unwrap_err();
        assert!(
            told.starts_with("507 frames came out, and 500 were expected")
                && told.ends_with("7 frames later"),
            "{told}"
        );
        let told = compare(&stream(&expected), Some(&stream(&late[..500])), -90.0).unwrap_err();
        assert!(told.ends_with("7 frames later"), "{told}");
        let told = compare(&stream(&expected), Some(&stream(&expected[3..])), -90.0).unwrap_err();
        assert!(told.ends_with("3 frames earlier"), "{told}");
        let told = compare(&stream(&expected), Some(&stream(&expected[..490])), -90.0).unwrap_err();
        assert!(told.ends_with("are the same"), "{told}");
    }

    #[test]
    fn values_differ_by_line_and_numbers_by_the_tolerance() {
        let lines = |values: &[Value]| Stream::Values(values.to_vec());
        let expected = lines(&[json!({"at": 1.0}), json!("b")]);
        assert_eq!(
            compare(&expected, Some(&lines(&[json!({"at": 1.000_000_1}), json!("b")])), -120.0),
            Ok(None)
        );
        let told = compare(&expected, Some(&lines(&[json!({"at": 1.0}), json!("c")])), -120.0).unwrap_err();
        assert_eq!(told, "line 2 is `\"c\"`, and `\"b\"` was expected");
        let told = compare(&expected, Some(&lines(&[json!({"at": 1.0})])), -120.0).unwrap_err();
        assert_eq!(told, "1 values came out, and 2 were expected; the first missing one is `\"b\"`");
        assert!(compare(&expected, Some(&lines(&[json!({"at": 1.1}), json!("b")])), -120.0).is_err());
    }

    #[test]
    fn another_kind_rate_or_nothing_at_all_is_told() {
        let audio = stream(&[1.0]);
        assert!(compare(&audio, None, 0.0).unwrap_err().contains("nothing"));
        assert!(compare(&audio, Some(&Stream::Values(vec![])), 0.0).unwrap_err().contains("values"));
        let other = Stream::Audio(AudioBuffer::from_f32(2_000, 1, vec![1.0]).unwrap());
        assert!(compare(&audio, Some(&other), 0.0).unwrap_err().contains("2000"));
    }
}
