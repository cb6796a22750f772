//! What one hop between inline native nodes costs: chains of 1 and 101 PassThrough nodes, with metrics on and off, and
//! with a trace. The hop is the slope: (time of 101 - time of 1) / 100. `metrics_read` is one reading of the metrics of six
//! nodes, most of what an execution pays beside its hops.
#![expect(clippy::expect_used, reason = "a bench that cannot run must stop")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use remotemedia_benches::chain;
use remotemedia_core::{AudioBuffer, Packet};
use remotemedia_engine::{Pipeline, PipelineOptions, TraceRecorder};
use remotemedia_host::{Config, Host};

/// 20 ms of mono at 48 kHz.
const SAMPLES: usize = 960;
/// Feeds that one recorder takes of the long chain, with room for all their events.
const TRACED_FEEDS: u64 = 2_000;
const TRACED_EVENTS: usize = 500_000;

fn feed(pipeline: &mut Pipeline, audio: &AudioBuffer) {
    pipeline.feed("n0", Packet::new(0, audio.clone())).expect("PassThrough takes anything");
    black_box(pipeline.try_next().expect("PassThrough does not fail"));
}

fn hop(c: &mut Criterion) {
    let host = Host::new(Config::default());
    let mut group = c.benchmark_group("hop");
    for (name, metrics) in [("metrics_off", false), ("metrics_on", true)] {
        for nodes in [1_usize, 101] {
            let plan = host.plan(&chain(nodes, "PassThrough")).expect("a chain of PassThrough is sound");
            let options = PipelineOptions { metrics, ..PipelineOptions::default() };
            let mut pipeline = host.start(&plan, options).expect("PassThrough starts");
            let audio = AudioBuffer::from_f32(48_000, 1, vec![0.25; SAMPLES]).expect("mono audio");
            group.bench_function(BenchmarkId::new(name, nodes), |b| {
                b.iter(|| feed(&mut pipeline, &audio));
            });
        }
    }
    for nodes in [1_usize, 101] {
        let plan = host.plan(&chain(nodes, "PassThrough")).expect("a chain of PassThrough is sound");
        let audio = AudioBuffer::from_f32(48_000, 1, vec![0.25; SAMPLES]).expect("mono audio");
        group.bench_function(BenchmarkId::new("traced", nodes), |b| {
            b.iter_custom(|feeds| {
                let mut took = Duration::ZERO;
                let mut left = feeds;
                while left > 0 {
                    let trace = Some(TraceRecorder::new(TRACED_EVENTS));
                    let options = PipelineOptions { metrics: true, trace, ..PipelineOptions::default() };
                    let mut pipeline = host.start(&plan, options).expect("PassThrough starts");
                    let now = left.min(TRACED_FEEDS);
                    let began = Instant::now();
                    (0..now).for_each(|_| feed(&mut pipeline, &audio));
                    took += began.elapsed();
                    left -= now;
                }
                took
            });
        });
    }
    let plan = host.plan(&chain(6, "PassThrough")).expect("a chain of PassThrough is sound");
    let options = PipelineOptions { metrics: true, ..PipelineOptions::default() };
    let mut pipeline = host.start(&plan, options).expect("PassThrough starts");
    let audio = AudioBuffer::from_f32(48_000, 1, vec![0.25; SAMPLES]).expect("mono audio");
    (0..1_000).for_each(|_| feed(&mut pipeline, &audio));
    let reader = pipeline.metrics_reader();
    group.bench_function(BenchmarkId::new("metrics_read", 6), |b| b.iter(|| reader.read()));
    group.finish();
}

criterion_group!(benches, hop);
criterion_main!(benches);
