//! What a pipeline counts: per node calls, packets, errors and call times. Recording takes no lock and does
//! not allocate; a snapshot is made when somebody asks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use remotemedia_core::RuntimeKind;
use serde::Serialize;

use crate::policies::BreakerState;

/// Calls longer than this are recorded as this long.
const LONGEST_CALL_NS: u64 = 60_000_000_000;
/// Relative precision of the percentiles: two significant decimal digits.
const PRECISION_DIGITS: u8 = 2;

/// Counts of one node, owned by the thread that calls it.
pub(crate) struct NodeCounters {
    calls: u64,
    errors: u64,
    packets_out: u64,
    total_ns: u64,
    min_ns: u64,
    max_ns: u64,
    latency_ns: Option<Histogram<u64>>,
}

impl NodeCounters {
    pub(crate) fn new() -> Self {
        Self {
            calls: 0,
            errors: 0,
            packets_out: 0,
            total_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
            latency_ns: Histogram::new_with_bounds(1, LONGEST_CALL_NS, PRECISION_DIGITS).ok(),
        }
    }

    /// Records one `process` call.
    pub(crate) fn record(&mut self, elapsed_ns: u64, packets_out: usize, failed: bool) {
        self.calls += 1;
        self.errors += u64::from(failed);
        self.packets_out += packets_out as u64;
        self.total_ns += elapsed_ns;
        self.min_ns = self.min_ns.min(elapsed_ns);
        self.max_ns = self.max_ns.max(elapsed_ns);
        if let Some(histogram) = &mut self.latency_ns {
            histogram.saturating_record(elapsed_ns);
        }
    }

    /// Adds what a flush produced or how it failed; flushes are no calls.
    pub(crate) fn record_flush(&mut self, packets_out: usize, failed: bool) {
        self.errors += u64::from(failed);
        self.packets_out += packets_out as u64;
    }

    pub(crate) fn snapshot(&self, node_id: &str, node_type: &str, served_by: RuntimeKind) -> NodeMetrics {
        let us = |ns: u64| ns as f64 / 1_000.0;
        let percentile = |quantile| {
            self.latency_ns.as_ref().map_or(0.0, |histogram| us(histogram.value_at_quantile(quantile)))
        };
        let succeeded = self.calls.saturating_sub(self.errors);
        NodeMetrics {
            node_id: node_id.to_owned(),
            node_type: node_type.to_owned(),
            served_by,
            execution_count: self.calls,
            success_count: succeeded,
            error_count: self.errors,
            success_rate: if self.calls == 0 { 1.0 } else { succeeded as f64 / self.calls as f64 },
            packets_in: self.calls,
            packets_out: self.packets_out,
            total_duration_us: us(self.total_ns),
            avg_duration_us: if self.calls == 0 { 0.0 } else { us(self.total_ns) / self.calls as f64 },
            min_duration_us: if self.calls == 0 { 0.0 } else { us(self.min_ns) },
            max_duration_us: us(self.max_ns),
            p50_duration_us: percentile(0.5),
            p99_duration_us: percentile(0.99),
            policies: PolicyMetrics::default(),
        }
    }
}

/// What one node did. Durations are of `process` calls, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all, and are the format's")]
pub struct NodeMetrics {
    pub node_id: String,
    pub node_type: String,
    pub served_by: RuntimeKind,
    pub execution_count: u64,
    pub success_count: u64,
    pub error_count: u64,
    pub success_rate: f64,
    pub packets_in: u64,
    pub packets_out: u64,
    pub total_duration_us: f64,
    pub avg_duration_us: f64,
    pub min_duration_us: f64,
    pub max_duration_us: f64,
    pub p50_duration_us: f64,
    pub p99_duration_us: f64,
    #[serde(flatten)]
    pub policies: PolicyMetrics,
}

/// What the policies of one node did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyMetrics {
    /// Calls that were tried again; several times for one packet, possibly.
    pub retries: u64,
    /// Packets that were left out (`on_error: skip`).
    pub skipped: u64,
    /// How often another runtime took over, by reason.
    pub fallback_counts: BTreeMap<String, u64>,
    /// The state of the circuit that the node shares; `None` when it has no breaker.
    pub breaker: Option<BreakerState>,
}

/// What one queue did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueMetrics {
    /// The producer's id.
    pub from: String,
    /// The consumer's id.
    pub to: String,
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Most packets that ever waited.
    pub high_water_packets: usize,
}

/// What a pipeline did so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// The pipeline's name and a number that is unique in the process.
    pub pipeline_id: String,
    /// How often it ran; a pipeline runs once.
    pub total_executions: u64,
    /// Wall time from the start to now, or to the end, in microseconds.
    pub total_duration_us: f64,
    /// The same in milliseconds.
    pub total_duration_ms: f64,
    /// Most resident memory the process ever had, in bytes.
    pub peak_memory_bytes: u64,
    /// The same in MiB.
    pub peak_memory_mb: f64,
    /// One entry per node, in the manifest's order; empty when metrics are off.
    pub node_metrics: Vec<NodeMetrics>,
    /// One entry per queue between stages.
    pub queue_metrics: Vec<QueueMetrics>,
    /// Threads of the host that are in calls which no pipeline waits for any more, of all its pipelines together.
    pub threads_left_behind: usize,
    /// What counting cost: calls times the measured price of one record, plus making this snapshot.
    pub metrics_overhead_us: f64,
}

impl Metrics {
    pub(crate) fn new(
        pipeline_id: String,
        elapsed: Duration,
        node_metrics: Vec<NodeMetrics>,
        queue_metrics: Vec<QueueMetrics>,
        snapshot_began: Instant,
    ) -> Self {
        let calls: u64 = node_metrics.iter().map(|node| node.execution_count).sum();
        let recording_ns = if calls == 0 { 0.0 } else { calls as f64 * record_cost_ns() };
        let peak_memory_bytes = peak_memory_bytes();
        Self {
            pipeline_id,
            total_executions: 1,
            total_duration_us: elapsed.as_secs_f64() * 1e6,
            total_duration_ms: elapsed.as_secs_f64() * 1e3,
            peak_memory_bytes,
            peak_memory_mb: peak_memory_bytes as f64 / (1024.0 * 1024.0),
            node_metrics,
            queue_metrics,
            threads_left_behind: 0,
            metrics_overhead_us: (snapshot_began.elapsed().as_secs_f64() * 1e9 + recording_ns) / 1e3,
        }
    }
}

/// What reading the clock and recording one call costs here and now, in nanoseconds.
fn record_cost_ns() -> f64 {
    const SAMPLES: u32 = 64;
    let mut scratch = NodeCounters::new();
    let mut record = || {
        let began = Instant::now();
        let mut last = began;
        for _ in 0..SAMPLES {
            let now = Instant::now();
            scratch.record((now - last).as_nanos() as u64, 1, false);
            last = now;
        }
        began.elapsed().as_secs_f64() * 1e9 / f64::from(SAMPLES)
    };
    // The first round touches the histogram's memory; a running node has long done so.
    record();
    record()
}

/// `VmHWM` of this process; 0 where the system does not tell.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().strip_suffix("kB"))
        .and_then(|value| value.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_holds_the_counts_and_percentiles_within_two_digits() {
        let mut counters = NodeCounters::new();
        for us in 1..=100_u64 {
            counters.record(us * 1_000, 2, us == 100);
        }
        let metrics = counters.snapshot("n", "Gain", RuntimeKind::Native);
        assert_eq!((metrics.execution_count, metrics.success_count, metrics.error_count), (100, 99, 1));
        assert_eq!(metrics.packets_out, 200);
        assert!((metrics.success_rate - 0.99).abs() < 1e-12);
        assert!((metrics.avg_duration_us - 50.5).abs() < 1e-9);
        assert!(
            (metrics.min_duration_us - 1.0).abs() < 1e-9 && (metrics.max_duration_us - 100.0).abs() < 1e-9
        );
        assert!((metrics.p50_duration_us - 50.0).abs() <= 0.5, "{}", metrics.p50_duration_us);
        assert!((metrics.p99_duration_us - 99.0).abs() <= 1.0, "{}", metrics.p99_duration_us);
    }

    #[test]
    fn a_node_that_was_never_called_has_no_durations() {
        let metrics = NodeCounters::new().snapshot("n", "Gain", RuntimeKind::Native);
        assert_eq!((metrics.min_duration_us, metrics.avg_duration_us, metrics.success_rate), (0.0, 0.0, 1.0));
    }

    #[test]
    fn the_peak_memory_of_this_process_is_known_on_linux() {
        assert!(peak_memory_bytes() > 1_000_000);
    }
}
