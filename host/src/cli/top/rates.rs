//! From two snapshots to what happened between them. Time is the snapshots' own: how late they came does not matter.

use remotemedia_engine::BreakerState;
use remotemedia_engine::metrics::{Metrics, NodeMetrics, QueueMetrics};

/// One node in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRow {
    pub id: String,
    pub runtime: String,
    /// Calls per second since the snapshot before; since the start, without one.
    pub calls_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
    /// Of the time that all nodes took in that time, from 0 to 1.
    pub share: f64,
    pub errors: u64,
    pub retries: u64,
    pub skipped: u64,
    pub restarts: u64,
    pub gil_wait_us: Option<f64>,
    pub memory_bytes: Option<u64>,
    pub breaker: Option<BreakerState>,
}

/// One queue in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRow {
    pub name: String,
    pub waiting: usize,
    pub room: usize,
    pub high_water: usize,
    /// The part of that time in which its producer waited for room, from 0 to 1.
    pub blocked: f64,
    pub dropped: u64,
}

/// The seconds between two snapshots, or since the start.
fn seconds(now: &Metrics, before: Option<&Metrics>) -> f64 {
    (now.total_duration_us - before.map_or(0.0, |before| before.total_duration_us)) / 1e6
}

/// `part` of `whole`, 0 when there is no whole.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).max(0.0) } else { 0.0 }
}

/// Processor time in that time: 1 is one core.
pub fn cores(now: &Metrics, before: Option<&Metrics>) -> f64 {
    let cpu_us = now.cpu_time_us - before.map_or(0.0, |before| before.cpu_time_us);
    ratio(cpu_us / 1e6, seconds(now, before))
}

/// How much faster than real time the audio is worked through in that time; `None` without audio.
pub fn speed(now: &Metrics, before: Option<&Metrics>) -> Option<f64> {
    let audio = now.audio_seconds - before.map_or(0.0, |before| before.audio_seconds);
    (now.audio_seconds > 0.0).then(|| ratio(audio, seconds(now, before)))
}

/// A row per node, in the manifest's order.
pub fn nodes(now: &Metrics, before: Option<&Metrics>) -> Vec<NodeRow> {
    let previous =
        |id: &str| before.and_then(|before| before.node_metrics.iter().find(|node| node.node_id == id));
    let took_us = |node: &NodeMetrics| {
        let before = previous(&node.node_id).map_or(0.0, |before| before.total_duration_us);
        (node.total_duration_us - before).max(0.0)
    };
    let all_us: f64 = now.node_metrics.iter().map(took_us).sum();
    let seconds = seconds(now, before);
    let row = |node: &NodeMetrics| {
        let calls_before = previous(&node.node_id).map_or(0, |before| before.execution_count);
        NodeRow {
            id: node.node_id.clone(),
            runtime: node.served_by.to_string(),
            calls_per_s: ratio(node.execution_count.saturating_sub(calls_before) as f64, seconds),
            p50_us: node.p50_duration_us,
            p99_us: node.p99_duration_us,
            max_us: node.max_duration_us,
            share: ratio(took_us(node), all_us),
            errors: node.error_count,
            retries: node.policies.retries,
            skipped: node.policies.skipped,
            restarts: node.restarts,
            gil_wait_us: node.gil_wait_us,
            memory_bytes: node.memory_bytes,
            breaker: node.policies.breaker,
        }
    };
    now.node_metrics.iter().map(row).collect()
}

/// What no other queue of the pipeline has.
fn ends(queue: &QueueMetrics) -> impl PartialEq + use<'_> {
    (&queue.from, &queue.from_port, &queue.to, &queue.to_port)
}

/// A row per queue.
pub fn queues(now: &Metrics, before: Option<&Metrics>) -> Vec<QueueRow> {
    let previous = |queue: &QueueMetrics| {
        let same = |other: &&QueueMetrics| ends(other) == ends(queue);
        before.and_then(|before| before.queue_metrics.iter().find(same))
    };
    let seconds = seconds(now, before);
    let row = |queue: &QueueMetrics| {
        let blocked_us = queue.blocked_us - previous(queue).map_or(0.0, |before| before.blocked_us);
        QueueRow {
            name: format!("{} → {}", queue.from.as_deref().unwrap_or("input"), queue.to),
            waiting: queue.waiting_packets,
            room: queue.max_packets,
            high_water: queue.high_water_packets,
            blocked: ratio(blocked_us / 1e6, seconds),
            dropped: queue.dropped,
        }
    };
    now.queue_metrics.iter().map(row).collect()
}
