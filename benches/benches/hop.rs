//! What one hop between inline native nodes costs: chains of 1 and 101 PassThrough nodes, with metrics on and off.
//! The hop is the slope: (time of 101 - time of 1) / 100.
#![expect(clippy::expect_used, reason = "a bench that cannot run must stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use remotemedia_benches::chain;
use remotemedia_core::{AudioBuffer, Packet};
use remotemedia_engine::PipelineOptions;
use remotemedia_host::{Config, Host};

/// 20 ms of mono at 48 kHz.
const SAMPLES: usize = 960;

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
                b.iter(|| {
                    pipeline.feed("n0", Packet::new(0, audio.clone())).expect("PassThrough takes anything");
                    black_box(pipeline.try_next().expect("PassThrough does not fail"));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, hop);
criterion_main!(benches);
