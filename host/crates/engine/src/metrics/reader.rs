//! Reads what a pipeline counts, from any thread and at any time: while it runs, and after it ended.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use remotemedia_core::graph::GraphNode;
use remotemedia_core::{ErrorKind, Port, PortSpec, RuntimeKind};

use super::counters::NodeCounters;
use super::lap::LapClock;
use super::process::{self, Memory};
use super::snapshot::{Metrics, NodeMetrics, QueueMetrics, SCHEMA_VERSION};
use crate::assemble::QueueInfo;
use crate::control::Control;
use crate::inbox::LaneCounts;
use crate::life::LeftBehind;
use crate::plan::Plan;
use crate::policies::counts::Counts;
use crate::policies::fallback::AT_START;

/// Where to find what one node counts.
pub(crate) struct NodeEntry {
    pub(crate) served_by: RuntimeKind,
    /// True when that is not the runtime which should have served it.
    pub(crate) fell_back: bool,
    /// `None` when metrics are off.
    pub(crate) counters: Option<Arc<NodeCounters>>,
    /// What its policies count; `None` when it has none.
    pub(crate) policies: Option<Arc<Counts>>,
}

/// What counting costs a pipeline beside reading it.
#[derive(Clone, Copy)]
pub(crate) struct Overhead {
    /// Making the counters.
    pub(crate) setup: Duration,
    /// A trace has a clock of its own, which calls cost more to time by.
    pub(crate) is_traced: bool,
}

/// A running pipeline as its readers see it.
struct Counted {
    /// How many pipelines were started in this process before.
    number: u64,
    plan: Plan,
    began: Instant,
    cpu_at_start: Duration,
    overhead: Overhead,
    /// Wall and processor time, once it ended.
    ended: OnceLock<(Duration, Duration)>,
    /// In the graph's order.
    nodes: Vec<NodeEntry>,
    queues: Vec<QueueInfo>,
    control: Arc<Control>,
    left_behind: Arc<LeftBehind>,
}

/// Reads the metrics of one pipeline. Cloning is cheap; a reader outlives its pipeline, and then tells how that ended.
#[derive(Clone)]
pub struct MetricsReader(Arc<Counted>);

impl MetricsReader {
    pub(crate) fn new(
        plan: &Plan,
        (began, cpu_at_start): (Instant, Duration),
        nodes: Vec<NodeEntry>,
        queues: Vec<QueueInfo>,
        control: &Arc<Control>,
        left_behind: &Arc<LeftBehind>,
        overhead: Overhead,
    ) -> Self {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Counted {
            number: STARTED.fetch_add(1, Relaxed),
            plan: plan.clone(),
            began,
            cpu_at_start,
            overhead,
            ended: OnceLock::new(),
            nodes,
            queues,
            control: Arc::clone(control),
            left_behind: Arc::clone(left_behind),
        }))
    }

    /// What was counted so far. Costs the pipeline nothing: no call waits for it.
    #[must_use]
    pub fn read(&self) -> Metrics {
        let reading_began = Instant::now();
        let Counted { plan, nodes, queues, .. } = &*self.0;
        let graph = plan.graph();
        let is_counted = nodes.iter().any(|node| node.counters.is_some());
        let queues: Vec<(&QueueInfo, LaneCounts)> =
            queues.iter().filter(|_| is_counted).map(|queue| (queue, queue.counts())).collect();
        let node_metrics: Vec<NodeMetrics> = nodes
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let leading_here = queues.iter().filter(|(queue, _)| queue.to == index);
                entry.read(
                    &graph.nodes()[index],
                    plan.stages().of(index),
                    leading_here.map(|(_, counts)| counts),
                )
            })
            .collect();
        let id = |index: usize| graph.nodes()[index].manifest.id.clone();
        let port_name =
            |ports: &[PortSpec], port: Port| ports.get(usize::from(port.0)).map(|port| port.name.clone());
        let queue_metrics = queues.iter().map(|(queue, counts)| QueueMetrics {
            from: queue.from.map(id),
            from_port: queue
                .from
                .zip(queue.ports)
                .and_then(|(node, (port, _))| port_name(&graph.nodes()[node].descriptor.outputs, port)),
            to: id(queue.to),
            to_port: queue
                .ports
                .and_then(|(_, port)| port_name(&graph.nodes()[queue.to].descriptor.inputs, port)),
            dropped: counts.dropped,
            interrupted: counts.interrupted,
            waiting_packets: counts.waiting,
            high_water_packets: counts.high_water,
            max_packets: counts.max_packets,
            blocked_us: counts.blocked.as_secs_f64() * 1e6,
        });
        let fed_ns = nodes.iter().filter_map(|node| node.counters.as_ref()).map(|counters| counters.fed_ns());
        let audio_seconds = fed_ns.max().unwrap_or(0) as f64 / 1e9;
        let (wall, cpu) = self.times();
        let memory = Memory::of_this_process();
        let calls: u64 = node_metrics.iter().map(|node| node.execution_count).sum();
        let mut metrics = Metrics {
            schema_version: SCHEMA_VERSION,
            pipeline_id: self.id(),
            pipeline_name: graph.name().to_owned(),
            ended: self.0.ended.get().is_some(),
            total_executions: 1,
            total_duration_us: wall.as_secs_f64() * 1e6,
            total_duration_ms: wall.as_secs_f64() * 1e3,
            cpu_time_us: cpu.as_secs_f64() * 1e6,
            audio_seconds,
            real_time_factor: (audio_seconds > 0.0).then(|| wall.as_secs_f64() / audio_seconds),
            peak_memory_bytes: memory.peak_bytes,
            peak_memory_mb: memory.peak_bytes as f64 / (1024.0 * 1024.0),
            resident_memory_bytes: memory.resident_bytes,
            node_metrics,
            queue_metrics: queue_metrics.collect(),
            interruptions: self.0.control.interruptions(),
            interrupted_packets: self.0.control.void_packets(),
            threads_left_behind: self.0.left_behind.count(),
            metrics_overhead_us: 0.0,
        };
        let recording_ns = calls as f64 * record_cost_ns(self.0.overhead.is_traced);
        let read_and_made = self.0.overhead.setup + reading_began.elapsed();
        metrics.metrics_overhead_us = read_and_made.as_secs_f64() * 1e6 + recording_ns / 1e3;
        metrics
    }

    /// The pipeline's name and a number that is unique in the process.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.0.plan.graph().name(), self.0.number)
    }

    /// The pipeline has ended: from now on its times stand still.
    pub(crate) fn end(&self) {
        if !self.has_ended() {
            // Another thread can only have been as right.
            let _ = self.0.ended.set(self.times());
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.get().is_some()
    }

    /// The counters of node `index`; `None` when metrics are off.
    pub(crate) fn counters(&self, index: usize) -> Option<&NodeCounters> {
        self.0.nodes.get(index)?.counters.as_deref()
    }

    /// Wall time, and processor time of the process, from the start to now or to the end.
    fn times(&self) -> (Duration, Duration) {
        self.0.ended.get().copied().unwrap_or_else(|| {
            (self.0.began.elapsed(), process::cpu_time().saturating_sub(self.0.cpu_at_start))
        })
    }
}

impl std::fmt::Debug for MetricsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsReader").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl NodeEntry {
    /// `queues` lead to the node.
    fn read<'a>(
        &self,
        node: &GraphNode,
        stage: usize,
        queues: impl Iterator<Item = &'a LaneCounts>,
    ) -> Option<NodeMetrics> {
        let counters = self.counters.as_ref()?;
        let (counts, times) = counters.snapshot();
        let (mut high_water, mut dropped) = (None, 0);
        for queue in queues {
            high_water = high_water.max(Some(queue.high_water));
            dropped += queue.dropped;
        }
        let mut policies = self.policies.as_ref().map(|policies| policies.snapshot()).unwrap_or_default();
        if self.fell_back {
            policies.fallback_counts.insert(AT_START.to_owned(), 1);
        }
        let mut errors_by_kind = counts.errors_by_kind;
        for (kind, count) in self.policies.iter().flat_map(|policies| policies.skipped_by_kind()) {
            *errors_by_kind.entry(kind.to_owned()).or_default() += count;
        }
        let (timeouts, unreturned) =
            self.policies.as_ref().map(|policies| policies.given_up()).unwrap_or_default();
        if timeouts > 0 {
            *errors_by_kind.entry(ErrorKind::Timeout.name().to_owned()).or_default() += timeouts;
        }
        let execution_count = counts.execution_count + unreturned;
        let succeeded = counts.success_count.saturating_sub(policies.skipped);
        Some(NodeMetrics {
            node_id: node.manifest.id.clone(),
            node_type: node.descriptor.node_type.clone(),
            served_by: self.served_by,
            stage,
            execution_count,
            success_count: succeeded,
            error_count: errors_by_kind.values().sum(),
            success_rate: match execution_count {
                0 => 1.0,
                calls => succeeded as f64 / calls as f64,
            },
            errors_by_kind,
            packets_in: execution_count,
            packets_out: counts.packets_out,
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
            total_duration_us: times.total_us,
            avg_duration_us: times.avg_us,
            min_duration_us: times.min_us,
            max_duration_us: times.max_us,
            p50_duration_us: times.p50_us,
            p90_duration_us: times.p90_us,
            p99_duration_us: times.p99_us,
            duration_histogram_us: times.histogram_us,
            queue_wait: counters.queue_waits(),
            queue_high_water_packets: high_water,
            dropped,
            gil_wait_us: (self.served_by == RuntimeKind::Cpython || counts.waited_ns > 0)
                .then_some(counts.waited_ns as f64 / 1_000.0),
            memory_bytes: counts.memory_bytes,
            peak_memory_bytes: counts.memory_bytes.map(|_| counts.peak_memory_bytes),
            restarts: counts.restarts,
            policies,
        })
    }
}

/// What reading the clock and recording one call costs on this machine, in nanoseconds: measured once in a process for
/// each clock, when metrics of a pipeline that reads it are first read.
fn record_cost_ns(is_traced: bool) -> f64 {
    const SAMPLES: u32 = 16;
    static COSTS_NS: [OnceLock<f64>; 2] = [const { OnceLock::new() }; 2];
    let clock = if is_traced { LapClock::System(Instant::now()) } else { LapClock::best() };
    *COSTS_NS[usize::from(matches!(clock, LapClock::System(_)))].get_or_init(|| {
        let scratch = NodeCounters::new(false);
        let record = || {
            let began = Instant::now();
            let mut lap = clock.start();
            for _ in 0..SAMPLES {
                scratch.record(lap.next(), 1, 1, 1);
            }
            began.elapsed().as_secs_f64() * 1e9 / f64::from(SAMPLES)
        };
        // The first round touches the histogram's memory, which a running node has long done; the least of the others is
        // the one that nothing else disturbed.
        record();
        (0..4).map(|_| record()).fold(f64::INFINITY, f64::min)
    })
}
