//! What a pipeline counts, read while it runs and after it ended.

use std::sync::mpsc;
use std::time::Instant;

use remotemedia_core::{AudioBuffer, ErrorKind, NodeError, Packet, PayloadKind};
use serde_json::json;

use crate::metrics::Metrics;
use crate::tests::{TestRuntime, manifest, numbers};
use crate::{MetricsReader, PipelineOptions};

fn run(runtime: &TestRuntime, manifest: &remotemedia_core::Manifest, packets: Vec<Packet>) -> Metrics {
    let mut pipeline = runtime.start(manifest);
    let first = manifest.nodes[0].id.clone();
    // What a failing pipeline counted is looked at too.
    let _ = pipeline.run(packets.into_iter().map(|packet| (first.as_str(), packet)));
    pipeline.metrics()
}

#[test]
fn metrics_are_read_from_another_thread_while_a_call_is_running() {
    let (entered, has_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new((entered, may_leave));
    let runtime = TestRuntime::new().with("Gate", PayloadKind::Any, move |_, _, packet, out| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        gate.1.recv().unwrap();
        out.push(packet);
        Ok(())
    });
    let mut pipeline = runtime.start(&manifest(&[("a", "Pass"), ("b", "Gate")], &[("a", "=>b")]));
    let reader: MetricsReader = pipeline.metrics_reader();
    let calls =
        |metrics: &Metrics| metrics.node_metrics.iter().map(|node| node.execution_count).collect::<Vec<_>>();
    for (before, packet) in numbers(0..3).enumerate() {
        pipeline.feed("a", packet).unwrap();
        has_entered.recv().unwrap();
        let reader = reader.clone();
        let metrics = std::thread::spawn(move || reader.read()).join().unwrap();
        assert_eq!(calls(&metrics), [before as u64 + 1, before as u64], "the call inside is not counted yet");
        assert!(!metrics.ended);
        leave.send(()).unwrap();
    }
    pipeline.finish().unwrap();
    while pipeline.next().unwrap().is_some() {}
    drop(pipeline);
    let after = reader.read();
    assert_eq!(calls(&after), [3, 3]);
    assert!(after.ended);
    assert_eq!(after.total_duration_us, reader.read().total_duration_us, "time stands still after the end");
}

#[test]
fn packets_and_bytes_are_counted_on_both_sides_of_a_node() {
    let runtime = TestRuntime::new().with("Twice", PayloadKind::Any, |_, _, packet, out| {
        out.push(packet.clone());
        out.push(packet);
        Ok(())
    });
    // 480 frames of 2 channels of 4 bytes; 5 bytes of text; a JSON value has no size.
    let audio = AudioBuffer::from_f32(48_000, 2, vec![0.0; 960]).unwrap();
    let packets = vec![Packet::new(0, audio), Packet::new(1, "fünf"), Packet::new(2, json!([1]))];
    let metrics = run(&runtime, &manifest(&[("a", "Twice"), ("b", "Pass")], &[("a", "b")]), packets);
    let sides = metrics.node_metrics.iter();
    let sides: Vec<_> =
        sides.map(|node| [node.packets_in, node.bytes_in, node.packets_out, node.bytes_out]).collect();
    let bytes = 480 * 2 * 4 + 5;
    assert_eq!(sides, [[3, bytes, 6, 2 * bytes], [6, 2 * bytes, 6, 2 * bytes]]);
}

#[test]
fn errors_are_counted_by_kind_whether_they_end_the_pipeline_or_cost_a_packet() {
    let runtime = TestRuntime::new().with("Odd", PayloadKind::Any, |_, _, packet, out| match packet.pts_ns {
        5 => Err(NodeError::new(ErrorKind::Timeout, "too long")),
        pts if pts % 2 == 1 => Err(NodeError::new(ErrorKind::InvalidInput, "odd")),
        _ => {
            out.push(packet);
            Ok(())
        }
    });
    let mut skipping = manifest(&[("a", "Odd")], &[]);
    skipping.nodes[0].on_error = remotemedia_core::manifest::OnError::Skip;
    let node = &run(&runtime, &skipping, numbers(0..10).collect()).node_metrics[0];
    let by_kind = |node: &crate::metrics::NodeMetrics| serde_json::to_value(&node.errors_by_kind).unwrap();
    assert_eq!(by_kind(node), json!({"invalid_input": 4, "timeout": 1}));
    assert_eq!((node.execution_count, node.success_count, node.error_count), (10, 5, 5));
    assert!((node.success_rate - 0.5).abs() < 1e-12);

    let node = &run(&runtime, &manifest(&[("a", "Odd")], &[]), numbers(0..10).collect()).node_metrics[0];
    assert_eq!(by_kind(node), json!({"invalid_input": 1}));
    assert_eq!((node.execution_count, node.success_count, node.error_count), (2, 1, 1));
}

#[test]
fn a_panic_is_a_failed_call_and_a_failed_flush_is_none() {
    let runtime = TestRuntime::new().with("Panics", PayloadKind::Any, |_, _, packet, _| {
        assert!(packet.pts_ns < 2, "three is too much");
        Ok(())
    });
    let node = &run(&runtime, &manifest(&[("a", "Panics")], &[]), numbers(0..5).collect()).node_metrics[0];
    assert_eq!((node.execution_count, node.success_count, node.error_count), (3, 2, 1));
    assert_eq!(node.errors_by_kind["internal"], 1);

    let mut runtime = TestRuntime::new();
    runtime.fail_flush = Some("a");
    let node = &run(&runtime, &manifest(&[("a", "Pass")], &[]), numbers(0..5).collect()).node_metrics[0];
    assert_eq!((node.execution_count, node.success_count, node.error_count), (5, 5, 1));
}

#[test]
fn the_real_time_factor_is_wall_time_by_the_audio_of_the_longest_source() {
    let runtime = TestRuntime::new();
    let mut pipeline = runtime.start(&manifest(&[("a", "Pass"), ("b", "Pass")], &[]));
    let audio = |frames| AudioBuffer::from_f32(8_000, 1, vec![0.0; frames]).unwrap();
    for nth in 0..4 {
        pipeline.feed("a", Packet::new(nth, audio(4_000))).unwrap();
    }
    pipeline.feed("b", Packet::new(0, audio(80))).unwrap();
    pipeline.finish().unwrap();
    let metrics = pipeline.metrics();
    assert_eq!(metrics.audio_seconds, 4.0 * 4_000.0 / 8_000.0);
    let factor = metrics.real_time_factor.unwrap();
    assert!((factor - metrics.total_duration_us / 1e6 / 2.0).abs() < 1e-12);
    assert_eq!(run(&runtime, &manifest(&[("a", "Pass")], &[]), Vec::new()).real_time_factor, None);
}

#[test]
fn without_metrics_nothing_is_counted() {
    let runtime = TestRuntime::new();
    let options = PipelineOptions { metrics: false, ..PipelineOptions::default() };
    let mut pipeline =
        runtime.start_with(&manifest(&[("a", "Pass"), ("b", "Pass")], &[("a", "=>b")]), options);
    pipeline.run(numbers(0..3).map(|packet| ("a", packet))).unwrap();
    let metrics = pipeline.metrics();
    assert!(metrics.node_metrics.is_empty() && metrics.queue_metrics.is_empty());
    assert_eq!(metrics.audio_seconds, 0.0);
}

#[test]
fn what_waits_in_a_full_queue_and_who_waits_for_room_is_counted() {
    let (leave, may_leave) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let gate = std::sync::Mutex::new((entered, may_leave));
    let runtime = TestRuntime::new().with("Gate", PayloadKind::Any, move |_, _, _, _| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        gate.1.recv().unwrap();
        Ok(())
    });
    let mut manifest = manifest(&[("a", "Pass"), ("b", "Gate")], &[("a", "=>b")]);
    manifest.connections[0].queue.as_mut().unwrap().max_packets = 2;
    let mut pipeline = runtime.start(&manifest);
    let reader = pipeline.metrics_reader();
    let queue = || reader.read().queue_metrics[0].clone();
    let feeder = std::thread::spawn(move || {
        // The first is in the gate, two fill the queue, the fourth waits for room.
        numbers(0..4).for_each(|packet| pipeline.feed("a", packet).unwrap());
        pipeline.finish().unwrap();
        while pipeline.next().unwrap().is_some() {}
    });
    has_entered.recv().unwrap();
    while queue().waiting_packets < 2 {
        std::thread::yield_now();
    }
    assert_eq!((queue().from.as_deref(), queue().to.as_str(), queue().max_packets), (Some("a"), "b", 2));
    let is_long = |told: &Metrics| {
        told.queue_metrics[0].blocked_us > 2.0 * told.node_metrics[0].total_duration_us.max(1.0)
    };
    let mut shut = reader.read();
    while !is_long(&shut) {
        std::thread::yield_now();
        shut = reader.read();
    }
    for nth in 0..4 {
        if nth > 0 {
            has_entered.recv().unwrap();
        }
        leave.send(()).unwrap();
    }
    feeder.join().unwrap();
    let told = reader.read();
    let queue = &told.queue_metrics[0];
    assert_eq!((queue.waiting_packets, queue.high_water_packets, queue.dropped), (0, 2, 0));
    assert!(queue.blocked_us >= shut.queue_metrics[0].blocked_us, "{queue:?}");
    let [first, second] = &told.node_metrics[..] else { panic!("{told:?}") };
    assert_eq!((first.stage, second.stage), (0, 1));
    assert_eq!((&first.queue_wait, first.queue_high_water_packets), (&None, None));
    let waits = second.queue_wait.as_ref().unwrap();
    assert_eq!((waits.count, second.queue_high_water_packets), (4, Some(2)));
    assert!(waits.max_us >= shut.queue_metrics[0].blocked_us, "two packets waited meanwhile: {waits:?}");
    assert!(first.total_duration_us < queue.blocked_us, "waiting for room is no time of the node before");
}

#[test]
fn what_a_node_notes_of_its_calls_is_summed_and_memory_is_the_last_and_the_most() {
    let runtime = TestRuntime::new().with("Notes", PayloadKind::Any, |_, _, packet, out| {
        let notes = out.notes();
        assert!(notes.are_read());
        notes.waited_since(Instant::now());
        if packet.pts_ns == 1 {
            notes.restarted();
        }
        notes.holds(Some([100, 300, 200][packet.pts_ns as usize]));
        Ok(())
    });
    let node = &run(&runtime, &manifest(&[("a", "Notes")], &[]), numbers(0..3).collect()).node_metrics[0];
    assert_eq!((node.restarts, node.memory_bytes, node.peak_memory_bytes), (1, Some(200), Some(300)));
    let waited = node.gil_wait_us.unwrap();
    assert!(waited > 0.0 && waited <= node.total_duration_us, "{waited} of {}", node.total_duration_us);
    let node =
        &run(&TestRuntime::new(), &manifest(&[("a", "Pass")], &[]), numbers(0..3).collect()).node_metrics[0];
    assert_eq!((node.restarts, node.memory_bytes, node.gil_wait_us), (0, None, None));
}

#[test]
fn nobody_takes_notes_when_nobody_counts() {
    let runtime = TestRuntime::new().with("Asks", PayloadKind::Any, |_, _, _, out| {
        assert!(!out.notes().are_read());
        Ok(())
    });
    let options = PipelineOptions { metrics: false, ..PipelineOptions::default() };
    let mut pipeline = runtime.start_with(&manifest(&[("a", "Asks")], &[]), options);
    pipeline.run(numbers(0..3).map(|packet| ("a", packet))).unwrap();
}

/// docs/metrics.schema.json.
fn committed_schema() -> serde_json::Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/metrics.schema.json");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let made = crate::metrics::json_schema();
    let fresh = std::env::temp_dir().join("metrics.schema.json");
    if committed_schema() != made {
        std::fs::write(&fresh, format!("{made:#}\n")).unwrap();
        panic!("docs/metrics.schema.json is not current; the schema of today is in {}", fresh.display());
    }
}

#[test]
fn metrics_of_real_pipelines_fit_the_schema_and_can_be_read_back() {
    let schema = jsonschema::validator_for(&committed_schema()).unwrap();
    let runtime = TestRuntime::new().with("Fails", PayloadKind::Any, |_, _, packet, _| {
        if packet.pts_ns < 3 { Ok(()) } else { Err(NodeError::new(ErrorKind::Transient, "now and then")) }
    });
    let two = [("a", "Pass"), ("b", "Fails")];
    let mut told = vec![
        run(&runtime, &manifest(&two, &[("a", "=>b")]), numbers(0..9).collect()),
        run(&runtime, &manifest(&two, &[("a", "b")]), Vec::new()),
    ];
    let mut guarded = manifest(&two[1..], &[]);
    guarded.nodes[0].circuit_breaker = Some(serde_json::from_value(json!({})).unwrap());
    guarded.nodes[0].on_error = remotemedia_core::manifest::OnError::Skip;
    told.push(run(&runtime, &guarded, numbers(0..20).collect()));
    assert!(told[2].node_metrics[0].policies.breaker.is_some());
    for metrics in told {
        let value = serde_json::to_value(&metrics).unwrap();
        let faults: Vec<String> = schema.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, [""; 0]);
        let again: Metrics = serde_json::from_value(value).unwrap();
        assert_eq!(again.node_metrics, metrics.node_metrics);
        assert_eq!(again.schema_version, crate::metrics::SCHEMA_VERSION);
    }
}

/// What programs written against the older format read: see COMPAT of the format, PipelineMetrics::to_json.
#[test]
fn every_field_of_the_older_format_is_there_with_its_meaning() {
    let runtime = TestRuntime::new();
    let metrics = run(&runtime, &manifest(&[("a", "Pass")], &[]), numbers(0..4).collect());
    let value = serde_json::to_value(&metrics).unwrap();
    for name in [
        "pipeline_id",
        "total_executions",
        "total_duration_us",
        "total_duration_ms",
        "peak_memory_bytes",
        "peak_memory_mb",
        "node_metrics",
        "metrics_overhead_us",
    ] {
        assert!(!value[name].is_null(), "{name}");
    }
    let number = |value: &serde_json::Value, name: &str| value[name].as_f64().unwrap();
    assert_eq!(number(&value, "total_executions"), 1.0);
    assert!(
        (number(&value, "total_duration_us") - 1_000.0 * number(&value, "total_duration_ms")).abs() < 1e-6
    );
    let peak_mb = number(&value, "peak_memory_bytes") / 1_048_576.0;
    assert!(peak_mb > 1.0 && (number(&value, "peak_memory_mb") - peak_mb).abs() < 1e-6);
    assert!(number(&value, "metrics_overhead_us") > 0.0);
    let node = &value["node_metrics"][0];
    assert_eq!(node["node_id"], "a");
    assert_eq!(
        [4.0, 4.0, 0.0],
        ["execution_count", "success_count", "error_count"].map(|name| number(node, name))
    );
    assert_eq!(number(node, "success_rate"), 1.0);
    let [total, avg, min, max] =
        ["total", "avg", "min", "max"].map(|name| number(node, &format!("{name}_duration_us")));
    assert!(min <= avg && avg <= max && max <= total, "{min} {avg} {max} {total}");
    assert!((avg - total / 4.0).abs() < 1e-9);
}
