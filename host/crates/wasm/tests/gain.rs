//! The guest `gain` of every language against its closed form, in every sample format: the same rows for all.

use remotemedia_core::{AudioBuffer, ErrorKind, NodeManifest, Packet, Runtime};
use serde_json::{Value, json};

use crate::fixture::{audio, buffer, error_of, guest, process, runtime, start};

/// The components that are this node: in Rust, C and JavaScript.
const GAINS: [&str; 3] = ["gain", "gain-c", "gain-js"];

/// The node `gain` of that component.
fn manifest(component: &str, params: Value) -> NodeManifest {
    let mut node = NodeManifest::new("a-gain", "gain").with_params(params);
    node.component = Some(guest(component).into());
    node
}

#[test]
fn gain_is_ten_to_the_power_of_a_twentieth_of_the_decibels() {
    for component in GAINS {
        let runtime = runtime();
        let input: Vec<f32> = (0..480).map(|n| (n as f32 * 0.1).sin()).collect();
        for gain_db in [-60.0, -6.0, 0.0, 3.5, 20.0] {
            let mut node = start(&runtime, &manifest(component, json!({"gain_db": gain_db}))).unwrap();
            let mut out = process(&mut *node, audio(48_000, 1, input.clone())).unwrap();
            let scaled = buffer(out.remove(0).1);
            let factor = 10_f64.powf(gain_db / 20.0);
            for (&before, &after) in input.iter().zip(scaled.as_f32().unwrap()) {
                let expected = f64::from(before) * factor;
                // One rounding of the factor and one of the product: two half units in the last place of f32.
                let tolerance = expected.abs() * 2.0 * f64::from(f32::EPSILON);
                assert!(
                    (f64::from(after) - expected).abs() <= tolerance,
                    "{component}, {gain_db} dB: {after} for {expected}"
                );
            }
            node.cleanup();
        }
    }
}

#[test]
fn time_rate_channels_and_empty_blocks_pass_through() {
    for component in GAINS {
        let mut node = start(&runtime(), &manifest(component, json!({"gain_db": 20}))).unwrap();
        for (rate, channels, samples) in
            [(384_000, 32, vec![1.0; 64]), (8_000, 1, vec![]), (44_100, 2, vec![0.5; 2])]
        {
            let mut packet = audio(rate, channels, samples.clone());
            packet.pts_ns = -1_234_567_890_123;
            let mut out = process(&mut *node, packet).unwrap();
            assert_eq!(out.len(), 1);
            let packet = out.remove(0).1;
            assert_eq!(packet.pts_ns, -1_234_567_890_123);
            let expected = samples.iter().map(|sample| sample * 10.0).collect();
            assert_eq!(buffer(packet), AudioBuffer::from_f32(rate, channels, expected).unwrap());
        }
    }
}

#[test]
fn integer_formats_keep_their_format_and_saturate() {
    for component in GAINS {
        let mut node = start(&runtime(), &manifest(component, json!({"gain_db": 20}))).unwrap();
        let input = AudioBuffer::from_i16(16_000, 1, vec![1, -7, 3_276, 3_277, -32_768]).unwrap();
        let mut out = process(&mut *node, Packet::new(0, input)).unwrap();
        assert_eq!(buffer(out.remove(0).1).as_i16().unwrap(), [10, -70, 32_760, 32_767, -32_768]);
        let input = AudioBuffer::from_i32(16_000, 1, vec![1 << 20, -(1 << 24), i32::MAX, i32::MIN]).unwrap();
        let mut out = process(&mut *node, Packet::new(0, input)).unwrap();
        assert_eq!(buffer(out.remove(0).1).as_i32().unwrap(), [10 << 20, -(10 << 24), i32::MAX, i32::MIN]);
    }
}

#[test]
fn a_steady_stream_reuses_the_storage_of_its_input() {
    for component in GAINS {
        let mut node = start(&runtime(), &manifest(component, json!({"gain_db": -20}))).unwrap();
        let input = AudioBuffer::from_f32(48_000, 2, vec![1.0; 960]).unwrap();
        let address = input.as_f32().unwrap().as_ptr();
        let mut out = process(&mut *node, Packet::new(0, input)).unwrap();
        assert_eq!(buffer(out.remove(0).1).as_f32().unwrap().as_ptr(), address);
        // A second owner keeps what it has.
        let input = AudioBuffer::from_f32(48_000, 2, vec![1.0; 960]).unwrap();
        let kept = input.clone();
        process(&mut *node, Packet::new(0, input)).unwrap();
        assert!(kept.as_f32().unwrap().iter().all(|&sample| sample == 1.0));
    }
}

#[test]
fn wrong_params_and_wrong_payloads_are_refused_with_a_reason() {
    for component in GAINS {
        let runtime = runtime();
        let error = error_of(start(&runtime, &manifest(component, json!({"gain": 1}))));
        assert_eq!(error.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains("unknown field `gain`"), "{error}");
        let error = error_of(start(&runtime, &manifest(component, json!({"gain_db": 1e9}))));
        assert!(error.message.contains("must be from -150 to 150"), "{error}");
        let mut node = start(&runtime, &manifest(component, json!({}))).unwrap();
        let error = error_of(process(&mut *node, Packet::new(0, "text")));
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert_eq!(&*error.message, "`gain` takes audio on `in`, got text");
        assert!(process(&mut *node, audio(8_000, 1, vec![1.0])).is_ok(), "a refused packet harms nothing");
    }
}

#[test]
fn a_descriptor_tells_ports_params_and_statelessness() {
    for component in GAINS {
        let descriptor = runtime().describe(&manifest(component, json!({}))).unwrap().unwrap();
        assert_eq!(descriptor.node_type, "gain");
        assert!(descriptor.stateless);
        assert_eq!((descriptor.inputs.len(), &*descriptor.inputs[0].name), (1, "in"));
        let gain_db = &descriptor.params_schema["properties"]["gain_db"];
        assert_eq!(gain_db["type"], "number");
        assert!(gain_db["description"].as_str().unwrap().contains("dB"));
        assert_eq!(descriptor.params_schema["additionalProperties"], false);
    }
}
