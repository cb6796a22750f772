//! What a pipeline counts, as OpenTelemetry instruments: their names, units and attributes, and nothing about sending.
//!
//! Counts are read when they are sent, not when they change.

use opentelemetry::KeyValue;
use remotemedia_engine::{BreakerState, Metrics, MetricsReader, NodeMetrics, QueueMetrics};

/// Values with their attributes.
type Values<T> = Vec<(T, Vec<KeyValue>)>;

/// A counter: name, unit, meaning, values.
type Counter<T> = (&'static str, &'static str, &'static str, fn(&Metrics) -> Values<T>);

/// Counts, which only grow.
const COUNTERS: [Counter<u64>; 11] = [
    ("remotemedia.node.calls", "{call}", "Calls of a node's process.", |metrics| {
        of_nodes(metrics, |node| node.execution_count)
    }),
    (
        "remotemedia.node.errors",
        "{error}",
        "Calls that failed or gave up their packet, by kind.",
        |metrics| by(metrics, "error.type", |node| node.errors_by_kind.iter()),
    ),
    ("remotemedia.node.packets", "{packet}", "Packets that came in and went out.", |metrics| {
        both_ways(metrics, |node| (node.packets_in, node.packets_out))
    }),
    ("remotemedia.node.io", "By", "Bytes that came in and went out.", |metrics| {
        both_ways(metrics, |node| (node.bytes_in, node.bytes_out))
    }),
    ("remotemedia.node.retries", "{call}", "Calls that were tried again.", |metrics| {
        of_nodes(metrics, |node| node.policies.retries)
    }),
    ("remotemedia.node.skipped", "{packet}", "Packets that were left out.", |metrics| {
        of_nodes(metrics, |node| node.policies.skipped)
    }),
    (
        "remotemedia.queue.interrupted",
        "{packet}",
        "Packets in a queue that interruptions discarded.",
        |metrics| of_queues(metrics, |queue| queue.interrupted),
    ),
    (
        "remotemedia.pipeline.interruptions",
        "{interruption}",
        "Interruptions that found something to interrupt.",
        |metrics| vec![(metrics.interruptions, of_pipeline(metrics))],
    ),
    ("remotemedia.node.restarts", "{restart}", "How often a component was made anew.", |metrics| {
        of_nodes(metrics, |node| node.restarts)
    }),
    (
        "remotemedia.node.fallbacks",
        "{fallback}",
        "How often another runtime took over, by reason.",
        |metrics| by(metrics, "remotemedia.fallback.reason", |node| node.policies.fallback_counts.iter()),
    ),
    ("remotemedia.queue.dropped", "{packet}", "Packets dropped because a queue was full.", |metrics| {
        of_queues(metrics, |queue| queue.dropped)
    }),
];

/// Times and sizes, which only grow.
const TIMES: [Counter<f64>; 5] = [
    ("remotemedia.node.busy", "s", "Time of all calls of a node together.", |metrics| {
        of_nodes(metrics, |node| node.total_duration_us / 1e6)
    }),
    ("remotemedia.node.gil_wait", "s", "Time that a Python node waited for the interpreter.", |metrics| {
        of_some_nodes(metrics, |node| Some(node.gil_wait_us? / 1e6))
    }),
    ("remotemedia.node.queue_wait", "s", "Time that packets waited in queues before a node.", |metrics| {
        of_some_nodes(metrics, |node| Some(node.queue_wait.as_ref()?.total_us / 1e6))
    }),
    ("remotemedia.queue.blocked", "s", "Time that the producer waited for room in a queue.", |metrics| {
        of_queues(metrics, |queue| queue.blocked_us / 1e6)
    }),
    (
        "remotemedia.pipeline.cpu.time",
        "s",
        "Processor time of the process since the pipeline began.",
        |metrics| vec![(metrics.cpu_time_us / 1e6, of_pipeline(metrics))],
    ),
];

/// What is as it is now.
const GAUGES: [Counter<f64>; 11] = [
    ("remotemedia.node.call.duration", "s", "Time of a call, by quantile.", |metrics| {
        let quantiles = metrics.node_metrics.iter().flat_map(|node| {
            let of_node = [
                ("0.5", node.p50_duration_us),
                ("0.9", node.p90_duration_us),
                ("0.99", node.p99_duration_us),
                ("1", node.max_duration_us),
            ];
            of_node.map(|(quantile, us)| {
                (us / 1e6, with(of_node_attributes(metrics, node), "quantile", quantile))
            })
        });
        quantiles.collect()
    }),
    ("remotemedia.node.breaker", "1", "1 for the state of a node's circuit, 0 for the others.", |metrics| {
        let states = metrics.node_metrics.iter().filter_map(|node| Some((node, node.policies.breaker?)));
        let all = states.flat_map(|(node, now)| {
            BreakerState::ALL.map(|state| {
                let attributes = of_node_attributes(metrics, node);
                let value = if state == now { 1.0 } else { 0.0 };
                (value, with(attributes, "remotemedia.breaker.state", state.name()))
            })
        });
        all.collect()
    }),
    ("remotemedia.node.memory", "By", "Memory that a node holds.", |metrics| {
        of_some_nodes(metrics, |node| Some(node.memory_bytes? as f64))
    }),
    ("remotemedia.node.peak_memory", "By", "The most memory that a node held.", |metrics| {
        of_some_nodes(metrics, |node| Some(node.peak_memory_bytes? as f64))
    }),
    ("remotemedia.queue.waiting", "{packet}", "Packets that wait in a queue.", |metrics| {
        of_queues(metrics, |queue| queue.waiting_packets as f64)
    }),
    ("remotemedia.queue.high_water", "{packet}", "Most packets that ever waited in a queue.", |metrics| {
        of_queues(metrics, |queue| queue.high_water_packets as f64)
    }),
    ("remotemedia.pipeline.duration", "s", "Time since the pipeline began, or until it ended.", |metrics| {
        vec![(metrics.total_duration_us / 1e6, of_pipeline(metrics))]
    }),
    ("remotemedia.pipeline.real_time_factor", "1", "Time taken by the time of the audio.", |metrics| {
        metrics.real_time_factor.map(|factor| (factor, of_pipeline(metrics))).into_iter().collect()
    }),
    ("remotemedia.pipeline.metrics_overhead", "s", "What counting cost.", |metrics| {
        vec![(metrics.metrics_overhead_us / 1e6, of_pipeline(metrics))]
    }),
    (
        "remotemedia.process.threads_left_behind",
        "{thread}",
        "Threads in calls that no pipeline waits for any more.",
        |metrics| vec![(metrics.threads_left_behind as f64, Vec::new())],
    ),
    ("process.memory.usage", "By", "Resident memory of the process.", |metrics| {
        vec![(metrics.resident_memory_bytes as f64, Vec::new())]
    }),
];

/// From now on what a pipeline counts is sent, where there is somebody to send it to.
pub fn observe(reader: MetricsReader) {
    let meter = opentelemetry::global::meter("remotemedia");
    for (name, unit, meaning, values) in COUNTERS {
        let reader = reader.clone();
        let counter = meter.u64_observable_counter(name).with_unit(unit).with_description(meaning);
        counter
            .with_callback(move |observer| {
                values(&reader.read())
                    .iter()
                    .for_each(|(value, attributes)| observer.observe(*value, attributes));
            })
            .build();
    }
    for (name, unit, meaning, values) in TIMES {
        let reader = reader.clone();
        let counter = meter.f64_observable_counter(name).with_unit(unit).with_description(meaning);
        counter
            .with_callback(move |observer| {
                values(&reader.read())
                    .iter()
                    .for_each(|(value, attributes)| observer.observe(*value, attributes));
            })
            .build();
    }
    for (name, unit, meaning, values) in GAUGES {
        let reader = reader.clone();
        let gauge = meter.f64_observable_gauge(name).with_unit(unit).with_description(meaning);
        gauge
            .with_callback(move |observer| {
                values(&reader.read())
                    .iter()
                    .for_each(|(value, attributes)| observer.observe(*value, attributes));
            })
            .build();
    }
}

fn of_pipeline(metrics: &Metrics) -> Vec<KeyValue> {
    vec![KeyValue::new("remotemedia.session", metrics.pipeline_id.clone())]
}

fn of_node_attributes(metrics: &Metrics, node: &NodeMetrics) -> Vec<KeyValue> {
    let mut attributes = of_pipeline(metrics);
    attributes.extend([
        KeyValue::new("remotemedia.node.id", node.node_id.clone()),
        KeyValue::new("remotemedia.node.type", node.node_type.clone()),
        KeyValue::new("remotemedia.runtime", node.served_by.name()),
    ]);
    attributes
}

fn with(mut attributes: Vec<KeyValue>, name: &'static str, value: impl Into<String>) -> Vec<KeyValue> {
    attributes.push(KeyValue::new(name, value.into()));
    attributes
}

fn of_nodes<T>(metrics: &Metrics, value: impl Fn(&NodeMetrics) -> T) -> Values<T> {
    metrics.node_metrics.iter().map(|node| (value(node), of_node_attributes(metrics, node))).collect()
}

/// The same of the nodes that have such a value.
fn of_some_nodes<T>(metrics: &Metrics, value: impl Fn(&NodeMetrics) -> Option<T>) -> Values<T> {
    let nodes = metrics.node_metrics.iter();
    nodes.filter_map(|node| Some((value(node)?, of_node_attributes(metrics, node)))).collect()
}

/// One value for each name that a node counts by.
fn by<'a, I: Iterator<Item = (&'a String, &'a u64)>>(
    metrics: &'a Metrics,
    attribute: &'static str,
    counts: impl Fn(&'a NodeMetrics) -> I,
) -> Values<u64> {
    let of_node = |node: &'a NodeMetrics| {
        counts(node).map(move |(name, count)| {
            (*count, with(of_node_attributes(metrics, node), attribute, name.as_str()))
        })
    };
    metrics.node_metrics.iter().flat_map(of_node).collect()
}

fn both_ways(metrics: &Metrics, counts: impl Fn(&NodeMetrics) -> (u64, u64)) -> Values<u64> {
    const DIRECTION: &str = "remotemedia.direction";
    let of_node = |node: &NodeMetrics| {
        let (came_in, went_out) = counts(node);
        let of_it = |direction| with(of_node_attributes(metrics, node), DIRECTION, direction);
        [(came_in, of_it("in")), (went_out, of_it("out"))]
    };
    metrics.node_metrics.iter().flat_map(of_node).collect()
}

/// A queue that the caller feeds comes from no node.
fn of_queues<T>(metrics: &Metrics, value: impl Fn(&QueueMetrics) -> T) -> Values<T> {
    let of_queue = |queue: &QueueMetrics| {
        let mut attributes = with(of_pipeline(metrics), "remotemedia.queue.to", queue.to.as_str());
        let known = [
            ("remotemedia.queue.from", &queue.from),
            ("remotemedia.queue.from_port", &queue.from_port),
            ("remotemedia.queue.to_port", &queue.to_port),
        ];
        for (name, value) in known {
            attributes.extend(value.as_ref().map(|value| KeyValue::new(name, value.clone())));
        }
        attributes
    };
    metrics.queue_metrics.iter().map(|queue| (value(queue), of_queue(queue))).collect()
}
