//! What FormatConverter costs for 1M samples in one packet, and memcpy of as many bytes as it moves.
//!
//! A conversion moves the bytes that it reads and those that it writes; memcpy of n bytes reads n and writes n. So 1M
//! samples between 16 and 32 bits (2 MB and 4 MB) are held against memcpy of 3 MB, into a buffer that is there already;
//! the converter's time has the allocation of its output in it.
#![expect(clippy::expect_used, reason = "a bench that cannot run must stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use remotemedia_benches::chain;
use remotemedia_core::{AudioBuffer, Packet};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};

const SAMPLES: usize = 1_000_000;

fn format(c: &mut Criterion) {
    let floats = (0..SAMPLES).map(|n| (n as f32 * 0.37).sin() * 1.1).collect();
    let floats = AudioBuffer::from_f32(48_000, 1, floats).expect("mono audio");
    let shorts = (0..SAMPLES).map(|n| (n as i32 * 7_919) as i16).collect();
    let shorts = AudioBuffer::from_i16(48_000, 1, shorts).expect("mono audio");
    let mut group = c.benchmark_group("format_1m");

    let source = vec![1_u8; 3 * SAMPLES];
    let mut target = vec![0_u8; 3 * SAMPLES];
    group.bench_function("memcpy_3mb", |b| {
        b.iter(|| {
            target.copy_from_slice(black_box(&source));
            black_box(&mut target);
        });
    });
    for (name, format, audio) in [("s16_to_f32", "f32", &shorts), ("f32_to_s16", "s16", &floats)] {
        let mut pipeline = converter(format);
        group.bench_function(name, |b| {
            b.iter(|| {
                pipeline.feed("n0", Packet::new(0, audio.clone())).expect("audio is converted");
                black_box(pipeline.try_next().expect("FormatConverter does not fail"));
            });
        });
    }
    group.finish();
}

fn converter(target_format: &str) -> Pipeline {
    let host = Host::new(Config::default());
    let mut manifest = chain(1, "FormatConverter");
    manifest.nodes[0].params.insert("target_format".into(), target_format.into());
    let plan = host.plan(&manifest).expect("one FormatConverter is sound");
    host.start(&plan, PipelineOptions::default()).expect("FormatConverter starts")
}

criterion_group!(benches, format);
criterion_main!(benches);
