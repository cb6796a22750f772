//! What it costs to read a manifest of 5 and of 100 nodes and to build its graph.
#![expect(clippy::expect_used, reason = "a bench that cannot run must stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use remotemedia_benches::chain;
use remotemedia_core::Manifest;
use remotemedia_core::manifest::ManifestFormat;
use remotemedia_host::{Config, Host};

fn manifest(c: &mut Criterion) {
    let host = Host::new(Config::default());
    let mut group = c.benchmark_group("manifest");
    for nodes in [5_usize, 100] {
        let manifest = chain(nodes, "AudioGain");
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
        group.bench_function(BenchmarkId::new("parse", nodes), |b| {
            b.iter(|| black_box(Manifest::parse(&text, ManifestFormat::Json).expect("it was valid")));
        });
        group.bench_function(BenchmarkId::new("graph", nodes), |b| {
            b.iter(|| black_box(host.plan(&manifest).expect("it was sound")));
        });
    }
    group.finish();
}

criterion_group!(benches, manifest);
criterion_main!(benches);
