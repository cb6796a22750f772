//! The table at the end of a run: what each node took, and which one to look at first.

use remotemedia_engine::Metrics;
use remotemedia_engine::metrics::NodeMetrics;

use super::{Align, Table, microseconds};

/// Below this share of the wall time no node is worth a look.
const IDLE_SHARE: f64 = 0.1;
/// From this share of a node's own time on, waiting is the news.
const MOSTLY: f64 = 0.5;

/// Nodes with runtime, calls, call times and share of the wall time, and a sentence about the bottleneck.
#[must_use]
pub fn run_table(metrics: &Metrics) -> String {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("RUNTIME", Align::Left),
        ("CALLS", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("SHARE", Align::Right),
    ]);
    for node in &metrics.node_metrics {
        table.row([
            node.node_id.clone(),
            node.served_by.to_string(),
            node.execution_count.to_string(),
            microseconds(node.p50_duration_us),
            microseconds(node.p99_duration_us),
            percent(share(metrics, node)),
        ]);
    }
    format!("{table}{}\n", bottleneck(metrics))
}

/// Which node holds the others up, and why; or that none does.
#[must_use]
pub fn bottleneck(metrics: &Metrics) -> String {
    let most = metrics.node_metrics.iter().max_by(|a, b| a.total_duration_us.total_cmp(&b.total_duration_us));
    let Some(node) = most.filter(|node| node.execution_count > 0) else {
        return "bottleneck: none, no node was called".into();
    };
    let share_of_wall = share(metrics, node);
    if share_of_wall < IDLE_SHARE {
        let nodes: f64 = metrics.node_metrics.iter().map(|node| share(metrics, node)).sum();
        return format!(
            "bottleneck: none of the nodes; all their calls are {} of the time, the rest is reading, writing and waiting",
            percent(nodes.min(1.0))
        );
    }
    let mut why = format!("its calls are {} of the time", percent(share_of_wall));
    let gil_us = node.gil_wait_us.unwrap_or(0.0);
    if gil_us >= MOSTLY * node.total_duration_us {
        why = format!(
            "{why}, of which {} is waiting for the Python interpreter",
            percent(gil_us / node.total_duration_us.max(f64::MIN_POSITIVE))
        );
    }
    let blocked_us: f64 = metrics
        .queue_metrics
        .iter()
        .filter(|queue| queue.to == node.node_id)
        .map(|queue| queue.blocked_us)
        .sum();
    if blocked_us >= IDLE_SHARE * metrics.total_duration_us {
        why = format!(
            "{why}, and the queue before it was full: its producers waited {}",
            microseconds(blocked_us)
        );
    }
    format!("bottleneck: {}: {why}", node.node_id)
}

/// The node's calls by the wall time. Together the shares may exceed 1: stages run at the same time.
fn share(metrics: &Metrics, node: &NodeMetrics) -> f64 {
    if metrics.total_duration_us > 0.0 { node.total_duration_us / metrics.total_duration_us } else { 0.0 }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent > 0.0 && percent < 0.1 => "<0.1 %".into(),
        percent if percent < 10.0 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Metrics of one second with nodes of (id, milliseconds in calls, milliseconds of waiting for the interpreter).
    fn metrics(nodes: &[(&str, f64, Option<f64>)], blocked_ms: f64) -> Metrics {
        let node = |&(id, total_ms, gil_ms): &(&str, f64, Option<f64>)| {
            json!({
                "node_id": id, "node_type": "T", "served_by": "native", "stage": 0, "execution_count": 100,
                "success_count": 100, "error_count": 0, "success_rate": 1.0, "errors_by_kind": {},
                "packets_in": 100, "packets_out": 100, "bytes_in": 0, "bytes_out": 0,
                "total_duration_us": total_ms * 1e3, "avg_duration_us": total_ms * 10.0, "min_duration_us": 1.0,
                "max_duration_us": 2e3, "p50_duration_us": 12.5, "p90_duration_us": 900.0,
                "p99_duration_us": 1_500.0, "duration_histogram_us": [], "queue_wait": null,
                "queue_high_water_packets": null, "dropped": 0, "gil_wait_us": gil_ms.map(|ms| ms * 1e3),
                "memory_bytes": null, "peak_memory_bytes": null, "restarts": 0, "retries": 0, "skipped": 0,
                "fallback_counts": {}, "breaker": null,
            })
        };
        let nodes: Vec<Value> = nodes.iter().map(node).collect();
        serde_json::from_value(json!({
            "schema_version": 1, "pipeline_id": "p-0", "pipeline_name": "p", "ended": true, "total_executions": 1,
            "total_duration_us": 1e6, "total_duration_ms": 1e3, "cpu_time_us": 1e6, "audio_seconds": 0.0,
            "real_time_factor": null, "peak_memory_bytes": 1, "peak_memory_mb": 1.0, "resident_memory_bytes": 1,
            "node_metrics": nodes, "threads_left_behind": 0, "metrics_overhead_us": 1.0,
            "queue_metrics": [{"from": "a", "to": "slow", "dropped": 0, "waiting_packets": 0,
                "high_water_packets": 8, "max_packets": 8, "blocked_us": blocked_ms * 1e3}],
        }))
        .unwrap()
    }

    #[test]
    fn the_table_has_a_row_per_node_and_names_the_one_with_most_time() {
        let text = run_table(&metrics(&[("gain", 0.5, None), ("slow", 812.0, None)], 0.0));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(words(lines[0]), "NODE RUNTIME CALLS p50 p99 SHARE");
        assert!(words(lines[1]).starts_with("gain native 100 ") && lines[1].ends_with("<0.1 %"), "{text}");
        assert!(lines[2].ends_with(" 81 %"), "{text}");
        assert_eq!(lines[3], "bottleneck: slow: its calls are 81 % of the time");
    }

    #[test]
    fn waiting_for_the_interpreter_and_a_full_queue_are_named_as_reasons() {
        let told = bottleneck(&metrics(&[("a", 100.0, None), ("slow", 800.0, Some(600.0))], 700.0));
        assert!(
            told.starts_with("bottleneck: slow: its calls are 80 % of the time, of which 75 % is waiting"),
            "{told}"
        );
        assert!(told.contains("the queue before it was full: its producers waited"), "{told}");
    }

    #[test]
    fn no_node_is_blamed_for_a_run_that_waited_for_something_else() {
        let told = bottleneck(&metrics(&[("a", 20.0, None), ("slow", 30.0, None)], 0.0));
        assert!(told.contains("none of the nodes; all their calls are 5.0 %"), "{told}");
        assert!(bottleneck(&metrics(&[], 0.0)).contains("no node was called"));
    }
}
