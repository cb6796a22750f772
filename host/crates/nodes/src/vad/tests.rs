//! The whole node: what it finds, and that cutting, channels, formats, gaps and broken samples do not change it.

use std::path::Path;

use remotemedia_core::{ErrorKind, Payload};
use serde_json::Value;

use super::*;
use crate::harness::{audio_of, create, f32_audio, noise, sine, try_create};

const RATE_HZ: u32 = 16_000;

/// Everything the node emits, with `first_pts_ns` as the time of the first sample.
fn run(params: Value, audio: &AudioBuffer, chunk_frames: usize, first_pts_ns: i64) -> Vec<(Port, Packet)> {
    let mut node = create("VAD", params);
    let mut out = Outputs::new();
    for start in (0..audio.frames()).step_by(chunk_frames) {
        let pts_ns = first_pts_ns + frames_to_ns(start as u64, audio.spec().sample_rate_hz);
        let chunk = audio.slice_frames(start, chunk_frames);
        node.process(Port::FIRST, Packet::new(pts_ns, chunk), &mut out).unwrap();
    }
    node.flush(&mut out).unwrap();
    node.cleanup();
    out.drain().collect()
}

fn json_on(port: Port, packets: &[(Port, Packet)]) -> Vec<Value> {
    let on_port = packets.iter().filter(|(from, _)| *from == port);
    on_port
        .map(|(_, packet)| match &packet.payload {
            Payload::Json(value) => value.as_ref().clone(),
            other => panic!("JSON was promised, {} came", other.type_name()),
        })
        .collect()
}

/// Start and end of each segment in seconds.
fn segments(packets: &[(Port, Packet)]) -> Vec<(f64, f64)> {
    let seconds = |value: &Value| value.as_i64().unwrap() as f64 / 1e9;
    let found = json_on(SEGMENTS, packets);
    found.iter().map(|segment| (seconds(&segment["start_ns"]), seconds(&segment["end_ns"]))).collect()
}

/// Faint noise, 26 dB louder from 1 to 1.6 s, from 2.5 to 3.5 s and from 4.5 s to the end at 5 s.
fn bursts(sample_rate_hz: u32) -> AudioBuffer {
    let rate = f64::from(sample_rate_hz);
    let mut samples = noise(sample_rate_hz, 1, 0.2, 5 * sample_rate_hz as usize).try_into_f32_vec().unwrap();
    for (index, sample) in samples.iter_mut().enumerate() {
        let time_s = index as f64 / rate;
        let is_loud = [(1.0, 1.6), (2.5, 3.5), (4.5, 5.0)].iter().any(|&(a, b)| time_s >= a && time_s < b);
        *sample *= if is_loud { 1.0 } else { 0.05 };
    }
    f32_audio(sample_rate_hz, 1, samples)
}

fn assert_bursts_found(found: &[(f64, f64)], label: &str) {
    let expected = [(1.0, 1.6), (2.5, 3.5), (4.5, 5.0)];
    assert_eq!(found.len(), expected.len(), "{label}: {found:?}");
    for (&(start, end), (true_start, true_end)) in found.iter().zip(expected) {
        assert!((start - true_start).abs() <= 0.100, "{label}: {found:?}");
        assert!((end - true_end).abs() <= 0.120, "{label}: {found:?}");
    }
}

#[test]
fn bursts_are_found_at_their_times_at_every_rate() {
    for sample_rate_hz in [8_000, 11_025, 16_000, 44_100, 48_000, 96_000] {
        let found = segments(&run(json!({}), &bursts(sample_rate_hz), 441, 0));
        assert_bursts_found(&found, &format!("{sample_rate_hz} Hz"));
    }
}

#[test]
fn a_segment_still_open_at_the_end_ends_with_the_last_sample() {
    let found = segments(&run(json!({}), &bursts(RATE_HZ), 160, 0));
    assert_eq!(found.last().unwrap().1, 5.0);
}

#[test]
fn results_do_not_depend_on_how_the_stream_is_cut() {
    for engine in ["energy", "earshot"] {
        let audio = bursts(RATE_HZ).slice_frames(0, 3 * RATE_HZ as usize + 77);
        let whole = run(json!({"engine": engine}), &audio, usize::MAX, 0);
        assert!(whole.len() > 180, "{engine}: {} packets", whole.len());
        for chunk_frames in [1, 7, 255, 256, 257, 480, 4_096] {
            let cut = run(json!({"engine": engine}), &audio, chunk_frames, 0);
            assert_eq!(cut.len(), whole.len(), "{engine} in chunks of {chunk_frames}");
            for ((port, packet), (whole_port, whole_packet)) in cut.iter().zip(&whole) {
                assert_eq!((port, packet.pts_ns), (whole_port, whole_packet.pts_ns));
                match (&packet.payload, &whole_packet.payload) {
                    (Payload::Json(value), Payload::Json(whole_value)) => assert_eq!(value, whole_value),
                    (Payload::Audio(audio), Payload::Audio(whole_audio)) => assert_eq!(audio, whole_audio),
                    other => panic!("{engine} in chunks of {chunk_frames}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn the_speech_port_carries_exactly_the_samples_of_each_segment() {
    let audio = bursts(RATE_HZ);
    let packets = run(json!({"pre_roll_ms": 200}), &audio, 333, 7_000_000_000);
    let speech: Vec<_> = packets.iter().filter(|(port, _)| *port == SPEECH).collect();
    let found = json_on(SEGMENTS, &packets);
    assert_eq!((speech.len(), found.len()), (3, 3));
    for ((_, packet), segment) in speech.into_iter().zip(found) {
        assert_eq!(segment["start_ns"], packet.pts_ns);
        let sample = |ns: &Value| ((ns.as_i64().unwrap() - 7_000_000_000) as f64 * 16e-6).round() as usize;
        let (start, end) = (sample(&segment["start_ns"]), sample(&segment["end_ns"]));
        assert_eq!(audio_of(packet), &audio.slice_frames(start, end - start));
    }
}

#[test]
fn long_speech_is_cut_at_the_maximum_without_a_hole() {
    // Pulses of 150 ms every 250 ms, from 0.5 s to 3 s: the hang-over bridges the pauses.
    let mut samples = noise(RATE_HZ, 1, 0.5, 3 * RATE_HZ as usize).try_into_f32_vec().unwrap();
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample *= if index >= 8_000 && index % 4_000 < 2_400 { 1.0 } else { 0.001 };
    }
    let found = segments(&run(json!({"max_speech_ms": 1000}), &f32_audio(RATE_HZ, 1, samples), 160, 0));
    assert!((3..=4).contains(&found.len()), "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].0), "{found:?}");
    assert!(found.iter().all(|(start, end)| end - start <= 1.016), "{found:?}");
    let (start, end) = (found[0].0, found[found.len() - 1].1);
    assert!((start - 0.5).abs() <= 0.100 && (end - 2.9).abs() <= 0.100, "{found:?}");
}

#[test]
fn channels_and_formats_of_the_same_sound_give_the_same_segments() {
    let mono = bursts(RATE_HZ);
    let samples = mono.as_f32().unwrap();
    let expected = segments(&run(json!({}), &mono, 160, 0));
    let wide = f32_audio(RATE_HZ, 32, samples.iter().flat_map(|&s| [s; 32]).collect());
    assert_eq!(segments(&run(json!({}), &wide, 160, 0)), expected);
    let s16 = samples.iter().map(|s| (s * 32_768.0).round() as i16).collect();
    assert_eq!(segments(&run(json!({}), &AudioBuffer::from_i16(RATE_HZ, 1, s16).unwrap(), 160, 0)), expected);
    let s32 = samples.iter().map(|s| (s * 2_147_483_648.0) as i32).collect();
    assert_eq!(segments(&run(json!({}), &AudioBuffer::from_i32(RATE_HZ, 1, s32).unwrap(), 160, 0)), expected);
}

#[test]
fn samples_that_are_no_numbers_count_as_silence() {
    let clean = bursts(RATE_HZ);
    let replace = |value: f32| {
        let samples = clean.as_f32().unwrap().iter().enumerate();
        let samples = samples.map(|(index, &sample)| if index % 97 == 5 { value } else { sample });
        f32_audio(RATE_HZ, 1, samples.collect())
    };
    for engine in ["energy", "earshot"] {
        let params = json!({"engine": engine});
        let expected = json_on(FRAMES, &run(params.clone(), &replace(0.0), 160, 0));
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(json_on(FRAMES, &run(params.clone(), &replace(broken), 160, 0)), expected, "{engine}");
        }
    }
}

#[test]
fn a_gap_ends_the_open_segment_and_moves_time() {
    let audio = bursts(RATE_HZ);
    let mut node = create("VAD", json!({}));
    let mut out = Outputs::connected_to([SEGMENTS]);
    let first = audio.slice_frames(0, 3 * RATE_HZ as usize);
    let second = audio.slice_frames(3 * RATE_HZ as usize, usize::MAX);
    node.process(Port::FIRST, Packet::new(0, first), &mut out).unwrap();
    node.process(Port::FIRST, Packet::new(60_000_000_000, second), &mut out).unwrap();
    node.flush(&mut out).unwrap();
    let packets: Vec<_> = out.drain().collect();
    let found = segments(&packets);
    let expected = [(1.0, 1.6), (2.5, 3.0), (60.0, 60.5), (61.5, 62.0)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((start, end), (true_start, true_end)) in found.iter().zip(expected) {
        assert!((start - true_start).abs() <= 0.100 && (end - true_end).abs() <= 0.120, "{found:?}");
    }
}

#[test]
fn jitter_of_less_than_half_a_frame_is_not_a_gap() {
    let audio = bursts(RATE_HZ);
    let mut node = create("VAD", json!({}));
    let mut out = Outputs::connected_to([SEGMENTS]);
    for (number, start) in (0..audio.frames()).step_by(160).enumerate() {
        let jitter_ns = if number % 2 == 0 { 7_900_000 } else { -7_900_000 } * i64::from(number > 0);
        let pts_ns = frames_to_ns(start as u64, RATE_HZ) + jitter_ns;
        node.process(Port::FIRST, Packet::new(pts_ns, audio.slice_frames(start, 160)), &mut out).unwrap();
    }
    node.flush(&mut out).unwrap();
    let packets: Vec<_> = out.drain().collect();
    assert_eq!(segments(&packets), segments(&run(json!({}), &audio, 160, 0)));
}

#[test]
fn a_tone_is_not_speech_for_energy_and_not_for_long_for_earshot() {
    let mut samples = noise(RATE_HZ, 1, 0.001, 10 * RATE_HZ as usize).try_into_f32_vec().unwrap();
    let tone = sine(RATE_HZ, 1, 1_000.0, 0.14, 8 * RATE_HZ as usize);
    for (sample, tone) in samples[RATE_HZ as usize..].iter_mut().zip(tone.as_f32().unwrap()) {
        *sample += tone;
    }
    let audio = f32_audio(RATE_HZ, 1, samples);
    assert_eq!(segments(&run(json!({}), &audio, 160, 0)), []);
    let found = segments(&run(json!({"engine": "earshot"}), &audio, 160, 0));
    let flagged_s: f64 = found.iter().map(|(start, end)| end - start).sum();
    assert!(flagged_s <= 3.5, "{found:?}");
}

#[test]
fn silence_and_steady_noise_are_not_speech() {
    for engine in ["energy", "earshot"] {
        for audio in [f32_audio(RATE_HZ, 1, vec![0.0; 80_000]), noise(RATE_HZ, 1, 0.1, 80_000)] {
            let packets = run(json!({"engine": engine}), &audio, 160, 0);
            assert_eq!(segments(&packets), [], "{engine}");
            assert!(json_on(FRAMES, &packets).iter().all(|frame| frame["is_speech"] == false));
        }
    }
}

#[test]
fn the_demo_recording_has_the_segments_of_its_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/examples/speech");
    let wav = std::fs::read(folder.join("speech.wav")).unwrap();
    let truth: Value =
        serde_json::from_slice(&std::fs::read(folder.join("speech.truth.json")).unwrap()).unwrap();
    // A canonical header of 44 bytes, then 16-bit mono samples.
    let pcm = wav[44..].chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect();
    let audio = AudioBuffer::from_i16(44_100, 1, pcm).unwrap();
    let found = segments(&run(json!({}), &audio, 882, 0));
    let expected = truth["segments"].as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((start, end), truth) in found.iter().zip(expected) {
        assert!((start - truth["start_ns"].as_f64().unwrap() / 1e9).abs() <= 0.100, "{found:?} {truth}");
        assert!((end - truth["end_ns"].as_f64().unwrap() / 1e9).abs() <= 0.200, "{found:?} {truth}");
    }
}

#[test]
fn ports_that_nobody_reads_cost_nothing_and_change_nothing() {
    let audio = bursts(RATE_HZ);
    let all = run(json!({}), &audio, usize::MAX, 0);
    let mut node = create("VAD", json!({}));
    let mut out = Outputs::connected_to([SEGMENTS]);
    node.process(Port::FIRST, Packet::new(0, audio), &mut out).unwrap();
    node.flush(&mut out).unwrap();
    let only: Vec<_> = out.drain().collect();
    assert!(only.iter().all(|(port, _)| *port == SEGMENTS));
    assert_eq!(json_on(SEGMENTS, &only), json_on(SEGMENTS, &all));
}

#[test]
fn a_stream_of_nothing_or_of_one_sample_has_no_segment() {
    let mut node = create("VAD", json!({}));
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, f32_audio(RATE_HZ, 2, vec![])), &mut out).unwrap();
    node.flush(&mut out).unwrap();
    assert!(out.is_empty());
    let packets = run(json!({}), &f32_audio(384_000, 32, vec![0.5; 32]), 1, 0);
    assert_eq!(segments(&packets), []);
    assert_eq!(json_on(FRAMES, &packets).len(), 1);
}

#[test]
fn a_rate_that_changes_or_does_not_fit_is_refused_by_name() {
    let mut node = create("VAD", json!({}));
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, f32_audio(RATE_HZ, 1, vec![0.0; 16])), &mut out).unwrap();
    let changed = f32_audio(48_000, 1, vec![0.0; 16]);
    let error = node.process(Port::FIRST, Packet::new(1_000_000, changed), &mut out).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("16000 Hz to 48000 Hz"), "{error}");

    let mut node = create("VAD", json!({"engine": "earshot"}));
    let packet = Packet::new(0, f32_audio(44_100, 1, vec![0.0; 16]));
    let error = node.process(Port::FIRST, packet, &mut out).unwrap_err();
    assert!(error.message.contains("AudioResample"), "{error}");
}

#[test]
fn unknown_engines_and_contradicting_params_are_refused() {
    for params in [json!({"engine": "magic"}), json!({"threshold": 2.0}), json!({"hangover_ms": 5})] {
        let error = try_create("VAD", params.clone()).err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidParams, "{params}");
    }
}
