//! What AudioResample at quality high costs per second of audio, fed in packets of 20 ms through a pipeline.
//! `benches/resample_vs_soxr.py` compares it with soxr in one run.
#![expect(clippy::expect_used, reason = "a bench that cannot run must stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use remotemedia_benches::chain;
use remotemedia_core::{AudioBuffer, Packet};
use remotemedia_engine::PipelineOptions;
use remotemedia_host::{Config, Host};

const RATES_HZ: [(u32, u32); 3] = [(48_000, 16_000), (44_100, 48_000), (16_000, 48_000)];
const PACKETS_PER_SECOND: u32 = 50;

fn resample(c: &mut Criterion) {
    let host = Host::new(Config::default());
    let mut group = c.benchmark_group("resample_1s");
    for (input_rate_hz, output_rate_hz) in RATES_HZ {
        let mut manifest = chain(1, "AudioResample");
        manifest.nodes[0].params.insert("target_sample_rate".into(), output_rate_hz.into());
        let plan = host.plan(&manifest).expect("one AudioResample is sound");
        for channels in [1_u16, 2] {
            let mut pipeline = host.start(&plan, PipelineOptions::default()).expect("AudioResample starts");
            let packet = noise(input_rate_hz, channels);
            let name = format!("{input_rate_hz}_to_{output_rate_hz}");
            group.bench_function(BenchmarkId::new(name, format!("{channels}ch")), |b| {
                b.iter(|| {
                    for _ in 0..PACKETS_PER_SECOND {
                        pipeline.feed("n0", Packet::new(0, packet.clone())).expect("noise is resampled");
                        while let Some(output) = pipeline.try_next().expect("AudioResample does not fail") {
                            black_box(output);
                        }
                    }
                });
            });
        }
    }
    group.finish();
}

/// 20 ms of noise.
fn noise(rate_hz: u32, channels: u16) -> AudioBuffer {
    let mut state = 1_u32;
    let samples = (0..rate_hz / PACKETS_PER_SECOND * u32::from(channels)).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from((state >> 16) as i16) / 65_536.0
    });
    AudioBuffer::from_f32(rate_hz, channels, samples.collect()).expect("whole frames")
}

criterion_group!(benches, resample);
criterion_main!(benches);
