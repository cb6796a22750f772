//! The guests `limiter`, `ducker`, `tone-detector` and `text-filter` in the sandbox. What they compute is tested in
//! their own crates; here, that their ports, params and ends of stream reach the host.

use remotemedia_core::{Node, Outputs, Packet, Payload, Port, Runtime};
use serde_json::{Value, json};

use crate::fixture::{audio, buffer, manifest, process, runtime, start};

fn on_port(node: &mut dyn Node, port: u16, packet: Packet) -> Vec<(Port, Packet)> {
    let mut out = Outputs::new();
    node.process(Port(port), packet, &mut out).unwrap();
    out.drain().collect()
}

fn flush(node: &mut dyn Node) -> Vec<(Port, Packet)> {
    let mut out = Outputs::new();
    node.flush(&mut out).unwrap();
    out.drain().collect()
}

#[test]
fn the_limiter_gives_every_frame_back_and_none_above_its_threshold() {
    let mut node = start(&runtime(), &manifest("limiter", json!({"threshold_db": -20}))).unwrap();
    let mut packets = Vec::new();
    for block in 0..10 {
        let samples = (0..960).map(|n| ((block * 960 + n) as f32 * 0.05).sin()).collect();
        packets.extend(process(&mut *node, audio(48_000, 2, samples)).unwrap());
    }
    packets.extend(flush(&mut *node));
    let samples: Vec<f32> =
        packets.into_iter().flat_map(|(_, packet)| buffer(packet).as_f32().unwrap().to_vec()).collect();
    assert_eq!(samples.len(), 9_600);
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak <= 0.1 && peak > 0.099, "{peak}");
}

#[test]
fn the_ducker_waits_for_its_side_chain_and_turns_the_programme_down() {
    let mut node = start(&runtime(), &manifest("ducker", json!({}))).unwrap();
    assert!(on_port(&mut *node, 0, audio(8_000, 1, vec![1.0; 800])).is_empty());
    let ducked = on_port(&mut *node, 1, audio(8_000, 1, vec![0.1; 400]));
    let samples = buffer(ducked.into_iter().next().unwrap().1);
    // 20 dB above the threshold, at 4:1, after five attack times of 80 frames: 15 dB less, but for e^-5 of it.
    let expected = 10_f64.powf(-15.0 * (1.0 - (-5.0_f64).exp()) / 20.0);
    let last = f64::from(samples.as_f32().unwrap()[399]);
    assert!((last - expected).abs() < 1e-6, "{last}, expected {expected}");
    let rest = buffer(flush(&mut *node).remove(0).1);
    assert_eq!(rest.as_f32().unwrap().len(), 400);
}

#[test]
fn the_tone_detector_turns_audio_into_events() {
    let node = manifest("tone-detector", json!({"frequencies_hz": [1_000]}));
    let descriptor = runtime().describe(&node).unwrap().unwrap();
    assert_eq!(&*descriptor.outputs[0].name, "events");
    let mut node = start(&runtime(), &node).unwrap();
    let tone = (0..640).map(|n| (std::f64::consts::TAU * 0.125 * f64::from(n)).sin() as f32).collect();
    let mut packets = process(&mut *node, audio(8_000, 1, tone)).unwrap();
    packets.extend(flush(&mut *node));
    let events: Vec<Value> = packets
        .into_iter()
        .map(|(_, packet)| match packet.payload {
            Payload::Json(event) => (*event).clone(),
            other => panic!("got {}", other.type_name()),
        })
        .collect();
    let end = json!({"event": "end", "frequency_hz": 1_000.0, "time_ns": 80_000_000});
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["event"], &events[0]["time_ns"]), (&json!("start"), &json!(0)));
    assert!(events[0]["level_db"].as_f64().unwrap().abs() < 0.01);
    assert_eq!(events[1], end);
}

#[test]
fn the_text_filter_drops_and_rewrites() {
    let params =
        json!({"contains": ["error"], "replace": [{"from": "error", "to": "fault"}], "case": "upper"});
    let mut node = start(&runtime(), &manifest("text-filter", params)).unwrap();
    assert!(process(&mut *node, Packet::new(0, "all is well")).unwrap().is_empty());
    let packet = process(&mut *node, Packet::new(5, "an error")).unwrap().remove(0).1;
    assert_eq!(packet.pts_ns, 5);
    assert!(matches!(&packet.payload, Payload::Text(text) if &**text == "AN FAULT"), "{packet:?}");
}
