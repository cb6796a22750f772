//! Every audio node makes the same bytes of a stream, however it is cut: random signals, random params, random cuts with
//! empty packets and packets of one frame among them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{
    AudioBuffer, AudioSpec, Node, NodeError, Outputs, Packet, Payload, PayloadKind, Port, SampleFormat,
};
use serde_json::{Value, json};

use crate::harness::try_create;
use crate::register::REGISTER;

/// Node types whose results belong to a packet: their documentation says so.
const PER_PACKET: [&str; 2] = ["AudioTransform", "FrameRms"];
/// How many streams each node type gets.
const CASES: u32 = 40;

/// Params of a node type; `None` for one that nobody has thought of here.
fn params(node_type: &str) -> Option<BoxedStrategy<Value>> {
    let rate = prop_oneof![Just(8_000_u32), Just(16_000), Just(44_100), Just(48_000), 2_000..100_000_u32];
    Some(match node_type {
        "PassThrough" | "Denoise" => Just(json!({})).boxed(),
        "AudioGain" => (-80.0..40.0).prop_map(|gain_db: f64| json!({"gain_db": gain_db})).boxed(),
        "AudioResample" => (rate, prop::sample::select(vec!["low", "medium", "high"]))
            .prop_map(|(rate, quality)| json!({"target_sample_rate": rate, "quality": quality}))
            .boxed(),
        "ChannelMixer" => (1..9_u16).prop_map(|channels| json!({"output_channels": channels})).boxed(),
        "FormatConverter" => prop::sample::select(vec!["s16", "s32", "f32"])
            .prop_map(|format| json!({"target_format": format}))
            .boxed(),
        "AudioChunker" => {
            let last = prop::sample::select(vec!["short", "pad", "drop"]);
            let samples = (1..700_u32, 1..700_u32, last.clone()).prop_map(
                |(frame, hop, last)| json!({"frame_samples": frame, "hop_samples": hop, "last_frame": last}),
            );
            let ms = (0.5..30.0, 0.5..30.0, last).prop_map(
                |(frame, hop, last): (f64, f64, _)| json!({"frame_ms": frame, "hop_ms": hop, "last_frame": last}),
            );
            prop_oneof![samples, ms].boxed()
        }
        "AudioLevel" => (1.0..300.0).prop_map(|ms: f64| json!({"interval_ms": ms})).boxed(),
        "SpectralFeatures" => (4..10_u32, 1..600_u32, 1..40_u32, any::<bool>())
            .prop_map(|(power, hop, mels, tensor)| {
                let output = if tensor { "tensor" } else { "json" };
                json!({"n_fft": 1 << power, "hop_samples": hop, "n_mels": mels, "output": output})
            })
            .boxed(),
        "VAD" => (prop::sample::select(vec!["energy", "earshot"]), 0..40_u32, 0..40_u32, 0..40_u32, 0..40_u32)
            .prop_map(|(engine, pre, post, more, least)| {
                json!({"engine": engine, "pre_roll_ms": pre, "post_roll_ms": post, "hang_over_ms": post + more,
                       "min_speech_ms": least})
            })
            .boxed(),
        _ => return None,
    })
}

/// A stream, and the lengths of the packets that it comes in.
#[derive(Clone, Debug)]
struct Stream {
    spec: AudioSpec,
    frames: usize,
    seed: u64,
    cuts: Vec<usize>,
}

fn stream() -> impl Strategy<Value = Stream> {
    let rate = prop_oneof![
        Just(8_000_u32),
        Just(16_000),
        Just(22_050),
        Just(44_100),
        Just(48_000),
        2_000..60_000_u32
    ];
    let format = prop::sample::select(vec![SampleFormat::S16, SampleFormat::S32, SampleFormat::F32]);
    let cut = prop_oneof![2 => Just(0_usize), 3 => Just(1), 4 => 2..100_usize, 3 => 100..1_500_usize];
    (rate, 1..4_u16, format, 0..6_000_usize, any::<u64>(), vec(cut, 1..40)).prop_map(
        |(sample_rate_hz, channels, format, frames, seed, cuts)| Stream {
            spec: AudioSpec { sample_rate_hz, channels, format },
            frames,
            seed,
            cuts,
        },
    )
}

impl Stream {
    /// Noise, tones and silence by turns, so that detectors have something to say.
    fn audio(&self) -> AudioBuffer {
        let mut state = self.seed | 1;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f64 / f64::from(1_u32 << 23) - 1.0
        };
        let sample = |n: usize, noise: f64| match n / 700 % 3 {
            0 => 0.3 * noise,
            1 => 0.8 * (n as f64 * 0.05).sin() + 0.01 * noise,
            _ => 0.0,
        };
        let channels = usize::from(self.spec.channels);
        let samples = (0..self.frames * channels).map(|n| sample(n / channels, noise()));
        let (rate, channels) = (self.spec.sample_rate_hz, self.spec.channels);
        match self.spec.format {
            SampleFormat::S16 => {
                AudioBuffer::from_i16(rate, channels, samples.map(|s| (s * 32_767.0) as i16).collect())
            }
            SampleFormat::S32 => {
                AudioBuffer::from_i32(rate, channels, samples.map(|s| (s * 2_147_483_647.0) as i32).collect())
            }
            SampleFormat::F32 => AudioBuffer::from_f32(rate, channels, samples.map(|s| s as f32).collect()),
        }
        .unwrap()
    }

    /// The stream in packets of these lengths, by turns; one at least.
    fn packets(&self, lengths: &[usize]) -> Vec<Packet> {
        let audio = self.audio();
        let mut start = 0;
        let mut packets = Vec::new();
        for length in lengths.iter().chain([&1]).cycle() {
            let length = (*length).min(self.frames - start);
            let pts_ns = frames_to_ns(start as u64, self.spec.sample_rate_hz);
            packets.push(Packet::new(pts_ns, audio.slice_frames(start, length)));
            start += length;
            if start == self.frames {
                return packets;
            }
        }
        packets
    }
}

/// What came out of one port: sound without a gap, or one value.
#[derive(Debug, PartialEq)]
enum Made {
    Sound { port: Port, pts_ns: i64, spec: AudioSpec, bytes: Vec<u8> },
    Value { port: Port, pts_ns: i64, value: String },
}

/// Everything that the node makes, port after port.
fn run(mut node: Box<dyn Node>, packets: Vec<Packet>) -> Result<Vec<Made>, NodeError> {
    let mut out = Outputs::new();
    node.initialize()?;
    for packet in packets {
        node.process(Port::FIRST, packet, &mut out)?;
    }
    node.flush(&mut out)?;
    node.cleanup();
    let mut packets: Vec<(Port, Packet)> = out.drain().collect();
    packets.sort_by_key(|(port, _)| *port);
    let mut all: Vec<Made> = Vec::new();
    for (port, packet) in packets {
        let audio = match packet.payload {
            Payload::Audio(audio) => audio,
            other => {
                let value = match other {
                    Payload::Json(value) => value.to_string(),
                    Payload::Tensor(tensor) => format!("{:?} {:?}", tensor.shape(), tensor.data()),
                    other => format!("{other:?}"),
                };
                all.push(Made::Value { port, pts_ns: packet.pts_ns, value });
                continue;
            }
        };
        if audio.is_empty() {
            continue;
        }
        if let Some(Made::Sound { port: before, pts_ns, spec, bytes }) = all.last_mut()
            && (*before, *spec) == (port, audio.spec())
        {
            let frame = spec.format.bytes_per_sample() * usize::from(spec.channels);
            let end = *pts_ns + frames_to_ns((bytes.len() / frame) as u64, spec.sample_rate_hz);
            // Times are rounded to nanoseconds, and so is their sum.
            if (packet.pts_ns - end).abs() <= 1 {
                bytes.extend_from_slice(audio.as_bytes());
                continue;
            }
        }
        let (spec, bytes) = (audio.spec(), audio.as_bytes().to_vec());
        all.push(Made::Sound { port, pts_ns: packet.pts_ns, spec, bytes });
    }
    Ok(all)
}

fn takes_audio(kind: PayloadKind) -> bool {
    matches!(kind, PayloadKind::Audio | PayloadKind::Any)
}

#[test]
fn every_audio_node_makes_the_same_bytes_however_its_input_is_cut() {
    let mut tried = 0;
    for node_type in REGISTER {
        let (name, descriptor) = (node_type.name, node_type.make_descriptor());
        let audio = descriptor.inputs.first().is_some_and(|input| takes_audio(input.kind));
        if !audio || PER_PACKET.contains(&name) {
            continue;
        }
        let Some(params) = params(name) else { panic!("{name} takes audio: give it params here") };
        // The same streams on every machine; one that fails is kept in `proptest-regressions`.
        let config = ProptestConfig {
            cases: CASES,
            rng_seed: RngSeed::Fixed(5),
            source_file: Some(file!()),
            ..ProptestConfig::default()
        };
        let result = TestRunner::new(config).run(&(stream(), params), |(stream, params)| {
            let create = || try_create(name, params.clone()).unwrap();
            let whole = run(create(), stream.packets(&[stream.frames]));
            let cut = run(create(), stream.packets(&stream.cuts));
            prop_assert_eq!(whole.map_err(|e| e.kind), cut.map_err(|e| e.kind), "{} with {}", name, params);
            Ok(())
        });
        if let Err(failure) = result {
            panic!("{name}: {failure}");
        }
        tried += 1;
    }
    assert!(tried >= 8, "{tried} node types take audio");
}
