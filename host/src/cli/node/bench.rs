//! `node bench`: what a block costs, as a table.

use crate::Host;
use crate::kit::{self, BenchOptions, BenchReport};
use serde_json::{Value, json};

use super::args::BenchArgs;
use super::component;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn bench(host: &Host, args: &BenchArgs, as_json: bool) -> Result<(), Failure> {
    let component = component(&args.target)?;
    let options = BenchOptions {
        sample_rate_hz: args.rate,
        channels: args.channels,
        block_frames: args.block as usize,
        seconds: args.seconds,
    };
    let report = kit::bench(host, &component, kit::params_of(&args.params)?, options)?;
    if as_json {
        let report = serde_json::to_value(&report).unwrap_or(Value::Null);
        return console::write_json(&json!({"status": "ok", "bench": report}));
    }
    console::write(&to_text(&report))
}

fn to_text(report: &BenchReport) -> String {
    let memory = report.memory_kib.map_or_else(|| "unknown".into(), |kib| format!("{kib} KiB"));
    format!(
        "{}: {} blocks of {} frames ({:.2} ms), {} channels at {} Hz\n  per block         p50 {:.1} µs   p99 {:.1} µs   \
         max {:.1} µs\n  real-time factor  {:.5} ({:.0} times faster than real time)\n  start             {:.1} µs\n  \
         memory            {memory}\n",
        report.node_type,
        report.blocks,
        report.block_frames,
        report.block_us / 1e3,
        report.channels,
        report.sample_rate_hz,
        report.p50_us,
        report.p99_us,
        report.max_us,
        report.real_time_factor,
        1.0 / report.real_time_factor,
        report.start_us,
    )
}
