//! What a wasm hop costs: the guest `gain` called by bare wasmtime, and as a node of a pipeline, in one run on the
//! same component. A hop is the slope between chains of 1 and 11 of them, of nodes as of bare instances.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must stop")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use remotemedia_core::manifest::{Connection, Manifest, Metadata, Version};
use remotemedia_core::{AudioBuffer, NodeManifest, Packet};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};

/// Mono samples of one call: 10, 20 and 100 ms at 48 kHz.
const SAMPLES: [usize; 3] = [480, 960, 4_800];

mod bare;

fn component() -> PathBuf {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/guests/gain.wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    file
}

/// A chain of `nodes` gains of 0 dB, `n0` first.
fn chain(nodes: usize) -> Pipeline {
    let node = |index: usize| {
        let mut node = NodeManifest::new(format!("n{index}"), "gain");
        node.component = Some(component().into());
        node
    };
    let manifest = Manifest {
        version: Version::V1,
        metadata: Metadata { name: "wasm chain".into(), ..Metadata::default() },
        nodes: (0..nodes).map(node).collect(),
        connections: (1..nodes)
            .map(|index| Connection::new(format!("n{}", index - 1), format!("n{index}")))
            .collect(),
    };
    let host = Host::new(Config::default());
    let plan = host.plan(&manifest).unwrap();
    host.start(&plan, PipelineOptions::default()).unwrap()
}

/// Sends one packet round and round, so that its storage is reused as in a real stream.
fn rounds(pipeline: &mut Pipeline, packet: &mut Option<Packet>, count: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..count {
        pipeline.feed("n0", packet.take().unwrap()).unwrap();
        *packet = pipeline.try_next().unwrap().map(|output| output.packet);
    }
    began.elapsed()
}

/// The same through bare instances.
fn bare_rounds(chain: &mut [bare::Gain], samples: &mut Vec<u8>, count: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..count {
        for gain in &mut *chain {
            *samples = gain.call(samples).unwrap();
        }
    }
    began.elapsed()
}

fn silence(samples: usize) -> Packet {
    Packet::new(0, AudioBuffer::from_f32(48_000, 1, vec![0.0; samples]).unwrap())
}

fn wasm_call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wasm_call");
    for samples in SAMPLES {
        group.throughput(Throughput::Elements(samples as u64));
        let compiled = bare::Compiled::new(&component(), 12).unwrap();
        let mut bare = compiled.start().unwrap();
        let input = vec![0_u8; samples * 4];
        group.bench_function(BenchmarkId::new("bare_wasmtime", samples), |bencher| {
            bencher.iter(|| bare.call(black_box(&input)).unwrap());
        });
        // As a chain does it: what one instance returns goes to the next, and each has its own memory to fetch.
        let mut instances: Vec<bare::Gain> = (0..11).map(|_| compiled.start().unwrap()).collect();
        group.bench_function(BenchmarkId::new("bare_hop", samples), |bencher| {
            let (mut a, mut b) = (input.clone(), input.clone());
            bencher.iter_custom(|count| {
                let long = bare_rounds(&mut instances, &mut a, count);
                long.saturating_sub(bare_rounds(&mut instances[..1], &mut b, count)) / 10
            });
        });
        let mut one = chain(1);
        let mut packet = Some(silence(samples));
        group.bench_function(BenchmarkId::new("pipeline_of_1", samples), |bencher| {
            bencher.iter_custom(|count| rounds(&mut one, &mut packet, count));
        });
        let mut eleven = chain(11);
        let mut packet = Some(silence(samples));
        group.bench_function(BenchmarkId::new("pipeline_of_11", samples), |bencher| {
            bencher.iter_custom(|count| rounds(&mut eleven, &mut packet, count));
        });
        // Interleaved, so that whatever else the machine does hits both sides alike.
        group.bench_function(BenchmarkId::new("hop", samples), |bencher| {
            let (mut a, mut b) = (Some(silence(samples)), Some(silence(samples)));
            bencher.iter_custom(|count| {
                let long = rounds(&mut eleven, &mut a, count);
                long.saturating_sub(rounds(&mut one, &mut b, count)) / 10
            });
        });
    }
    group.finish();
}

criterion_group!(benches, wasm_call);
criterion_main!(benches);
