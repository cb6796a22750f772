//! What the tests of several nodes need: creating nodes as a manifest does, and driving streams through them.

use remotemedia_core::{AudioBuffer, Node, NodeError, NodeManifest, Outputs, Packet, Payload, Port, Runtime};
use serde_json::Value;

use crate::runtime::NativeRuntime;

/// A node of a manifest entry called `test`.
pub(crate) fn create(node_type: &str, params: Value) -> Box<dyn Node> {
    try_create(node_type, params).unwrap()
}

pub(crate) fn try_create(node_type: &str, params: Value) -> Result<Box<dyn Node>, NodeError> {
    NativeRuntime::new().create(&NodeManifest::new("test", node_type).with_params(params))
}

/// What the node makes of one JSON value.
pub(crate) fn json_outputs(node: &mut dyn Node, value: Value) -> Result<Vec<Value>, NodeError> {
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, value), &mut out)?;
    Ok(jsons(out.drain().map(|(_, packet)| packet)))
}

/// Everything the node makes of `values`, flush included.
pub(crate) fn run_json<const N: usize>(mut node: Box<dyn Node>, values: [Value; N]) -> Vec<Value> {
    let mut results = Vec::new();
    for value in values {
        results.extend(json_outputs(node.as_mut(), value).unwrap());
    }
    let mut out = Outputs::new();
    node.flush(&mut out).unwrap();
    results.extend(jsons(out.drain().map(|(_, packet)| packet)));
    results
}

/// The values of JSON packets.
pub(crate) fn jsons(packets: impl IntoIterator<Item = Packet>) -> Vec<Value> {
    let value = |packet: Packet| match packet.payload {
        Payload::Json(value) => value.as_ref().clone(),
        other => panic!("wanted JSON, got {}", other.type_name()),
    };
    packets.into_iter().map(value).collect()
}

/// Everything the node makes of `audio` fed in chunks of `chunk_frames`, flush and cleanup included.
pub(crate) fn run_chunks(mut node: Box<dyn Node>, audio: &AudioBuffer, chunk_frames: usize) -> Vec<Packet> {
    let rate = audio.spec().sample_rate_hz;
    let mut out = Outputs::new();
    node.initialize().unwrap();
    for start in (0..audio.frames()).step_by(chunk_frames) {
        let pts_ns = remotemedia_core::audio::frames_to_ns(start as u64, rate);
        let chunk = audio.slice_frames(start, chunk_frames);
        node.process(Port::FIRST, Packet::new(pts_ns, chunk), &mut out).unwrap();
    }
    node.flush(&mut out).unwrap();
    node.cleanup();
    out.drain().map(|(_, packet)| packet).collect()
}

/// The audio of a packet.
pub(crate) fn audio_of(packet: &Packet) -> &AudioBuffer {
    match &packet.payload {
        Payload::Audio(audio) => audio,
        other => panic!("wanted audio, got {}", other.type_name()),
    }
}

/// All `f32` samples of audio packets, one after the other.
pub(crate) fn samples(packets: &[Packet]) -> Vec<f32> {
    packets.iter().flat_map(|packet| audio_of(packet).to_f32().into_owned()).collect()
}

/// What one packet becomes, when it becomes one packet.
pub(crate) fn one(node: &mut dyn Node, audio: AudioBuffer) -> Result<AudioBuffer, NodeError> {
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, audio), &mut out)?;
    assert_eq!(out.len(), 1);
    let (_, packet) = out.drain().next().unwrap();
    Ok(audio_of(&packet).clone())
}

/// `f32` audio from interleaved samples.
pub(crate) fn f32_audio(sample_rate_hz: u32, channels: u16, samples: Vec<f32>) -> AudioBuffer {
    AudioBuffer::from_f32(sample_rate_hz, channels, samples).unwrap()
}

/// `amplitude · sin(2π · frequency_hz · t)` on every channel.
pub(crate) fn sine(
    sample_rate_hz: u32,
    channels: u16,
    frequency_hz: f64,
    amplitude: f64,
    frames: usize,
) -> AudioBuffer {
    let step = std::f64::consts::TAU * frequency_hz / f64::from(sample_rate_hz);
    let tone = (0..frames).map(|n| (amplitude * (step * n as f64).sin()) as f32);
    let samples = tone.flat_map(|sample| std::iter::repeat_n(sample, usize::from(channels))).collect();
    f32_audio(sample_rate_hz, channels, samples)
}

/// White noise in ±`amplitude` from a fixed seed (xorshift), different on every sample and channel.
pub(crate) fn noise(sample_rate_hz: u32, channels: u16, amplitude: f32, frames: usize) -> AudioBuffer {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let samples = (0..frames * usize::from(channels)).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        amplitude * ((state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
    });
    f32_audio(sample_rate_hz, channels, samples.collect())
}
