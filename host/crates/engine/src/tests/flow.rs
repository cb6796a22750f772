//! Packets through one thread: order, fan-out, fan-in, ports, taps, flushes.

use std::sync::{Arc, Mutex};

use remotemedia_core::{Packet, Payload, Port};
use serde_json::json;

use super::{TestRuntime, manifest, numbers, two_ports, values};
use crate::PipelineOptions;

#[test]
fn a_chain_hands_every_packet_on_in_order_without_copying_samples() {
    use remotemedia_core::AudioBuffer;
    let manifest = manifest(&[("a", "Pass"), ("b", "Pass"), ("c", "Pass")], &[("a", "b"), ("b", "c")]);
    let audio = AudioBuffer::from_f32(48_000, 1, vec![0.5; 480]).unwrap();
    let memory = audio.as_bytes().as_ptr();
    let packets = (0..3).map(|n| ("a", Packet::new(n, audio.clone())));
    let outputs = TestRuntime::new().start(&manifest).run(packets).unwrap();
    assert_eq!(outputs.iter().map(|output| output.packet.pts_ns).collect::<Vec<_>>(), [0, 1, 2]);
    for output in &outputs {
        let Payload::Audio(audio) = &output.packet.payload else { panic!("{output:?}") };
        assert_eq!(audio.as_bytes().as_ptr(), memory);
    }
}

#[test]
fn fan_out_reaches_every_branch_and_fan_in_merges_in_the_order_of_the_connections() {
    let manifest = manifest(
        &[("s", "Tag"), ("l", "Tag"), ("r", "Tag"), ("m", "Tag")],
        &[("s", "l"), ("s", "r"), ("l", "m"), ("r", "m")],
    );
    let outputs = TestRuntime::new().start(&manifest).run(numbers(0..2).map(|p| ("s", p))).unwrap();
    let got: Vec<_> = values(&manifest, &outputs).into_iter().map(|(_, value)| value).collect();
    assert_eq!(
        got,
        [
            json!([0, "s", "l", "m"]),
            json!([0, "s", "r", "m"]),
            json!([1, "s", "l", "m"]),
            json!([1, "s", "r", "m"])
        ]
    );
}

#[test]
fn packets_arrive_at_the_port_the_connection_names() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_node = Arc::clone(&seen);
    let runtime = TestRuntime::new()
        .with("Two", remotemedia_core::PayloadKind::Any, move |_, port, packet, out| {
            seen_by_node.lock().unwrap().push((port.0, packet.pts_ns));
            out.push_to(Port(1 - port.0), packet);
            Ok(())
        })
        .describing("Two", two_ports);
    let manifest = manifest(
        &[("p", "Pass"), ("q", "Pass"), ("t", "Two"), ("x", "Pass"), ("y", "Pass")],
        &[("p", "t.b"), ("q", "t"), ("t.x", "x"), ("t.y", "y")],
    );
    let mut pipeline = runtime.start(&manifest);
    let outputs = pipeline.run([("p", Packet::new(1, "one")), ("q", Packet::new(2, "two"))]).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(1, 1), (0, 2)]);
    let got: Vec<_> = values(&manifest, &outputs);
    assert_eq!(got, [("x".to_owned(), json!("one")), ("y".to_owned(), json!("two"))]);
}

#[test]
fn only_first_ports_of_sinks_leave_the_graph_unless_tapped() {
    let runtime = TestRuntime::new()
        .with("Two", remotemedia_core::PayloadKind::Any, |_, _, packet, out| {
            out.push_to(Port(0), packet.clone());
            out.push_to(Port(1), packet);
            Ok(())
        })
        .describing("Two", two_ports);
    let manifest = manifest(&[("a", "Two"), ("b", "Two")], &[("a.y", "b.a")]);
    let leaving = |taps: Vec<(usize, Port)>| {
        let mut pipeline = runtime.start_with(&manifest, PipelineOptions { taps, ..Default::default() });
        let outputs = pipeline.run([("a", Packet::new(0, "t"))]).unwrap();
        outputs.iter().map(|output| (output.node, output.port.0)).collect::<Vec<_>>()
    };
    assert_eq!(leaving(vec![]), [(1, 0)]);
    assert_eq!(leaving(vec![(0, Port(0)), (0, Port(1)), (1, Port(1))]), [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn the_end_of_the_stream_flushes_in_topological_order_and_flushed_packets_travel_on() {
    // The manifest lists the nodes against their order.
    let runtime = TestRuntime::new();
    let manifest =
        manifest(&[("c", "Tag"), ("b", "Last"), ("a", "Last")], &[("b", "c"), ("a", "b"), ("a", "c")]);
    let outputs = runtime.start(&manifest).run(numbers(0..5).map(|p| ("a", p))).unwrap();
    assert_eq!(runtime.verbs("flush"), ["a", "b", "c"]);
    assert_eq!(runtime.verbs("cleanup"), ["c", "b", "a"]);
    let got: Vec<_> = values(&manifest, &outputs).into_iter().map(|(_, value)| value).collect();
    assert_eq!(got, [json!(["a flushed", "c"]), json!(["b flushed", "c"])]);
}

#[test]
fn a_chain_of_ten_thousand_nodes_runs_without_recursion() {
    let ids: Vec<String> = (0..10_000).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = ids.iter().map(|id| (id.as_str(), "Pass")).collect();
    let connections: Vec<_> = ids.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let manifest = manifest(&nodes, &connections);
    let mut pipeline =
        TestRuntime::new().start_with(&manifest, PipelineOptions { metrics: false, ..Default::default() });
    assert_eq!(pipeline.run([("n0", Packet::new(7, "through"))]).unwrap()[0].packet.pts_ns, 7);
}

#[test]
fn feed_and_next_work_packet_by_packet() {
    let manifest = manifest(&[("a", "Tag"), ("b", "Tag")], &[("a", "b")]);
    let mut pipeline = TestRuntime::new().start(&manifest);
    assert!(pipeline.next().unwrap().is_none(), "nothing was fed yet");
    for packet in numbers(0..3) {
        let pts_ns = packet.pts_ns;
        pipeline.feed("a", packet).unwrap();
        assert_eq!(pipeline.next().unwrap().unwrap().packet.pts_ns, pts_ns);
    }
    pipeline.finish().unwrap();
    assert!(pipeline.next().unwrap().is_none());
    assert!(pipeline.feed("a", Packet::new(9, json!(9))).unwrap_err().message.contains("finished"));
}

#[test]
fn metrics_count_calls_packets_and_who_served_them() {
    for own_thread in [false, true] {
        let runtime = TestRuntime { own_thread, ..TestRuntime::new() };
        let manifest = manifest(&[("a", "Pass"), ("b", "Last")], &[("a", "=>b")]);
        let mut pipeline = runtime.start(&manifest);
        pipeline.run(numbers(0..10).map(|p| ("a", p))).unwrap();
        let metrics = pipeline.metrics();
        let counts: Vec<_> = metrics
            .node_metrics
            .iter()
            .map(|node| (node.node_id.as_str(), node.packets_in, node.packets_out, node.served_by.name()))
            .collect();
        assert_eq!(counts, [("a", 10, 10, "native"), ("b", 10, 1, "native")]);
        let (fed, joined): (Vec<_>, Vec<_>) =
            metrics.queue_metrics.iter().partition(|queue| queue.from.is_none());
        assert_eq!((fed.len(), joined.len()), (usize::from(own_thread), 1));
        assert!(joined[0].high_water_packets >= 1);
        assert!(metrics.total_duration_us > 0.0 && metrics.metrics_overhead_us > 0.0);
    }
}
