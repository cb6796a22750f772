//! The view, against what is computed by hand from two snapshots.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use remotemedia_core::RuntimeKind;
use remotemedia_engine::BreakerState;
use remotemedia_engine::metrics::{Metrics, NodeMetrics, PolicyMetrics, QueueMetrics};

use super::rates;
use super::view::{Sort, View, as_text};
use crate::telemetry::inspect::{INSPECT_VERSION, RunState, Snapshot};

fn node(id: &str, calls: u64, total_us: f64, p99_us: f64) -> NodeMetrics {
    NodeMetrics {
        node_id: id.into(),
        node_type: "Gain".into(),
        served_by: RuntimeKind::Native,
        stage: 0,
        execution_count: calls,
        success_count: calls,
        error_count: 0,
        success_rate: 1.0,
        errors_by_kind: Default::default(),
        packets_in: calls,
        packets_out: calls,
        bytes_in: 0,
        bytes_out: 0,
        total_duration_us: total_us,
        avg_duration_us: 0.0,
        min_duration_us: 0.0,
        max_duration_us: 2_500.0,
        p50_duration_us: 12.34,
        p90_duration_us: 0.0,
        p99_duration_us: p99_us,
        duration_histogram_us: Vec::new(),
        queue_wait: None,
        queue_high_water_packets: None,
        dropped: 0,
        gil_wait_us: None,
        memory_bytes: None,
        peak_memory_bytes: None,
        restarts: 0,
        policies: PolicyMetrics::default(),
    }
}

/// After `seconds`: `a` was called 100 times a second for 1 ms, `b` twice as often for 1.5 ms.
fn snapshot(seconds: f64) -> Snapshot {
    let calls = (100.0 * seconds) as u64;
    let nodes = vec![
        node("a", calls, calls as f64 * 1_000.0, 1_234.0),
        node("b", 2 * calls, 2.0 * calls as f64 * 1_500.0, 99.0),
    ];
    let queue = QueueMetrics {
        from: Some("a".into()),
        from_port: Some("out".into()),
        to: "b".into(),
        to_port: Some("in".into()),
        dropped: 7,
        interrupted: 0,
        waiting_packets: 3,
        high_water_packets: 4,
        max_packets: 4,
        blocked_us: seconds * 250_000.0,
    };
    let empty: Metrics = serde_json::from_value(serde_json::json!({
        "schema_version": 1, "pipeline_id": "p-0", "pipeline_name": "p", "ended": false, "total_executions": 1,
        "total_duration_us": 0.0, "total_duration_ms": 0.0, "cpu_time_us": 0.0, "audio_seconds": 0.0,
        "real_time_factor": null, "peak_memory_bytes": 0, "peak_memory_mb": 0.0, "resident_memory_bytes": 0,
        "interruptions": 0, "interrupted_packets": 0,
        "node_metrics": [], "queue_metrics": [], "threads_left_behind": 0, "metrics_overhead_us": 0.0,
    }))
    .unwrap();
    let metrics = Metrics {
        total_duration_us: seconds * 1e6,
        cpu_time_us: seconds * 1.5e6,
        audio_seconds: seconds * 4.0,
        resident_memory_bytes: 3 << 20,
        peak_memory_bytes: 5 << 20,
        node_metrics: nodes,
        queue_metrics: vec![queue],
        ..empty
    };
    Snapshot { inspect_version: INSPECT_VERSION, pid: 42, state: RunState::Running, metrics }
}

fn view(before: Option<f64>, now: f64) -> View {
    View {
        now: snapshot(now),
        before: before.map(snapshot),
        sort: Sort::default(),
        paused: false,
        help: false,
        color: true,
        over: None,
    }
}

fn draw(view: &View, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let line = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(line).collect()
}

#[test]
fn rates_and_shares_are_of_the_time_between_two_snapshots() {
    // 10 s and 12.5 s after the start: the looks may have come whenever they liked.
    let (before, now) = (snapshot(10.0).metrics, snapshot(12.5).metrics);
    let rows = rates::nodes(&now, Some(&before));
    assert!((rows[0].calls_per_s - 100.0).abs() < 1e-9 && (rows[1].calls_per_s - 200.0).abs() < 1e-9);
    // 250 calls of 1 ms and 500 of 1.5 ms: a quarter and three.
    assert!((rows[0].share - 0.25).abs() < 1e-9 && (rows[1].share - 0.75).abs() < 1e-9);
    assert!((rates::cores(&now, Some(&before)) - 1.5).abs() < 1e-9);
    assert!((rates::speed(&now, Some(&before)).unwrap() - 4.0).abs() < 1e-9);
    let queue = &rates::queues(&now, Some(&before))[0];
    assert!((queue.blocked - 0.25).abs() < 1e-9);
    assert_eq!((queue.name.as_str(), queue.waiting, queue.room, queue.dropped), ("a → b", 3, 4, 7));
}

#[test]
fn two_snapshots_of_one_moment_give_no_rates_and_no_nonsense() {
    let now = snapshot(3.0).metrics;
    let rows = rates::nodes(&now, Some(&now));
    assert!(rows.iter().all(|row| row.calls_per_s == 0.0 && row.share == 0.0));
    assert_eq!((rates::cores(&now, Some(&now)), rates::speed(&now, Some(&now))), (0.0, Some(0.0)));
}

#[test]
fn the_view_shows_every_number_in_its_column() {
    let drawn = lines(&draw(&view(Some(10.0), 12.5), 150, 14));
    assert_eq!(drawn[0], "p-0 (process 42)  running");
    assert_eq!(drawn[1], "12.5 s   CPU 150 %   audio 50.0 s, 4.0× real time   memory 3.0 MiB (peak 5.0 MiB)");
    let cells = |line: &str| {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let first =
        ["a", "native", "100.0", "12.3 µs", "1.2 ms", "2.5 ms", "25 %", "0", "0", "0", "0", "-", "- -"];
    assert_eq!(cells(&drawn[3]), first);
    assert!(
        drawn[4].contains("200.0") && drawn[4].contains("99.0 µs") && drawn[4].contains("75 %"),
        "{}",
        drawn[4]
    );
    let queue = drawn.iter().find(|line| line.starts_with("a → b")).unwrap();
    assert_eq!(cells(queue), ["a → b", "3/4", "4", "25 %", "7"]);
    assert_eq!(drawn[13], "q quit   s sort: manifest   p pause   ? help");
}

#[test]
fn sorting_puts_the_largest_first() {
    let first = |sort| {
        let view = View { sort, ..view(Some(10.0), 12.5) };
        lines(&draw(&view, 150, 14))[3].chars().next().unwrap()
    };
    let sorts = [Sort::Manifest, Sort::Share, Sort::Calls, Sort::P99];
    assert_eq!(sorts.map(first), ['a', 'b', 'b', 'a']);
    assert!(sorts.windows(2).all(|pair| pair[0].next() == pair[1]) && Sort::P99.next() == Sort::Manifest);
}

#[test]
fn faults_are_red_unless_colours_are_unwanted() {
    let mut faulty = view(None, 5.0);
    faulty.now.metrics.node_metrics[0].error_count = 3;
    faulty.now.metrics.node_metrics[1].policies.breaker = Some(BreakerState::Open);
    let red = |buffer: &Buffer| {
        let cells = buffer.content.iter().filter(|cell| cell.fg == Color::Red && cell.symbol() != " ");
        cells.map(|cell| cell.symbol().to_owned()).collect::<String>()
    };
    assert_eq!(red(&draw(&faulty, 150, 14)), "3open7");
    let plain = draw(&View { color: false, ..faulty }, 150, 14);
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset));
}

#[test]
fn what_is_over_and_what_is_paused_is_said_and_small_terminals_are_survived() {
    let paused = View { paused: true, ..view(None, 5.0) };
    assert!(lines(&draw(&paused, 150, 14))[13].ends_with("PAUSED"));
    let over = View { over: Some("the pipeline has vanished".into()), ..view(None, 5.0) };
    assert_eq!(lines(&draw(&over, 150, 14))[13], "the pipeline has vanished   q quit");
    assert_eq!(lines(&draw(&over, 150, 14))[0], "p-0 (process 42)  gone");
    for (width, height) in [(1, 1), (20, 4), (300, 2), (80, 24)] {
        draw(&View { help: true, ..view(Some(1.0), 2.0) }, width, height);
    }
}

#[test]
fn as_text_is_the_view_without_its_last_line() {
    let text = as_text(&snapshot(2.0), None);
    assert!(text.starts_with("p-0 (process 42)  running\n2.0 s   CPU 150 %"), "{text}");
    assert!(text.contains("a → b") && !text.contains("q quit"), "{text}");
}
