//! `node bench`: one node in the sandbox, fed with noise block by block; what every call took.

use std::path::Path;
use std::time::{Duration, Instant};

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{AudioBuffer, Outputs, Packet, PayloadKind, Port, RuntimeKind};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{KitError, single_plan};
use crate::Host;

/// Blocks whose time does not count: caches and branch predictors learn.
const WARM_UP_BLOCKS: usize = 50;
/// A bench of a day's blocks would only fill memory with times.
const MOST_BLOCKS: u64 = 10_000_000;

/// What is fed.
#[derive(Clone, Copy, Debug)]
pub struct BenchOptions {
    /// In Hz.
    pub sample_rate_hz: u32,
    /// Samples per frame.
    pub channels: u16,
    /// Length of a block, in frames.
    pub block_frames: usize,
    /// How much audio, in seconds.
    pub seconds: f64,
}

/// What it took.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The node's type.
    pub node_type: String,
    /// In Hz.
    pub sample_rate_hz: u32,
    /// Samples per frame.
    pub channels: u16,
    /// Length of a block, in frames.
    pub block_frames: usize,
    /// Blocks that were timed.
    pub blocks: usize,
    /// To create and initialize the node, compiled code being there, in µs.
    pub start_us: f64,
    /// Half of the calls took no longer, in µs.
    pub p50_us: f64,
    /// 99 of 100 calls took no longer, in µs.
    pub p99_us: f64,
    /// The longest call, in µs.
    pub max_us: f64,
    /// A block's duration, in µs.
    pub block_us: f64,
    /// Seconds of work per second of audio: below 1 keeps up.
    pub real_time_factor: f64,
    /// How much the process grew from before the node was made to the end, in KiB; none where the system does not
    /// tell. Compiling, where it was needed, came before.
    pub memory_kib: Option<i64>,
}

/// Feeds noise to the component's audio inputs and takes the times.
///
/// # Errors
/// When the node takes no audio, refuses its params or fails.
pub fn bench(
    host: &Host,
    component: &Path,
    params: Map<String, Value>,
    options: BenchOptions,
) -> Result<BenchReport, KitError> {
    let plan = single_plan(host, component, params)?;
    let Some(planned) = plan.graph().nodes().first() else { return Err(no_audio(component)) };
    let ports = audio_ports(&planned.descriptor.inputs).ok_or_else(|| no_audio(component))?;
    let outputs = planned.descriptor.outputs.len();
    let runtime = host.runtimes().get(RuntimeKind::Wasm).ok_or_else(|| no_audio(component))?;
    let blocks = count(options)?;
    let noise = noise(options)?;

    let before = resident_kib();
    let began = Instant::now();
    let mut node = runtime.create(&planned.manifest)?;
    node.initialize()?;
    let start = began.elapsed();
    let mut out = Outputs::connected_to((0..outputs).filter_map(|port| u16::try_from(port).ok()).map(Port));
    let mut times = Vec::with_capacity(blocks);
    for block in 0..blocks + WARM_UP_BLOCKS {
        let pts_ns = frames_to_ns(block as u64 * options.block_frames as u64, options.sample_rate_hz);
        let packets: Vec<_> = ports.iter().map(|&port| (port, Packet::new(pts_ns, noise.clone()))).collect();
        let began = Instant::now();
        for (port, packet) in packets {
            node.process(port, packet, &mut out)?;
        }
        if block >= WARM_UP_BLOCKS {
            times.push(began.elapsed());
        }
        drop(out.drain());
    }
    let after = resident_kib();
    node.flush(&mut out)?;
    node.cleanup();
    let memory_kib = before.zip(after).map(|(before, after)| after - before);
    Ok(report(&planned.descriptor.node_type, options, start, times, memory_kib))
}

fn report(
    node_type: &str,
    options: BenchOptions,
    start: Duration,
    mut times: Vec<Duration>,
    memory_kib: Option<i64>,
) -> BenchReport {
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    // The smallest time that at least that part of the calls did not exceed.
    let quantile = |part: f64| {
        let rank = (part * times.len() as f64).ceil() as usize;
        times.get(rank.saturating_sub(1)).copied().map_or(0.0, micros)
    };
    let block_us = options.block_frames as f64 * 1e6 / f64::from(options.sample_rate_hz);
    BenchReport {
        node_type: node_type.into(),
        sample_rate_hz: options.sample_rate_hz,
        channels: options.channels,
        block_frames: options.block_frames,
        blocks: times.len(),
        start_us: micros(start),
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        max_us: quantile(1.0),
        block_us,
        real_time_factor: micros(total) / (block_us * times.len() as f64),
        memory_kib,
    }
}

fn count(options: BenchOptions) -> Result<usize, KitError> {
    let blocks = (options.seconds * f64::from(options.sample_rate_hz) / options.block_frames as f64).ceil();
    if !(1.0..=MOST_BLOCKS as f64).contains(&blocks) {
        return Err(KitError::Usage(format!(
            "{} s in blocks of {} frames are {blocks} blocks; a bench takes from 1 to {MOST_BLOCKS}",
            options.seconds, options.block_frames
        )));
    }
    Ok(blocks as usize)
}

/// One block of white noise at -6 dB, the same on every machine.
fn noise(options: BenchOptions) -> Result<AudioBuffer, KitError> {
    let mut state = 1_u32;
    let samples = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32
    });
    let samples = samples.take(options.block_frames * usize::from(options.channels)).collect();
    AudioBuffer::from_f32(options.sample_rate_hz, options.channels, samples)
        .map_err(|error| KitError::Usage(error.to_string()))
}

/// All inputs, when they all take audio.
fn audio_ports(inputs: &[remotemedia_core::PortSpec]) -> Option<Vec<Port>> {
    let takes_audio = |kind| matches!(kind, PayloadKind::Audio | PayloadKind::Any);
    let fits = !inputs.is_empty() && inputs.iter().all(|port| takes_audio(port.kind));
    fits.then(|| (0..inputs.len()).filter_map(|port| u16::try_from(port).ok()).map(Port).collect())
}

fn no_audio(component: &Path) -> KitError {
    KitError::Usage(format!(
        "a bench feeds audio, and not every input of `{}` takes it: see `remotemedia node inspect`",
        component.display()
    ))
}

/// What the process has in memory now, in KiB.
fn resident_kib() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: BenchOptions =
        BenchOptions { sample_rate_hz: 48_000, channels: 2, block_frames: 960, seconds: 1.0 };

    #[test]
    fn quantiles_are_ranks_and_the_factor_is_work_over_audio() {
        // 100 calls of 1…100 µs, 20 ms of audio each.
        let times = (1..=100).rev().map(Duration::from_micros).collect();
        let report = report("x", OPTIONS, Duration::from_micros(7), times, None);
        assert_eq!(
            (report.p50_us.round(), report.p99_us.round(), report.max_us.round()),
            (50.0, 99.0, 100.0)
        );
        assert!((report.real_time_factor - 5_050.0 / 2_000_000.0).abs() < 1e-9);
        assert_eq!(report.block_us, 20_000.0);
    }

    #[test]
    fn blocks_are_counted_and_bounded() {
        assert_eq!(count(OPTIONS).unwrap(), 50);
        for seconds in [0.0, -1.0, f64::NAN, 1e12] {
            assert!(count(BenchOptions { seconds, ..OPTIONS }).is_err(), "{seconds}");
        }
    }
}
