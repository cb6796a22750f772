//! What voice activity detection costs per 30 ms of 16 kHz mono: the VAD node with each engine, through the engine
//! of the host, beside the bare earshot crate in the same run.
#![expect(clippy::expect_used, reason = "a bench that cannot run must stop")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use remotemedia_core::manifest::ManifestFormat;
use remotemedia_core::{AudioBuffer, Manifest, Packet, Payload};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::media::AudioInput;
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

const RATE_HZ: u32 = 16_000;

/// 30 ms.
const FRAME: usize = 480;
const FRAME_NS: i64 = 30_000_000;

/// What the earshot network takes at a time.
const EARSHOT_HOP: usize = 256;

fn single_node(host: &Host, node_type: &str, params: Value) -> Pipeline {
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "vad-bench"},
        "nodes": [{"id": "node", "node_type": node_type, "params": params}],
        "connections": [],
    });
    let manifest =
        Manifest::parse(manifest.to_string().as_bytes(), ManifestFormat::Json).expect("a sound manifest");
    let plan = host.plan(&manifest).expect("a native node");
    host.start(&plan, PipelineOptions { metrics: false, ..PipelineOptions::default() })
        .expect("a node that starts")
}

/// The demo recording at 16 kHz, a whole number of frames.
fn speech(host: &Host) -> Vec<f32> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/speech/speech.wav");
    let mut input = AudioInput::open(&file).expect("the demo recording");
    let mut packets = Vec::new();
    while let Some(packet) = input.next_packet(FRAME).expect("a whole wav file") {
        packets.push(("node", packet));
    }
    let mut resample = single_node(host, "AudioResample", json!({"target_sample_rate": RATE_HZ}));
    let mut samples = Vec::new();
    for output in resample.run(packets).expect("audio at another rate") {
        let Payload::Audio(audio) = output.packet.payload else { unreachable!("a resampler emits audio") };
        audio.append_f32_to(&mut samples);
    }
    samples.truncate(samples.len() / FRAME * FRAME);
    samples
}

fn vad(c: &mut Criterion) {
    let host = Host::new(Config::default());
    let samples = speech(&host);
    let frames: Vec<AudioBuffer> = samples
        .chunks_exact(FRAME)
        .map(|frame| AudioBuffer::from_f32(RATE_HZ, 1, frame.to_vec()).expect("mono audio"))
        .collect();
    let mut group = c.benchmark_group("vad_per_30ms");
    group.throughput(Throughput::Elements(FRAME as u64));
    for engine in ["energy", "earshot"] {
        let mut pipeline = single_node(&host, "VAD", json!({"engine": engine}));
        let mut number = 0_usize;
        group.bench_function(engine, |b| {
            b.iter(|| {
                let audio = frames[number % frames.len()].clone();
                let packet = Packet::new(number as i64 * FRAME_NS, audio);
                number += 1;
                pipeline.feed("node", packet).expect("VAD takes 16 kHz mono");
                black_box(pipeline.try_next().expect("VAD does not fail"));
            });
        });
    }
    group.bench_function("earshot_bare", |b| {
        let mut detector = earshot::Detector::default_boxed();
        let mut hops = samples.chunks_exact(EARSHOT_HOP).cycle();
        let mut waiting = 0;
        b.iter(|| {
            waiting += FRAME;
            while waiting >= EARSHOT_HOP {
                waiting -= EARSHOT_HOP;
                if let Some(hop) = hops.next() {
                    black_box(detector.predict_f32(hop));
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, vad);
criterion_main!(benches);
