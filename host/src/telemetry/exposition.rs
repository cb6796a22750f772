//! The metrics of a pipeline and of the process in Prometheus' words: names, types, units and labels. Numbers are in base
//! units: seconds and bytes.

use std::fmt::{Error, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use remotemedia_engine::metrics::process::{Memory, cpu_time};
use remotemedia_engine::metrics::{NodeMetrics, QueueMetrics, TimeBucket};
use remotemedia_engine::{BreakerState, Metrics, MetricsReader};

/// Which of the text formats is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' older one, which every tool reads.
    Prometheus,
}

/// Bounds of the histograms are every second power of two of nanoseconds, from 256 ns to 17 s: the engine's own bounds, so
/// that counts are exact.
const FIRST_POWER: u32 = 8;
const LAST_POWER: u32 = 34;

/// What is counted, in `format`.
///
/// # Errors
/// Never, as long as memory lasts.
pub fn expose(reader: &MetricsReader, format: Format) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposed(reader.clone())));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    match format {
        Format::OpenMetrics => Ok(page),
        Format::Prometheus => without_openmetrics(&page),
    }
}

/// The older format names a counter with its `_total` in HELP and TYPE too, and knows no UNIT and no EOF.
fn without_openmetrics(page: &str) -> Result<String, Error> {
    let mut older = String::with_capacity(page.len());
    let mut help = None;
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(text)) => help = Some((name, text)),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                if let Some((_, text)) = help.take() {
                    writeln!(older, "# HELP {name}{suffix} {text}")?;
                }
                writeln!(older, "# TYPE {name}{suffix} {kind}")?;
            }
            (Some("#"), Some("UNIT" | "EOF"), ..) => {}
            _ => writeln!(older, "{line}")?,
        }
    }
    Ok(older)
}

#[derive(Debug)]
struct Exposed(MetricsReader);

type Labels = Vec<(&'static str, String)>;

/// A family: name without unit and suffix, help, unit.
type Family = (&'static str, &'static str, Option<Unit>);

impl Collector for Exposed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let metrics = self.0.read();
        nodes(&mut encoder, &metrics)?;
        queues(&mut encoder, &metrics)?;
        pipeline(&mut encoder, &metrics)?;
        process(&mut encoder, &metrics)
    }
}

fn nodes(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let each = |value: fn(&NodeMetrics) -> f64| -> Vec<(Labels, f64)> {
        metrics.node_metrics.iter().map(|node| (labels_of(metrics, node), value(node))).collect()
    };
    let known = |value: fn(&NodeMetrics) -> Option<f64>| -> Vec<(Labels, f64)> {
        let nodes = metrics.node_metrics.iter();
        nodes.filter_map(|node| Some((labels_of(metrics, node), value(node)?))).collect()
    };
    let bytes = Some(Unit::Bytes);
    times(
        encoder,
        (
            "remotemedia_node_call_duration",
            "Time of a call, with what policies do around it",
            Some(Unit::Seconds),
        ),
        metrics.node_metrics.iter().map(|node| {
            (labels_of(metrics, node), node.total_duration_us, node.duration_histogram_us.as_slice())
        }),
    )?;
    times(
        encoder,
        (
            "remotemedia_node_queue_wait",
            "Time that packets waited in queues before the node",
            Some(Unit::Seconds),
        ),
        metrics.node_metrics.iter().filter_map(|node| {
            let waits = node.queue_wait.as_ref()?;
            Some((labels_of(metrics, node), waits.total_us, waits.histogram_us.as_slice()))
        }),
    )?;
    counters(
        encoder,
        ("remotemedia_node_input_packets", "Packets that came in", None),
        each(|node| node.packets_in as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_output_packets", "Packets that went out", None),
        each(|node| node.packets_out as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_input", "Bytes that came in", bytes.clone()),
        each(|node| node.bytes_in as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_output", "Bytes that went out", bytes.clone()),
        each(|node| node.bytes_out as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_errors", "Errors that ended the pipeline or cost a packet", None),
        by_name(metrics, "kind", |node| node.errors_by_kind.iter()),
    )?;
    counters(
        encoder,
        ("remotemedia_node_retries", "Calls that were tried again", None),
        each(|node| node.policies.retries as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_skipped_packets", "Packets left out because of an error", None),
        each(|node| node.policies.skipped as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_fallbacks", "How often another runtime took over", None),
        by_name(metrics, "reason", |node| node.policies.fallback_counts.iter()),
    )?;
    counters(
        encoder,
        ("remotemedia_node_dropped_packets", "Packets that full queues before the node dropped", None),
        each(|node| node.dropped as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_node_restarts", "How often the node was made anew", None),
        each(|node| node.restarts as f64),
    )?;
    counters(
        encoder,
        (
            "remotemedia_node_gil_wait",
            "Time that calls waited for the Python interpreter",
            Some(Unit::Seconds),
        ),
        known(|node| node.gil_wait_us.map(|us| us / 1e6)),
    )?;
    gauges(
        encoder,
        ("remotemedia_node_breaker_state", "1 for the state of its circuit breaker", None),
        breakers(metrics),
    )?;
    gauges(
        encoder,
        ("remotemedia_node_memory", "Memory that the node holds", bytes.clone()),
        known(|node| node.memory_bytes.map(|bytes| bytes as f64)),
    )?;
    gauges(
        encoder,
        ("remotemedia_node_peak_memory", "The most memory that the node held", bytes),
        known(|node| node.peak_memory_bytes.map(|bytes| bytes as f64)),
    )
}

fn queues(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let each = |value: fn(&QueueMetrics) -> f64| -> Vec<(Labels, f64)> {
        let labels = |queue: &QueueMetrics| {
            vec![
                ("pipeline", metrics.pipeline_id.clone()),
                ("from", queue.from.clone().unwrap_or_default()),
                ("from_port", queue.from_port.clone().unwrap_or_default()),
                ("to", queue.to.clone()),
                ("to_port", queue.to_port.clone().unwrap_or_default()),
            ]
        };
        metrics.queue_metrics.iter().map(|queue| (labels(queue), value(queue))).collect()
    };
    gauges(
        encoder,
        ("remotemedia_queue_packets", "Packets that wait", None),
        each(|queue| queue.waiting_packets as f64),
    )?;
    gauges(
        encoder,
        ("remotemedia_queue_high_water_packets", "Most packets that ever waited", None),
        each(|queue| queue.high_water_packets as f64),
    )?;
    gauges(
        encoder,
        ("remotemedia_queue_max_packets", "Packets that fit", None),
        each(|queue| queue.max_packets as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_queue_dropped_packets", "Packets dropped because the queue was full", None),
        each(|queue| queue.dropped as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_queue_interrupted_packets", "Packets discarded by interruptions", None),
        each(|queue| queue.interrupted as f64),
    )?;
    counters(
        encoder,
        ("remotemedia_queue_blocked", "Time that the producer waited for room", Some(Unit::Seconds)),
        each(|queue| queue.blocked_us / 1e6),
    )
}

fn pipeline(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let one = |value: f64| vec![(vec![("pipeline", metrics.pipeline_id.clone())], value)];
    let seconds = Some(Unit::Seconds);
    gauges(
        encoder,
        ("remotemedia_pipeline_running", "1 as long as the pipeline runs", None),
        one(if metrics.ended { 0.0 } else { 1.0 }),
    )?;
    counters(
        encoder,
        ("remotemedia_pipeline_run", "Time since the start", seconds.clone()),
        one(metrics.total_duration_us / 1e6),
    )?;
    counters(
        encoder,
        ("remotemedia_pipeline_audio", "Audio that was fed", seconds.clone()),
        one(metrics.audio_seconds),
    )?;
    counters(
        encoder,
        ("remotemedia_pipeline_interruptions", "Interruptions that found something to interrupt", None),
        one(metrics.interruptions as f64),
    )?;
    gauges(
        encoder,
        ("remotemedia_pipeline_real_time_factor", "Time since the start by the time of the audio", None),
        metrics.real_time_factor.map(one).unwrap_or_default(),
    )?;
    gauges(
        encoder,
        ("remotemedia_pipeline_metrics_overhead", "What counting cost", seconds),
        one(metrics.metrics_overhead_us / 1e6),
    )
}

/// The names are those that all Prometheus clients use.
fn process(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let one = |value: f64| vec![(Labels::new(), value)];
    let memory = Memory::of_this_process();
    counters(
        encoder,
        ("process_cpu", "Total user and system CPU time spent", Some(Unit::Seconds)),
        one(cpu_time().as_secs_f64()),
    )?;
    gauges(
        encoder,
        ("process_resident_memory", "Resident memory size", Some(Unit::Bytes)),
        one(memory.resident_bytes as f64),
    )?;
    gauges(
        encoder,
        ("remotemedia_process_peak_memory", "Most resident memory there ever was", Some(Unit::Bytes)),
        one(memory.peak_bytes as f64),
    )?;
    gauges(
        encoder,
        ("remotemedia_process_threads_left_behind", "Threads in calls that no pipeline waits for", None),
        one(metrics.threads_left_behind as f64),
    )
}

fn labels_of(metrics: &Metrics, node: &NodeMetrics) -> Labels {
    vec![
        ("pipeline", metrics.pipeline_id.clone()),
        ("node", node.node_id.clone()),
        ("node_type", node.node_type.clone()),
        ("runtime", node.served_by.to_string()),
    ]
}

/// A number per node and name, the name being the label `label`.
fn by_name<'a, I: Iterator<Item = (&'a String, &'a u64)>>(
    metrics: &'a Metrics,
    label: &'static str,
    counts: impl Fn(&'a NodeMetrics) -> I,
) -> Vec<(Labels, f64)> {
    let mut all = Vec::new();
    for node in &metrics.node_metrics {
        for (name, count) in counts(node) {
            let mut labels = labels_of(metrics, node);
            labels.push((label, name.clone()));
            all.push((labels, *count as f64));
        }
    }
    all
}

fn breakers(metrics: &Metrics) -> Vec<(Labels, f64)> {
    let mut all = Vec::new();
    for node in &metrics.node_metrics {
        let Some(now) = node.policies.breaker else { continue };
        for state in BreakerState::ALL {
            let mut labels = labels_of(metrics, node);
            labels.push(("state", state.name().to_owned()));
            all.push((labels, if state == now { 1.0 } else { 0.0 }));
        }
    }
    all
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    values: Vec<(Labels, f64)>,
) -> Result<(), Error> {
    let (name, help, unit) = family;
    if values.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
    for (labels, value) in &values {
        metric.encode_family(labels)?.encode_counter::<NoLabelSet, f64, f64>(value, None)?;
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    values: Vec<(Labels, f64)>,
) -> Result<(), Error> {
    let (name, help, unit) = family;
    if values.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in &values {
        metric.encode_family(labels)?.encode_gauge(value)?;
    }
    Ok(())
}

/// Histograms of (labels, sum in microseconds, counts).
fn times<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    family: Family,
    values: impl Iterator<Item = (Labels, f64, &'a [TimeBucket])>,
) -> Result<(), Error> {
    let (name, help, unit) = family;
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Histogram)?;
    for (labels, total_us, counts) in &values {
        let count = counts.iter().map(|bucket| bucket.count).sum();
        metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(
            total_us / 1e6,
            count,
            &buckets(counts),
            None,
        )?;
    }
    Ok(())
}

/// (upper bound in seconds, times in the bucket).
fn buckets(counts: &[TimeBucket]) -> Vec<(f64, u64)> {
    let bounds_ns = (FIRST_POWER..=LAST_POWER).step_by(2).map(|power| (1_u64 << power) as f64);
    let mut below_ns = 0.0;
    let mut buckets = Vec::new();
    for bound_ns in bounds_ns.chain([f64::INFINITY]) {
        let inside = counts.iter().filter(|bucket| {
            let its_ns = (bucket.below_us * 1e3).round();
            its_ns > below_ns && its_ns <= bound_ns
        });
        buckets.push((bound_ns / 1e9, inside.map(|bucket| bucket.count).sum()));
        below_ns = bound_ns;
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_what_is_between_its_bound_and_the_one_before() {
        let bucket = |power: u32, count| TimeBucket { below_us: (1_u64 << power) as f64 / 1e3, count };
        let told = buckets(&[
            bucket(3, 1),
            bucket(8, 2),
            bucket(9, 4),
            bucket(10, 8),
            bucket(34, 16),
            bucket(36, 32),
        ]);
        let filled: Vec<_> = told.into_iter().filter(|(_, count)| *count > 0).collect();
        let right = [(256e-9, 3), (1_024e-9, 12), (17.179869184, 16), (f64::INFINITY, 32)];
        assert_eq!(filled.len(), right.len());
        for ((bound, count), (right_bound, right_count)) in filled.iter().zip(right) {
            assert!(bound == &right_bound || (bound - right_bound).abs() < 1e-12, "{bound} {right_bound}");
            assert_eq!(*count, right_count);
        }
    }

    #[test]
    fn the_older_format_has_the_counters_suffix_in_its_head_and_no_units() {
        let page = "# HELP a_bytes Some help.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total{x=\"# y\"} 1\n\
                    # HELP b Other.\n# TYPE b gauge\nb 2\n# EOF\n";
        let older = "# HELP a_bytes_total Some help.\n# TYPE a_bytes_total counter\na_bytes_total{x=\"# y\"} 1\n\
                     # HELP b Other.\n# TYPE b gauge\nb 2\n";
        assert_eq!(without_openmetrics(page).unwrap(), older);
    }
}
