//! Hours of audio through one pipeline, as fast as it goes: memory stays flat, and no time or sample is lost on the way.
//! `make endurance` runs it with 24 hours, the test suite with minutes.

use std::collections::VecDeque;
use std::time::Instant;

use remotemedia_core::{AudioBuffer, Packet, Payload};
use remotemedia_engine::{Output, Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};
use serde_json::json;

use crate::binary::repository;
use crate::watched::{Held, alone};

/// How much audio, in minutes.
const MINUTES: &str = "REMOTEMEDIA_TEST_MINUTES";
const DEFAULT_MINUTES: u64 = 6;

const RATE: u32 = 16_000;
const PACKET_FRAMES: usize = 320;
const PACKET_NS: i64 = 20_000_000;
const PACKETS_PER_MINUTE: u64 = 3_000;

/// How often memory is looked at: so many times, of which the first quarter is warming up.
const LOOKS: u64 = 64;

/// How much more memory the process may hold at the end than after the warm-up, by the line through all looks: what the
/// allocator moves about. Of 24 hours, which are 4.3 million packets, a leak of one byte for each would show.
const MOST_GROWTH_BYTES: f64 = 2.0 * 1_048_576.0;

/// Native nodes, a sandboxed one, a queue with a thread behind it, and two ends.
fn start(host: &Host) -> Pipeline {
    let guest = repository().join("target/guests/gain.wasm");
    assert!(guest.is_file(), "{} is not there: run `make setup`", guest.display());
    let folder = tempfile::tempdir().unwrap();
    let manifest = json!({
        "version": "v1", "metadata": {"name": "endurance"},
        "nodes": [
            {"id": "in", "node_type": "AudioGain", "params": {"gain_db": -6.0}},
            {"id": "guest", "node_type": "gain", "component": guest, "params": {"gain_db": 6.0}},
            {"id": "vad", "node_type": "VAD"},
            {"id": "rate", "node_type": "AudioResample", "params": {"target_sample_rate": 24_000}},
            {"id": "frames", "node_type": "AudioChunker", "params": {"frame_samples": 480}},
        ],
        "connections": [
            {"from": "in", "to": "guest"},
            {"from": "guest", "to": "vad"},
            {"from": "guest", "to": "rate", "queue": {"max_packets": 16}},
            {"from": "rate", "to": "frames"},
        ],
    });
    let file = folder.path().join("endurance.json");
    std::fs::write(&file, manifest.to_string()).unwrap();
    let plan = host.plan(&host.load_manifest(&file).unwrap()).unwrap();
    host.start(&plan, PipelineOptions::default()).unwrap()
}

/// Speech at 16 kHz: eleven seconds, a whole number of packets.
fn speech(host: &Host) -> Vec<AudioBuffer> {
    let file = repository().join("docs/examples/speech/speech.wav");
    let mut reader = hound::WavReader::open(file).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let spec = reader.spec();
    let manifest = serde_json::from_value(json!({
        "version": "v1", "metadata": {"name": "rate"}, "connections": [],
        "nodes": [{"id": "rate", "node_type": "AudioResample", "params": {"target_sample_rate": RATE}}],
    }))
    .unwrap();
    let plan = host.plan(&manifest).unwrap();
    let mut pipeline = host.start(&plan, PipelineOptions::default()).unwrap();
    let whole = AudioBuffer::from_i16(spec.sample_rate, spec.channels, samples).unwrap();
    let mut samples: Vec<f32> = Vec::new();
    for output in pipeline.run([("rate", Packet::new(0, whole))]).unwrap() {
        let Payload::Audio(audio) = &output.packet.payload else { panic!("no audio") };
        samples.extend(audio.as_f32().unwrap());
    }
    let packets = samples.chunks_exact(PACKET_FRAMES);
    assert!(packets.remainder().is_empty(), "{} samples", samples.len());
    packets.map(|packet| AudioBuffer::from_f32(RATE, 1, packet.to_vec()).unwrap()).collect()
}

/// What came out so far.
#[derive(Default)]
struct Heard {
    frames: i64,
    segments: u64,
    last_segment_ns: i64,
}

impl Heard {
    /// Of `frames`, packet n has 480 frames of 24 kHz and begins at n times 20 ms: 16 kHz go in, so nothing is lost.
    fn take(&mut self, output: &Output, frames_node: usize) {
        match &output.packet.payload {
            Payload::Audio(audio) => {
                assert_eq!((output.node, audio.frames()), (frames_node, 480));
                assert_eq!(output.packet.pts_ns, self.frames * PACKET_NS);
                self.frames += 1;
            }
            Payload::Json(segment) => {
                let (start, end) =
                    (segment["start_ns"].as_i64().unwrap(), segment["end_ns"].as_i64().unwrap());
                assert!(self.last_segment_ns <= start && start < end, "{segment}");
                (self.segments, self.last_segment_ns) = (self.segments + 1, end);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The slope of the line through `points`, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    covariance / points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

#[test]
fn hours_of_audio_in_one_pipeline_keep_memory_flat_and_every_time_exact() {
    alone(|| {
        remotemedia_host::give_back_freed_memory();
        let minutes = std::env::var(MINUTES).map_or(DEFAULT_MINUTES, |minutes| minutes.parse().unwrap());
        let host = Host::new(Config::default());
        let speech = speech(&host);
        let mut pipeline = start(&host);
        let frames_node = 4;
        let (began, packets) = (Instant::now(), minutes * PACKETS_PER_MINUTE);
        let (mut heard, mut looks) = (Heard::default(), VecDeque::new());
        for number in 0..packets {
            let block = speech[number as usize % speech.len()].clone();
            pipeline.feed("in", Packet::new(number as i64 * PACKET_NS, block)).unwrap();
            while let Some(output) = pipeline.try_next().unwrap() {
                heard.take(&output, frames_node);
            }
            if number % (packets / LOOKS) == 0 {
                looks.push_back((number as f64, Held::now().memory_bytes as f64));
            }
        }
        pipeline.finish().unwrap();
        while let Some(output) = pipeline.next().unwrap() {
            heard.take(&output, frames_node);
        }
        // 320 frames of 16 kHz are 480 of 24 kHz.
        assert_eq!(heard.frames as u64, packets);
        // Two stretches of speech at least in eleven seconds.
        assert!(heard.segments * 11 * 50 >= packets, "{} segments", heard.segments);
        assert!(heard.last_segment_ns <= packets as i64 * PACKET_NS);
        let looks: Vec<(f64, f64)> = looks.into_iter().skip(LOOKS as usize / 4).collect();
        let per_packet = slope(&looks);
        let growth = per_packet * (looks[looks.len() - 1].0 - looks[0].0);
        let mib = |bytes: f64| bytes / 1_048_576.0;
        println!(
            "{minutes} minutes in {:.1} s, {} segments; after the warm-up {:.2} MiB, at the end {:.2} MiB, growth by the \
             line {:.3} MiB, {:.3} bytes per packet",
            began.elapsed().as_secs_f64(),
            heard.segments,
            mib(looks[0].1),
            mib(looks[looks.len() - 1].1),
            mib(growth),
            per_packet
        );
        assert!(growth < MOST_GROWTH_BYTES, "memory grows by {per_packet} bytes per packet: {looks:?}");
    });
}
