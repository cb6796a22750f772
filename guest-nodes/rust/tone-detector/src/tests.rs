//! The node on whole streams.

use super::*;
use remotemedia_node::testing::start;
use serde_json::{Value, json};

const RATE_HZ: u32 = 8_000;

/// A sum of sines, each of a frequency, an amplitude and the frames in which it sounds.
fn tones(length: usize, parts: &[(f64, f64, std::ops::Range<usize>)]) -> Vec<f32> {
    (0..length)
        .map(|n| {
            let sounding = parts.iter().filter(|(_, _, frames)| frames.contains(&n));
            let w = std::f64::consts::TAU * n as f64 / f64::from(RATE_HZ);
            sounding.map(|(hz, amplitude, _)| amplitude * (w * hz).sin()).sum::<f64>() as f32
        })
        .collect()
}

/// The events of a stream cut into blocks of so many samples.
fn events(params: Value, samples: &[f32], channels: u16, block: usize) -> Vec<Value> {
    let mut node = start::<ToneDetector>(&params.to_string()).unwrap();
    let mut packets = Vec::new();
    for (index, samples) in samples.chunks(block).enumerate() {
        let frames = index * block / usize::from(channels);
        let pts_ns = frames_ns(frames as u64, RATE_HZ) + 500;
        packets.extend(
            node.process(0, Packet::new(pts_ns, Audio::from_f32(RATE_HZ, channels, samples))).unwrap(),
        );
    }
    packets.extend(node.flush().unwrap());
    let event = |(_, packet): (u16, Packet)| match packet.payload {
        Payload::Json(event) => {
            assert_eq!(event["time_ns"], packet.pts_ns);
            event
        }
        other => panic!("got {}", other.kind_name()),
    };
    packets.into_iter().map(event).collect()
}

#[test]
fn tones_start_and_end_at_the_edges_of_windows_with_their_levels() {
    // Windows are 320 frames (40 ms) long.
    let samples = tones(3_200, &[(700.0, 0.5, 640..1_600), (1_200.0, 0.25, 960..3_200)]);
    let found = events(json!({"frequencies_hz": [700, 1_200, 2_000], "purity": 0.1}), &samples, 1, 100);
    let expected = [
        json!({"event": "start", "frequency_hz": 700.0, "time_ns": 80_000_500, "level_db": -6.02}),
        json!({"event": "start", "frequency_hz": 1_200.0, "time_ns": 120_000_500, "level_db": -12.04}),
        json!({"event": "end", "frequency_hz": 700.0, "time_ns": 200_000_500}),
        json!({"event": "end", "frequency_hz": 1_200.0, "time_ns": 400_000_500}),
    ];
    assert_eq!(found, expected);
}

#[test]
fn results_do_not_depend_on_how_the_stream_was_cut() {
    // As stereo, where each channel has every second sample, the frequencies are doubled.
    let samples = tones(9_000, &[(440.0, 0.3, 1_000..5_000), (450.0, 0.2, 2_345..8_111)]);
    let params = json!({"frequencies_hz": [880, 1_000], "window_ms": 100});
    let whole = events(params.clone(), &samples, 2, 9_000);
    assert!(!whole.is_empty());
    for block in [2, 6, 160, 998] {
        assert_eq!(events(params.clone(), &samples, 2, block), whole);
    }
}

#[test]
fn tones_that_are_too_quiet_or_buried_are_not_reported() {
    let quiet = tones(1_600, &[(1_000.0, 0.009, 0..1_600)]);
    assert!(events(json!({"frequencies_hz": [1_000]}), &quiet, 1, 160).is_empty());
    assert_eq!(events(json!({"frequencies_hz": [1_000], "threshold_db": -41}), &quiet, 1, 160).len(), 2);
    // A quarter of the amplitude is a seventeenth of the energy.
    let buried = tones(1_600, &[(1_000.0, 0.1, 0..1_600), (2_000.0, 0.4, 0..1_600)]);
    assert!(events(json!({"frequencies_hz": [1_000]}), &buried, 1, 160).is_empty());
    assert!(
        events(json!({"frequencies_hz": [1_000], "threshold_db": -120, "purity": 0}), &[0.0; 1_600], 1, 160)
            .is_empty()
    );
}

#[test]
fn nan_spoils_no_window_and_frequencies_must_fit_the_rate() {
    let mut samples = tones(1_600, &[(1_000.0, 0.5, 0..1_600)]);
    samples[700] = f32::NAN;
    assert_eq!(events(json!({"frequencies_hz": [1_000]}), &samples, 1, 160).len(), 2);
    let mut node = start::<ToneDetector>(r#"{"frequencies_hz": [4000]}"#).unwrap();
    let error = node.audio_f32(8_000, 1, &[0.0]).unwrap_err();
    assert!(error.message().contains("frequencies_hz has 4000"), "{error}");
    assert!(start::<ToneDetector>(r#"{"frequencies_hz": []}"#).is_err());
    assert!(start::<ToneDetector>(r#"{"frequencies_hz": [0.5]}"#).is_err());
    assert!(start::<ToneDetector>(r#"{"frequencies_hz": [500], "purity": 2}"#).is_err());
}
