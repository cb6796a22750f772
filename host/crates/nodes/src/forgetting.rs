//! Every native node can be reset: after that it does what a fresh one does.

use remotemedia_core::{AudioBuffer, Node, Outputs, Packet, Payload, Port};
use serde_json::{Value, json};

use crate::harness::{create, noise};
use crate::register::REGISTER;

/// The nodes that remember something from packet to packet, with params.
fn remembering() -> Vec<(&'static str, Value)> {
    vec![
        ("AudioResample", json!({"target_sample_rate": 16_000})),
        ("AudioChunker", json!({"frame_samples": 700})),
        ("AudioLevel", json!({})),
        ("SpectralFeatures", json!({})),
        ("Denoise", json!({})),
        ("VAD", json!({})),
    ]
}

/// What the node makes of `audio`, in packets of a length that fits no node's frames.
fn outputs(node: &mut dyn Node, audio: &AudioBuffer, first_pts_ns: i64) -> Vec<(Port, Packet)> {
    let mut out = Outputs::new();
    for start in (0..audio.frames()).step_by(1_111) {
        let pts_ns = first_pts_ns + remotemedia_core::audio::frames_to_ns(start as u64, 48_000);
        node.process(Port::FIRST, Packet::new(pts_ns, audio.slice_frames(start, 1_111)), &mut out).unwrap();
    }
    out.drain().collect()
}

fn same(((a_port, a), (b_port, b)): (&(Port, Packet), &(Port, Packet))) -> bool {
    let same_payload = match (&a.payload, &b.payload) {
        (Payload::Audio(a), Payload::Audio(b)) => a == b,
        (Payload::Json(a), Payload::Json(b)) => a == b,
        _ => false,
    };
    a_port == b_port && a.pts_ns == b.pts_ns && same_payload
}

fn flushed(node: &mut dyn Node) -> Vec<(Port, Packet)> {
    let mut out = Outputs::new();
    node.flush(&mut out).unwrap();
    out.drain().collect()
}

#[test]
fn every_native_node_is_stateless_or_listed_here() {
    let listed: Vec<_> = remembering().into_iter().map(|(name, _)| name).collect();
    for node_type in REGISTER {
        let stateless = node_type.make_descriptor().stateless;
        assert_ne!(stateless, listed.contains(&node_type.name), "{}", node_type.name);
    }
}

#[test]
fn after_a_reset_a_node_does_what_a_fresh_one_does() {
    // Half a second at a time, louder before than after.
    let (before, after) = (noise(48_000, 1, 0.9, 24_000), noise(48_000, 1, 0.2, 25_000));
    for (node_type, params) in remembering() {
        let mut node = create(node_type, params.clone());
        outputs(node.as_mut(), &before, 0);
        assert!(node.reset().unwrap(), "{node_type}");
        let mut fresh = create(node_type, params.clone());
        // Time goes on where it was interrupted, and need not.
        for first_pts_ns in [500_000_000, 7] {
            let (got, expected) =
                (outputs(node.as_mut(), &after, first_pts_ns), outputs(fresh.as_mut(), &after, first_pts_ns));
            assert!(!expected.is_empty() || node_type == "VAD", "{node_type} gives something to compare");
            assert!(got.len() == expected.len() && got.iter().zip(&expected).all(same), "{node_type}");
            assert_eq!(node.reset(), Ok(true));
            fresh = create(node_type, params.clone());
        }
        assert!(flushed(node.as_mut()).is_empty(), "{node_type}: nothing is left to flush after a reset");
    }
}
