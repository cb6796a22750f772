//! What metrics look like: the types behind the JSON of `--metrics`, of Python's `get_metrics` and of every exporter.
//!
//! Names and units are the format's; a field may be added, and one that is removed or changes its meaning changes
//! [`SCHEMA_VERSION`].

use std::collections::BTreeMap;

use remotemedia_core::RuntimeKind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::policies::BreakerState;

/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

/// Times of something, in microseconds. Percentiles are right within 0.8 %; all else is exact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it all, and are the format's")]
pub struct TimeMetrics {
    pub count: u64,
    pub total_us: f64,
    pub avg_us: f64,
    pub min_us: f64,
    pub max_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    /// From the first to the last range in which there is a time. Times over 68 s are in the range that ends there.
    pub histogram_us: Vec<TimeBucket>,
}

/// How many times are below a bound, and not below the bound of the range before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeBucket {
    /// The bound, in microseconds: a power of two of nanoseconds. The range begins at half of it.
    pub below_us: f64,
    /// How many times are in the range.
    pub count: u64,
}

/// What one node counted of its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeCounts {
    pub(super) execution_count: u64,
    pub(super) success_count: u64,
    pub(super) errors_by_kind: BTreeMap<String, u64>,
    pub(super) packets_out: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) waited_ns: u64,
    pub(super) restarts: u64,
    pub(super) memory_bytes: Option<u64>,
    pub(super) peak_memory_bytes: u64,
}

/// The package `remotemedia` reports the same of nodes that Python runs without the engine.
fn runtime_or_python(generator: &mut SchemaGenerator) -> Schema {
    let runtime = generator.subschema_for::<RuntimeKind>();
    json_schema!({
        "anyOf": [
            runtime,
            {
                "type": "string",
                "const": "python_cpu",
                "description": "Python itself, in the mode `python_cpu` of a Python program."
            },
        ]
    })
}

/// What one node did. Durations are of `process` calls with all that policies do around them, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeMetrics {
    /// Its id in the manifest.
    pub node_id: String,
    /// Its type.
    pub node_type: String,
    /// The runtime that it was started on.
    #[schemars(schema_with = "runtime_or_python")]
    pub served_by: RuntimeKind,
    /// Its stage: the nodes of one stage run by direct calls in one thread.
    pub stage: usize,
    /// How often `process` was called.
    pub execution_count: u64,
    /// Calls that neither failed nor gave up their packet.
    pub success_count: u64,
    /// Calls that failed, or gave up their packet (`on_error: skip`), and flushes that failed.
    pub error_count: u64,
    /// `success_count` of `execution_count`; 1 before the first call.
    pub success_rate: f64,
    /// Errors that reached the pipeline or cost a packet, by kind; kinds without any are left out.
    pub errors_by_kind: BTreeMap<String, u64>,
    /// Packets that came in.
    pub packets_in: u64,
    /// Packets that went out, whether or not somebody took them.
    pub packets_out: u64,
    /// Bytes of audio, text, tensors and byte strings that came in. JSON values and Python objects count as none: they
    /// have no size before somebody writes them down.
    pub bytes_in: u64,
    /// The same of what went out.
    pub bytes_out: u64,
    /// Time of all calls together.
    pub total_duration_us: f64,
    /// Mean time of a call.
    pub avg_duration_us: f64,
    /// The shortest call.
    pub min_duration_us: f64,
    /// The longest call.
    pub max_duration_us: f64,
    /// Half of all calls took at most this long.
    pub p50_duration_us: f64,
    /// Nine in ten calls took at most this long.
    pub p90_duration_us: f64,
    /// 99 in 100 calls took at most this long.
    pub p99_duration_us: f64,
    /// How many calls took how long.
    pub duration_histogram_us: Vec<TimeBucket>,
    /// How long packets waited in the queues that lead to the node; `None` when none does.
    pub queue_wait: Option<TimeMetrics>,
    /// Most packets that ever waited in one of these queues; `None` when there is none.
    pub queue_high_water_packets: Option<usize>,
    /// Packets that these queues dropped because they were full.
    pub dropped: u64,
    /// Time that its calls waited for the interpreter before their Python code began, in microseconds; `None` for a node
    /// that does not run in one. What a call waits later, after it let go of the interpreter, is part of its duration only.
    pub gil_wait_us: Option<f64>,
    /// The memory it held after its last call, in bytes: exactly that of the sandbox of a sandboxed node; of a Python node,
    /// when `tracemalloc` runs, what its calls allocated and did not free. `None` where nobody counts.
    pub memory_bytes: Option<u64>,
    /// The most it ever held after a call; `None` as above.
    pub peak_memory_bytes: Option<u64>,
    /// How often it was stopped and made anew.
    pub restarts: u64,
    /// What its policies did.
    #[serde(flatten)]
    pub policies: PolicyMetrics,
}

/// What the policies of one node did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueMetrics {
    /// The producer's id; `None` for what is fed from outside.
    pub from: Option<String>,
    /// The producer's output that leads here; `None` for what is fed from outside.
    pub from_port: Option<String>,
    /// The consumer's id.
    pub to: String,
    /// The consumer's input that it leads to; `None` for what is fed from outside.
    pub to_port: Option<String>,
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Packets discarded by interruptions.
    #[serde(default)]
    pub interrupted: u64,
    /// Packets that wait now.
    pub waiting_packets: usize,
    /// Most packets that ever waited.
    pub high_water_packets: usize,
    /// How many packets fit.
    pub max_packets: usize,
    /// Time that the producer waited for room, in microseconds.
    pub blocked_us: f64,
}

/// What a pipeline did so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// The version of this format.
    pub schema_version: u32,
    /// The pipeline's name and a number that is unique in the process.
    pub pipeline_id: String,
    /// The name in the manifest.
    pub pipeline_name: String,
    /// False as long as the pipeline runs.
    pub ended: bool,
    /// How often it ran; a pipeline runs once.
    pub total_executions: u64,
    /// Wall time from the start to now, or to the end, in microseconds.
    pub total_duration_us: f64,
    /// The same in milliseconds.
    pub total_duration_ms: f64,
    /// Processor time of the whole process in that time, in microseconds.
    pub cpu_time_us: f64,
    /// Audio that was fed, of the source that got most, in seconds.
    pub audio_seconds: f64,
    /// Wall time by the time of the audio: below 1 is faster than real time. `None` when no audio was fed.
    pub real_time_factor: Option<f64>,
    /// Most resident memory the process ever had, in bytes.
    pub peak_memory_bytes: u64,
    /// The same in MiB.
    pub peak_memory_mb: f64,
    /// Resident memory of the process now, in bytes.
    pub resident_memory_bytes: u64,
    /// One entry per node, in the manifest's order; empty when metrics are off.
    pub node_metrics: Vec<NodeMetrics>,
    /// One entry per queue between stages.
    pub queue_metrics: Vec<QueueMetrics>,
    /// How often the pipeline was interrupted while there was something to interrupt.
    #[serde(default)]
    pub interruptions: u64,
    /// Packets that interruptions discarded: in queues, among the outputs, and what came of calls that were running.
    #[serde(default)]
    pub interrupted_packets: u64,
    /// Threads of the host that are in calls which no pipeline waits for any more, of all its pipelines together.
    pub threads_left_behind: usize,
    /// What counting cost so far: making the counters, calls times the measured price of one record, and this reading.
    pub metrics_overhead_us: f64,
}
