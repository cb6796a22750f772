//! AudioLevel against levels that follow from the signals: closed forms, and the test signals of EBU Tech 3341 and
//! 3342 with the values and tolerances that those documents give.

use remotemedia_core::{AudioBuffer, Outputs, Packet, Port};
use serde_json::{Value, json};

use crate::harness::{create, f32_audio, jsons, noise, run_chunks, sine, try_create};

fn levels(audio: &AudioBuffer, chunk_frames: usize) -> Vec<Value> {
    jsons(run_chunks(create("AudioLevel", json!({})), audio, chunk_frames))
}

fn close(event: &Value, name: &str, expected: f64, tolerance: f64) {
    let level = event[name].as_f64().unwrap_or_else(|| panic!("{name} is {}", event[name]));
    assert!((level - expected).abs() <= tolerance, "{name}: {level}, expected {expected}");
}

/// A 1 kHz stereo tone whose peaks lie at `level_dbfs` for `seconds`, at 48 kHz: what Tech 3341 and 3342 are made of.
fn tone(level_dbfs: f64, seconds: usize) -> Vec<f32> {
    sine(48_000, 2, 1_000.0, 10.0_f64.powf(level_dbfs / 20.0), 48_000 * seconds).try_into_f32_vec().unwrap()
}

fn tones(parts: &[(f64, usize)]) -> AudioBuffer {
    f32_audio(48_000, 2, parts.iter().flat_map(|&(level, seconds)| tone(level, seconds)).collect())
}

#[test]
fn a_full_scale_sine_has_minus_3_01_dbfs_rms_and_0_dbfs_peak() {
    let events = levels(&sine(48_000, 1, 1_000.0, 1.0, 48_000), 480);
    let interval = &events[4];
    assert_eq!((&interval["type"], &interval["pts_ns"]), (&json!("interval"), &json!(400_000_000)));
    assert_eq!(interval["duration_ns"], 100_000_000);
    close(interval, "rms_dbfs", 10.0 * 0.5_f64.log10(), 1e-4);
    close(interval, "peak_dbfs", 0.0, 1e-4);
}

#[test]
fn a_true_peak_lies_between_the_samples() {
    // At a quarter of the rate and 45° the samples are at ±1/√2 of the peak. BS.1770 allows for 0.55 dB below.
    let samples = (0..48_000)
        .map(|n| (std::f64::consts::FRAC_PI_2 * n as f64 + std::f64::consts::FRAC_PI_4).sin() as f32);
    let summary = levels(&f32_audio(48_000, 1, samples.collect()), 1_000).pop().unwrap();
    close(&summary, "peak_dbfs", -3.0103, 1e-3);
    let true_peak = summary["true_peak_dbtp"].as_f64().unwrap();
    assert!((-0.55..=0.2).contains(&true_peak), "{true_peak}");
}

#[test]
fn tech_3341_case_1_a_tone_of_minus_23_has_minus_23_lufs_by_every_measure() {
    let events = levels(&tones(&[(-23.0, 20)]), 960);
    let interval = &events[events.len() - 2];
    close(interval, "momentary_lufs", -23.0, 0.1);
    close(interval, "short_term_lufs", -23.0, 0.1);
    close(events.last().unwrap(), "integrated_lufs", -23.0, 0.1);
    assert_eq!(events.last().unwrap()["type"], "summary");
}

#[test]
fn tech_3341_cases_2_to_4_the_gates_leave_out_what_is_quiet() {
    close(levels(&tones(&[(-33.0, 20)]), 960).last().unwrap(), "integrated_lufs", -33.0, 0.1);
    let case_3 = tones(&[(-36.0, 10), (-23.0, 60), (-36.0, 10)]);
    close(levels(&case_3, 4_800).last().unwrap(), "integrated_lufs", -23.0, 0.1);
    let case_4 = tones(&[(-72.0, 10), (-36.0, 10), (-23.0, 60), (-36.0, 10), (-72.0, 10)]);
    close(levels(&case_4, 4_800).last().unwrap(), "integrated_lufs", -23.0, 0.1);
}

#[test]
fn tech_3342_cases_1_and_2_the_loudness_range_is_the_distance_of_two_levels() {
    close(levels(&tones(&[(-20.0, 20), (-30.0, 20)]), 4_800).last().unwrap(), "loudness_range_lu", 10.0, 1.0);
    close(levels(&tones(&[(-20.0, 20), (-15.0, 20)]), 4_800).last().unwrap(), "loudness_range_lu", 5.0, 1.0);
}

#[test]
fn the_summary_adds_up_the_intervals() {
    // 250 ms of a constant 0.5 and 250 ms of silence: two whole intervals, one half, two of nothing.
    let mut samples = vec![0.5; 12_000];
    samples.resize(24_000, 0.0);
    let events = levels(&f32_audio(48_000, 1, samples), 777);
    assert_eq!(events.len(), 6);
    close(&events[1], "rms_dbfs", -6.0206, 1e-4);
    close(&events[2], "rms_dbfs", -6.0206 - 3.0103, 1e-4);
    assert_eq!(events[4]["rms_dbfs"], Value::Null);
    close(&events[5], "rms_dbfs", -6.0206 - 3.0103, 1e-4);
    assert_eq!(events[5]["duration_ns"], 500_000_000);
}

#[test]
fn the_result_does_not_depend_on_chunks() {
    let audio = noise(16_000, 2, 0.7, 10_000);
    let whole = levels(&audio, 10_000);
    assert_eq!(whole.len(), 8);
    for chunk_frames in [1, 77, 1_600, 3_333] {
        assert_eq!(levels(&audio, chunk_frames), whole, "{chunk_frames}");
    }
}

#[test]
fn integers_are_measured_as_fractions_of_full_scale() {
    let square = AudioBuffer::from_i16(
        8_000,
        1,
        (0..800).map(|n| if n % 2 == 0 { 16_384 } else { -16_384 }).collect(),
    );
    close(&levels(&square.unwrap(), 100)[0], "rms_dbfs", -6.0206, 1e-4);
}

#[test]
fn silence_and_bad_samples_have_no_level() {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
    let audio = f32_audio(384_000, 32, (0..32 * 400).map(|n| bad[n % 4]).collect());
    let summary = levels(&audio, 100).pop().unwrap();
    for name in ["rms_dbfs", "peak_dbfs", "true_peak_dbtp", "integrated_lufs"] {
        assert_eq!(summary[name], Value::Null, "{name}");
    }
    assert_eq!(summary["non_finite_samples"], 32 * 300);
}

#[test]
fn a_stream_without_audio_has_a_summary_without_levels() {
    let mut node = create("AudioLevel", json!({}));
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(5, f32_audio(8_000, 1, vec![])), &mut out).unwrap();
    node.flush(&mut out).unwrap();
    let events = jsons(out.drain().map(|(_, packet)| packet));
    assert_eq!((events.len(), &events[0]["duration_ns"]), (1, &json!(0)));
    assert_eq!(events[0]["rms_dbfs"], Value::Null);
}

#[test]
fn changed_caps_and_wild_params_are_refused() {
    let mut node = create("AudioLevel", json!({}));
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, noise(8_000, 1, 1.0, 5)), &mut out).unwrap();
    let error = node.process(Port::FIRST, Packet::new(0, noise(8_000, 2, 1.0, 5)), &mut out).unwrap_err();
    assert!(error.message.contains("1 ch") && error.message.contains("2 ch"), "{error}");
    assert!(try_create("AudioLevel", json!({"interval_ms": 0})).is_err());
    let error = create("AudioLevel", json!({}))
        .process(Port::FIRST, Packet::new(0, noise(8_000, 65, 1.0, 5)), &mut out)
        .unwrap_err();
    assert!(error.message.contains("64 channels"), "{error}");
}
