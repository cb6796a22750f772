//! SpectralFeatures against a direct transform in f64 and against spectra that follow from the signal.

use remotemedia_core::{Outputs, Packet, Payload, Port};
use serde_json::{Value, json};

use crate::harness::{create, f32_audio, jsons, noise, run_chunks, sine, try_create};

/// |X|² of a Hann-windowed frame, by the definition of the discrete Fourier transform.
fn direct_power(samples: &[f32]) -> Vec<f64> {
    let n = samples.len() as f64;
    let power = |bin: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        for (t, &sample) in samples.iter().enumerate() {
            let window = (std::f64::consts::PI * t as f64 / n).sin().powi(2);
            let (sin, cos) = (std::f64::consts::TAU * bin as f64 * t as f64 / n).sin_cos();
            re += f64::from(sample) * window * cos;
            im -= f64::from(sample) * window * sin;
        }
        re * re + im * im
    };
    (0..=samples.len() / 2).map(power).collect()
}

fn features(params: Value, audio: &remotemedia_core::AudioBuffer, chunk_frames: usize) -> Vec<Value> {
    jsons(run_chunks(create("SpectralFeatures", params), audio, chunk_frames))
}

fn close(value: &Value, expected: f64, tolerance: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() <= tolerance, "{value}, expected {expected}");
}

#[test]
fn every_feature_is_what_its_definition_gives_from_a_direct_transform() {
    let audio = noise(16_000, 1, 0.8, 512);
    let params = json!({"n_fft": 256, "hop_samples": 100, "n_mels": 12, "fmin_hz": 200, "mel_scale": "htk"});
    let got = features(params, &audio, 512);
    assert_eq!(got.len(), 4, "at 0, 100 and 200, and the rest at 300");
    let mel = |hz: f64| 1_127.010_48 * (1.0 + hz / 700.0).ln();
    let edges: Vec<f64> = (0..14)
        .map(|k| mel(200.0) + (mel(8_000.0) - mel(200.0)) * f64::from(k) / 13.0)
        .map(|m| 700.0 * ((m / 1_127.010_48).exp() - 1.0))
        .collect();
    for (k, frame) in got[..3].iter().enumerate() {
        let power = direct_power(&audio.as_f32().unwrap()[k * 100..][..256]);
        let hz = |bin: usize| 62.5 * bin as f64;
        for band in 0..12 {
            let (left, centre, right) = (edges[band], edges[band + 1], edges[band + 2]);
            let triangle = |f: f64| {
                if f <= left || f >= right {
                    0.0
                } else if f < centre {
                    (f - left) / (centre - left)
                } else {
                    (right - f) / (right - centre)
                }
            };
            let energy: f64 = power.iter().enumerate().map(|(bin, p)| p * triangle(hz(bin))).sum();
            let expected = 10.0 * (energy * 2.0 / (right - left)).max(1e-10).log10();
            close(&frame["log_mel_db"][band], expected, 1e-3);
        }
        let sum: f64 = power.iter().map(|p| p.sqrt()).sum();
        let centroid = power.iter().enumerate().map(|(bin, p)| hz(bin) * p.sqrt()).sum::<f64>() / sum;
        close(&frame["centroid_hz"], centroid, 0.05);
        let geometric = (power.iter().map(|p| p.ln()).sum::<f64>() / 129.0).exp();
        close(&frame["flatness"], geometric / (power.iter().sum::<f64>() / 129.0), 1e-4);
        let mut below = 0.0;
        let rolloff = power.iter().position(|p| {
            below += p.sqrt();
            below >= 0.85 * sum
        });
        close(&frame["rolloff_hz"], hz(rolloff.unwrap()), 0.0);
        assert_eq!(frame["pts_ns"], k * 6_250_000);
    }
}

#[test]
fn a_tone_has_its_centroid_at_its_frequency_and_a_click_is_flat() {
    let tone = features(json!({}), &sine(16_000, 1, 2_000.0, 0.5, 512), 512).remove(0);
    close(&tone["centroid_hz"], 2_000.0, 1.0);
    assert!(tone["flatness"].as_f64().unwrap() < 1e-6);
    let mut click = vec![0.0; 512];
    click[256] = 1.0;
    let click = features(json!({}), &f32_audio(16_000, 1, click), 512).remove(0);
    close(&click["flatness"], 1.0, 1e-4);
    close(&click["centroid_hz"], 4_000.0, 0.1);
    // 85 % of 257 equal magnitudes are reached at bin 218.
    close(&click["rolloff_hz"], 218.0 * 31.25, 1e-9);
}

#[test]
fn silence_has_a_level_but_no_shape() {
    let frame = features(json!({}), &f32_audio(16_000, 2, vec![f32::NAN; 1_024]), 7).remove(0);
    assert_eq!((&frame["centroid_hz"], &frame["log_mel_db"][3]), (&Value::Null, &json!(-100.0)));
}

#[test]
fn channels_are_averaged() {
    let mono = noise(16_000, 1, 0.5, 600);
    let both = mono.as_f32().unwrap().iter().flat_map(|&y| [y + 0.25, y - 0.25]).collect();
    let stereo = features(json!({}), &f32_audio(16_000, 2, both), 600).remove(0);
    let mono = features(json!({}), &mono, 600).remove(0);
    for band in 0..40 {
        close(&stereo["log_mel_db"][band], mono["log_mel_db"][band].as_f64().unwrap(), 1e-2);
    }
}

#[test]
fn the_result_does_not_depend_on_chunks() {
    let audio = noise(384_000, 32, 0.5, 2_000);
    let whole = features(json!({}), &audio, 2_000);
    // Frames at 0, 160, … 1440 are whole; the one at 1600 holds the rest.
    assert_eq!(whole.len(), 11);
    for chunk_frames in [1, 97, 512] {
        assert_eq!(features(json!({}), &audio, chunk_frames), whole, "{chunk_frames}");
    }
    let apart = json!({"n_fft": 16, "hop_samples": 100});
    assert_eq!(features(apart.clone(), &audio, 1), features(apart, &audio, 2_000));
}

#[test]
fn tensors_hold_the_log_mel_spectrum_of_the_json_form() {
    let audio = noise(16_000, 1, 0.5, 700);
    let expected = features(json!({}), &audio, 700);
    let packets = run_chunks(create("SpectralFeatures", json!({"output": "tensor"})), &audio, 50);
    assert_eq!(packets.len(), expected.len());
    for (packet, expected) in packets.iter().zip(&expected) {
        let Payload::Tensor(tensor) = &packet.payload else { panic!("a tensor was asked for") };
        assert_eq!(tensor.shape(), [40]);
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
        assert_eq!(json!(values), expected["log_mel_db"]);
        assert_eq!(packet.pts_ns, expected["pts_ns"].as_i64().unwrap());
    }
}

#[test]
fn bands_that_do_not_fit_are_refused() {
    let mut node = create("SpectralFeatures", json!({"fmax_hz": 9_000}));
    let packet = Packet::new(0, noise(16_000, 1, 0.5, 10));
    let error = node.process(Port::FIRST, packet, &mut Outputs::new()).unwrap_err();
    assert!(error.message.contains("below 8000 Hz"), "{error}");
    for params in [
        json!({"n_fft": 3}),
        json!({"hop_samples": 0}),
        json!({"n_mels": 0}),
        json!({"fmin_hz": 5, "fmax_hz": 5}),
    ] {
        assert!(try_create("SpectralFeatures", params.clone()).is_err(), "{params}");
    }
}
