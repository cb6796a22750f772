//! The guest `biquad` against the difference equation of the RBJ cookbook, written here once more in direct form I.

use serde_json::json;

use crate::fixture::{audio, buffer, manifest, process, runtime, start};

/// One channel in f64: b and a as the cookbook writes them, a\[0\] not normalised away.
fn difference_equation(b: [f64; 3], a: [f64; 3], input: &[f32]) -> Vec<f64> {
    let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
    input
        .iter()
        .map(|&x0| {
            let x0 = f64::from(x0);
            let y0 = (b[0] * x0 + b[1] * x1 + b[2] * x2 - a[1] * y1 - a[2] * y2) / a[0];
            (x2, x1, y2, y1) = (x1, x0, y1, y0);
            y0
        })
        .collect()
}

/// The cookbook's table.
fn cookbook(kind: &str, rate_hz: f64, frequency_hz: f64, q: f64, gain_db: f64) -> ([f64; 3], [f64; 3]) {
    let amp = 10_f64.powf(gain_db / 40.0);
    let w0 = 2.0 * std::f64::consts::PI * frequency_hz / rate_hz;
    let cos = w0.cos();
    let alpha = w0.sin() / (2.0 * q);
    let beta = 2.0 * amp.sqrt() * alpha;
    match kind {
        "lowpass" => {
            ([(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
        }
        "highpass" => {
            ([(1.0 + cos) / 2.0, -(1.0 + cos), (1.0 + cos) / 2.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
        }
        "notch" => ([1.0, -2.0 * cos, 1.0], [1.0 + alpha, -2.0 * cos, 1.0 - alpha]),
        "peaking" => (
            [1.0 + alpha * amp, -2.0 * cos, 1.0 - alpha * amp],
            [1.0 + alpha / amp, -2.0 * cos, 1.0 - alpha / amp],
        ),
        "low_shelf" => (
            [
                amp * ((amp + 1.0) - (amp - 1.0) * cos + beta),
                2.0 * amp * ((amp - 1.0) - (amp + 1.0) * cos),
                amp * ((amp + 1.0) - (amp - 1.0) * cos - beta),
            ],
            [
                (amp + 1.0) + (amp - 1.0) * cos + beta,
                -2.0 * ((amp - 1.0) + (amp + 1.0) * cos),
                (amp + 1.0) + (amp - 1.0) * cos - beta,
            ],
        ),
        "high_shelf" => (
            [
                amp * ((amp + 1.0) + (amp - 1.0) * cos + beta),
                -2.0 * amp * ((amp - 1.0) + (amp + 1.0) * cos),
                amp * ((amp + 1.0) + (amp - 1.0) * cos - beta),
            ],
            [
                (amp + 1.0) - (amp - 1.0) * cos + beta,
                2.0 * ((amp - 1.0) - (amp + 1.0) * cos),
                (amp + 1.0) - (amp - 1.0) * cos - beta,
            ],
        ),
        other => panic!("the cookbook has no {other} here"),
    }
}

/// White noise in ±1 by a linear congruence (Numerical Recipes' constants).
fn noise(length: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0) as f32
        })
        .collect()
}

#[test]
fn every_kind_follows_its_difference_equation_in_every_channel_whatever_the_chunks() {
    let runtime = runtime();
    let (left, right) = (noise(3_000), noise(6_000)[3_000..].to_vec());
    let stereo: Vec<f32> = left.iter().zip(&right).flat_map(|(&l, &r)| [l, r]).collect();
    for kind in ["lowpass", "highpass", "peaking", "low_shelf", "high_shelf", "notch"] {
        let params = json!({"kind": kind, "frequency_hz": 1_500, "q": 1.25, "gain_db": -7.5});
        let mut node = start(&runtime, &manifest("biquad", params)).unwrap();
        let mut filtered = Vec::new();
        let mut rest = &stereo[..];
        for frames in [1, 0, 7, 480, 1_000, usize::MAX] {
            let (chunk, later) = rest.split_at(frames.saturating_mul(2).min(rest.len()));
            let mut out = process(&mut *node, audio(44_100, 2, chunk.to_vec())).unwrap();
            filtered.extend_from_slice(buffer(out.remove(0).1).as_f32().unwrap());
            rest = later;
        }
        let (b, a) = cookbook(kind, 44_100.0, 1_500.0, 1.25, -7.5);
        for (channel, input) in [&left, &right].into_iter().enumerate() {
            let expected = difference_equation(b, a, input);
            let actual = filtered.iter().skip(channel).step_by(2);
            assert_eq!(actual.len(), expected.len());
            for (n, (&actual, expected)) in actual.zip(expected).enumerate() {
                let error = (f64::from(actual) - expected).abs();
                assert!(error < 1e-6, "{kind}, channel {channel}, sample {n}: off by {error}");
            }
        }
    }
}

#[test]
fn two_nodes_of_one_component_share_no_state() {
    let runtime = runtime();
    let node = manifest("biquad", json!({"kind": "lowpass", "frequency_hz": 500}));
    let (mut one, mut other) = (start(&runtime, &node).unwrap(), start(&runtime, &node).unwrap());
    process(&mut *one, audio(8_000, 1, vec![1.0; 100])).unwrap();
    let silent = buffer(process(&mut *other, audio(8_000, 1, vec![0.0; 4])).unwrap().remove(0).1);
    assert_eq!(silent.as_f32().unwrap(), [0.0; 4]);
    let ringing = buffer(process(&mut *one, audio(8_000, 1, vec![0.0; 4])).unwrap().remove(0).1);
    assert!(ringing.as_f32().unwrap()[0] > 0.1);
}
