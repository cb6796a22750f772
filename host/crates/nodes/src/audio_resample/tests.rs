//! AudioResample, measured: length, delay, ripple and rejection with tones whose right output is known in closed
//! form, and independence of packet sizes.

use remotemedia_core::{AudioBuffer, ErrorKind, Outputs, Packet, Port};
use serde_json::json;

use crate::harness::{audio_of, create, f32_audio, noise, one, run_chunks, samples, sine, try_create};

/// Ratios of every path: FFT with small and large units, up and down, and sinc.
const RATIOS: [(u32, u32); 12] = [
    (48_000, 16_000),
    (16_000, 48_000),
    (44_100, 48_000),
    (48_000, 44_100),
    (44_100, 16_000),
    (44_100, 11_025),
    (8_000, 48_000),
    (384_000, 8_000),
    (48_000, 384_000),
    (22_051, 48_000),
    (48_000, 22_051),
    (44_101, 8_003),
];

fn resample(audio: &AudioBuffer, target_rate_hz: u32, quality: &str, chunk_frames: usize) -> Vec<f32> {
    let params = json!({"target_sample_rate": target_rate_hz, "quality": quality});
    samples(&run_chunks(create("AudioResample", params), audio, chunk_frames))
}

/// `samples` as `gain · sin(2π f n / rate + phase)` plus the rest, by least squares.
struct Fit {
    gain_db: f64,
    delay_s: f64,
    residual_db: f64,
}

fn fit(samples: &[f32], first: usize, rate_hz: u32, frequency_hz: f64, amplitude: f64) -> Fit {
    let step = std::f64::consts::TAU * frequency_hz / f64::from(rate_hz);
    let (mut ss, mut sc, mut cc, mut sy, mut cy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let angle = |n: usize| step * (first + n) as f64;
    for (n, &sample) in samples.iter().enumerate() {
        let (s, c) = angle(n).sin_cos();
        let y = f64::from(sample);
        (ss, sc, cc, sy, cy) = (ss + s * s, sc + s * c, cc + c * c, sy + s * y, cy + c * y);
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((sy * cc - cy * sc) / determinant, (cy * ss - sy * sc) / determinant);
    let rest = samples.iter().enumerate().map(|(n, &sample)| {
        let (s, c) = angle(n).sin_cos();
        (f64::from(sample) - a * s - b * c).powi(2)
    });
    let residual = (rest.sum::<f64>() / samples.len() as f64).sqrt();
    Fit {
        gain_db: 20.0 * (a.hypot(b) / amplitude).log10(),
        delay_s: -b.atan2(a) / (std::f64::consts::TAU * frequency_hz),
        residual_db: 20.0 * (residual / (amplitude / 2.0_f64.sqrt())).log10(),
    }
}

/// The part of an output that the stream's ends do not reach: filters are at most 1100 frames of the lower rate.
fn middle(output: &[f32], input_rate_hz: u32, output_rate_hz: u32) -> (usize, &[f32]) {
    let edge = 1_100 * output_rate_hz.div_ceil(input_rate_hz.min(output_rate_hz)) as usize;
    (edge, &output[edge..output.len() - edge])
}

fn measure(input_rate_hz: u32, output_rate_hz: u32, quality: &str, frequency_hz: f64) -> Fit {
    let lower = input_rate_hz.min(output_rate_hz);
    let frames = 5_000 * input_rate_hz.div_ceil(lower) as usize;
    let input = sine(input_rate_hz, 1, frequency_hz, 0.5, frames);
    let output = resample(&input, output_rate_hz, quality, frames);
    let (first, output) = middle(&output, input_rate_hz, output_rate_hz);
    fit(output, first, output_rate_hz, frequency_hz, 0.5)
}

#[test]
fn high_quality_is_flat_within_a_tenth_of_a_db_to_nine_tenths_of_nyquist_without_delay_or_images() {
    for (input_rate_hz, output_rate_hz) in RATIOS {
        let nyquist_hz = f64::from(input_rate_hz.min(output_rate_hz)) / 2.0;
        for part in [0.01, 0.25, 0.5, 0.75, 0.85, 0.9] {
            let fit = measure(input_rate_hz, output_rate_hz, "high", part * nyquist_hz);
            let place = format!("{input_rate_hz} -> {output_rate_hz} at {part} of Nyquist");
            assert!(fit.gain_db.abs() <= 0.1, "{place}: gain {} dB", fit.gain_db);
            let delay_frames = fit.delay_s * f64::from(output_rate_hz);
            assert!(delay_frames.abs() <= 0.01, "{place}: delay {delay_frames} output frames");
            assert!(fit.residual_db <= -130.0, "{place}: {} dB of images and noise", fit.residual_db);
        }
    }
}

#[test]
fn what_would_alias_is_rejected_by_130_db_at_every_quality() {
    for (input_rate_hz, output_rate_hz) in RATIOS.into_iter().filter(|(input, output)| input > output) {
        let (from_hz, to_hz) = (f64::from(output_rate_hz) / 2.0, f64::from(input_rate_hz) / 2.0);
        for quality in ["low", "medium", "high"] {
            for part in [0.0, 0.01, 0.1, 0.3, 0.6, 0.9, 0.99] {
                let frequency_hz = from_hz + part * (to_hz - from_hz) + 1.0;
                let frames = 4_000 * input_rate_hz.div_ceil(output_rate_hz) as usize;
                let input = sine(input_rate_hz, 1, frequency_hz, 0.5, frames);
                let output = resample(&input, output_rate_hz, quality, frames);
                let (_, output) = middle(&output, input_rate_hz, output_rate_hz);
                let power = output.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / output.len() as f64;
                let rejection_db = -10.0 * (power / 0.125).log10();
                let place = format!("{input_rate_hz} -> {output_rate_hz}, {quality}, {frequency_hz} Hz");
                assert!(rejection_db >= 130.0, "{place}: {rejection_db} dB");
            }
        }
    }
}

#[test]
fn lower_qualities_are_flat_as_far_as_they_say() {
    for (quality, part) in [("low", 0.6), ("medium", 0.8)] {
        for (input_rate_hz, output_rate_hz) in [(48_000, 16_000), (16_000, 48_000), (48_000, 22_051)] {
            let nyquist_hz = f64::from(input_rate_hz.min(output_rate_hz)) / 2.0;
            let fit = measure(input_rate_hz, output_rate_hz, quality, part * nyquist_hz);
            assert!(
                fit.gain_db.abs() <= 0.1,
                "{quality} {input_rate_hz} -> {output_rate_hz}: {} dB",
                fit.gain_db
            );
        }
    }
}

#[test]
fn every_stream_comes_out_at_its_exact_length() {
    for (input_rate_hz, output_rate_hz) in RATIOS {
        for frames in [0, 1, 2, 3, 479, 1_000, 4_801, 10_007] {
            let output = resample(&noise(input_rate_hz, 1, 0.5, frames), output_rate_hz, "high", 997);
            let exact = frames as f64 * f64::from(output_rate_hz) / f64::from(input_rate_hz);
            let expected = (exact + 0.5).floor() as usize;
            assert_eq!(output.len(), expected, "{frames} frames, {input_rate_hz} -> {output_rate_hz}");
        }
    }
}

#[test]
fn a_minute_of_44100_becomes_exactly_a_minute_of_48000() {
    let silence = f32_audio(44_100, 1, vec![0.0; 44_100 * 60]);
    assert_eq!(resample(&silence, 48_000, "high", 882).len(), 48_000 * 60);
}

#[test]
fn the_last_samples_of_a_stream_are_not_lost() {
    // A click on the very last frame, limited to a band that ends at the part c of the input's Nyquist frequency, is
    // c · sinc(c · t) at t input frames from it. The filter's middle falls to one half at 0.957 of the lower one.
    for (input_rate_hz, output_rate_hz) in [(48_000_u32, 16_000_u32), (44_100, 48_000), (22_051, 48_000)] {
        let mut click = vec![0.0; 3 * 1_601];
        *click.last_mut().unwrap() = 1.0;
        let output = resample(&f32_audio(input_rate_hz, 1, click), output_rate_hz, "high", 480);
        let step = f64::from(input_rate_hz) / f64::from(output_rate_hz);
        let c = 0.957 * (1.0 / step).min(1.0);
        for (k, &y) in output.iter().enumerate().rev().take(5) {
            let x = std::f64::consts::PI * c * (k as f64 * step - 4_802.0);
            let expected = if x == 0.0 { c } else { c * x.sin() / x };
            assert!(
                (f64::from(y) - expected).abs() < 0.02,
                "{input_rate_hz} -> {output_rate_hz}: {y} {expected}"
            );
        }
    }
}

#[test]
fn samples_and_times_do_not_depend_on_packets() {
    for (input_rate_hz, output_rate_hz) in
        [(48_000, 16_000), (44_100, 48_000), (22_051, 48_000), (48_000, 22_051)]
    {
        let input = noise(input_rate_hz, 2, 0.9, 6_000);
        let whole = resample(&input, output_rate_hz, "high", 6_000);
        for chunk_frames in [1, 13, 480, 1_024, 4_096] {
            let params = json!({"target_sample_rate": output_rate_hz});
            let packets = run_chunks(create("AudioResample", params), &input, chunk_frames);
            assert_eq!(samples(&packets), whole, "{input_rate_hz} -> {output_rate_hz} by {chunk_frames}");
            let mut frames = 0;
            for packet in &packets {
                let expected_ns = i128::from(frames) * 1_000_000_000 / i128::from(output_rate_hz);
                assert_eq!(i128::from(packet.pts_ns), expected_ns);
                frames += audio_of(packet).frames() as u64;
            }
        }
    }
}

#[test]
fn thirty_two_channels_are_converted_each_as_if_it_were_alone() {
    for (input_rate_hz, output_rate_hz) in [(384_000, 48_000), (22_051, 48_000)] {
        let input = noise(input_rate_hz, 32, 0.5, 3_000);
        let output = resample(&input, output_rate_hz, "high", 700);
        for channel in [0, 17, 31] {
            let alone = input.as_f32().unwrap().iter().skip(channel).step_by(32).copied().collect();
            let alone = resample(&f32_audio(input_rate_hz, 1, alone), output_rate_hz, "high", 700);
            let mixed: Vec<f32> = output.iter().skip(channel).step_by(32).copied().collect();
            let apart = mixed.iter().zip(&alone).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(mixed.len() == alone.len() && apart <= 1e-5, "channel {channel}: {apart}");
        }
    }
}

#[test]
fn integers_are_converted_as_fractions_of_full_scale() {
    let tone = sine(48_000, 1, 1_000.0, 0.5, 4_800);
    let shorts = tone.as_f32().unwrap().iter().map(|&y| (y * 32_768.0).round() as i16).collect();
    let shorts = AudioBuffer::from_i16(48_000, 1, shorts).unwrap();
    let (first, second) = (resample(&tone, 16_000, "high", 480), resample(&shorts, 16_000, "high", 480));
    let apart = first.iter().zip(&second).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(apart < 1.5 / 32_768.0, "{apart}");
}

#[test]
fn bad_samples_count_as_silence() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut with = noise(48_000, 1, 0.5, 4_800).try_into_f32_vec().unwrap();
        with[2_000] = bad;
        let mut without = with.clone();
        without[2_000] = 0.0;
        let with = resample(&f32_audio(48_000, 1, with), 16_000, "high", 480);
        assert_eq!(with, resample(&f32_audio(48_000, 1, without), 16_000, "high", 480));
    }
}

#[test]
fn equal_rates_pass_f32_untouched_and_turn_integers_into_f32() {
    let audio = noise(16_000, 2, 0.5, 100);
    let out = one(create("AudioResample", json!({})).as_mut(), audio.clone()).unwrap();
    assert_eq!(out.as_f32().unwrap().as_ptr(), audio.as_f32().unwrap().as_ptr());
    let shorts = AudioBuffer::from_i16(16_000, 1, vec![-32_768, 16_384]).unwrap();
    let out = one(create("AudioResample", json!({})).as_mut(), shorts).unwrap();
    assert_eq!(out.as_f32().unwrap(), [-1.0, 0.5]);
}

#[test]
fn a_stream_that_changes_its_rate_is_refused() {
    let mut node = create("AudioResample", json!({"target_rate": 16_000}));
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, noise(48_000, 1, 0.5, 100)), &mut out).unwrap();
    let error = node.process(Port::FIRST, Packet::new(0, noise(44_100, 1, 0.5, 100)), &mut out).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("48000 Hz") && error.message.contains("44100 Hz"), "{error}");
}

#[test]
fn rates_that_make_no_sense_are_refused_by_number() {
    let error = try_create("AudioResample", json!({"target_sample_rate": 0})).err().unwrap();
    assert!(error.message.contains("2000 to 768000"), "{error}");
    let mut node = create("AudioResample", json!({}));
    let packet = Packet::new(0, noise(7, 1, 0.5, 100));
    let error = node.process(Port::FIRST, packet, &mut Outputs::new()).unwrap_err();
    assert!(error.message.contains("the input has 7 Hz"), "{error}");
}

#[test]
fn the_schema_knows_both_names_of_the_rate() {
    let descriptor = crate::NativeRuntime::new().descriptor("AudioResample").unwrap();
    for name in ["target_sample_rate", "target_rate"] {
        assert_eq!(descriptor.params_schema["properties"][name]["maximum"], 768_000, "{name}");
    }
}

#[test]
fn the_loudest_samples_there_are_do_not_overflow_the_transform() {
    for target_rate_hz in [16_000, 44_100] {
        let mut loud = vec![0.1; 9_600];
        loud[960..1_920].fill(f32::MAX);
        loud[1_920..2_880].fill(f32::MIN);
        let output = resample(&f32_audio(48_000, 1, loud), target_rate_hz, "high", 480);
        assert_eq!(output.len(), 9_600 * target_rate_hz as usize / 48_000);
        assert!(output.iter().all(|sample| sample.is_finite()), "{target_rate_hz}");
    }
}

#[test]
fn a_packet_that_is_a_recording_of_its_own_becomes_what_a_stream_of_it_does() {
    for (input_rate_hz, output_rate_hz) in RATIOS {
        let params = json!({"target_sample_rate": output_rate_hz, "per_packet": true});
        let mut node = create("AudioResample", params);
        for (channels, frames) in [(1, 5_000), (2, 1_237), (1, 5_000), (3, 100), (1, 1), (2, 0)] {
            let audio = noise(input_rate_hz, channels, 0.5, frames);
            let got = one(node.as_mut(), audio.clone()).unwrap();
            assert_eq!((got.spec().sample_rate_hz, got.spec().channels), (output_rate_hz, channels));
            let expected = resample(&audio, output_rate_hz, "high", frames.max(1));
            assert!(
                got.as_f32() == Some(&expected[..]),
                "{input_rate_hz} -> {output_rate_hz}, {frames} frames"
            );
        }
    }
}

#[test]
fn a_recording_is_untouched_by_what_the_one_before_it_held() {
    let mut node = create("AudioResample", json!({"target_sample_rate": 16_000, "per_packet": true}));
    let bad = f32_audio(48_000, 1, vec![f32::NAN, f32::INFINITY, f32::MAX, 1.0]);
    assert!(one(node.as_mut(), bad).unwrap().as_f32().unwrap().iter().all(|sample| sample.is_finite()));
    let shorts = AudioBuffer::from_i16(48_000, 1, vec![0; 480]).unwrap();
    assert_eq!(one(node.as_mut(), shorts).unwrap().as_f32().unwrap(), [0.0; 160]);
    let error = one(node.as_mut(), f32_audio(1_999, 1, vec![0.0])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(one(node.as_mut(), f32_audio(16_000, 1, vec![f32::NAN])).unwrap().as_f32().unwrap()[0].is_nan());
}

#[test]
fn a_resampler_that_was_used_before_is_as_good_as_new() {
    let audio = noise(44_100, 2, 0.5, 3_000);
    let first = resample(&audio, 48_000, "medium", 700);
    let loud = noise(44_100, 2, 1.0, 999);
    for _ in 0..3 {
        resample(&loud, 48_000, "medium", 10);
        assert_eq!(resample(&audio, 48_000, "medium", 700), first);
    }
}
