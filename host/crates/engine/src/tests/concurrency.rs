//! Branches that a queue separates run at the same time; full queues slow the producer down.

use std::sync::{Arc, Barrier, mpsc};

use remotemedia_core::manifest::QueueSpec;
use remotemedia_core::{Packet, PayloadKind};
use serde_json::json;

use super::{TestRuntime, manifest, numbers, values};
use crate::PipelineOptions;

#[test]
fn heavy_branches_of_a_fan_out_run_at_the_same_time() {
    // Both nodes meet at a barrier inside their call: one after the other they would wait for ever.
    let barrier = Arc::new(Barrier::new(2));
    let runtime = TestRuntime::new()
        .with("Meet", PayloadKind::Any, move |_, _, packet, out| {
            barrier.wait();
            out.push(packet);
            Ok(())
        })
        .describing("Meet", |descriptor| descriptor.heavy = true);
    let manifest = manifest(
        &[("s", "Pass"), ("l", "Meet"), ("r", "Meet"), ("m", "Tag")],
        &[("s", "l"), ("s", "r"), ("l", "m"), ("r", "m")],
    );
    let outputs = runtime.start(&manifest).run(numbers(0..50).map(|p| ("s", p))).unwrap();
    let expected: Vec<_> = (0..50).flat_map(|n| [json!([n, "m"]), json!([n, "m"])]).collect();
    let got: Vec<_> = values(&manifest, &outputs).into_iter().map(|(_, value)| value).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_full_queue_holds_no_more_than_the_manifest_says() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let runtime = TestRuntime::new().with("Gate", PayloadKind::Any, move |_, _, packet, out| {
        gate.lock().unwrap().recv().unwrap();
        out.push(packet);
        Ok(())
    });
    let mut manifest = manifest(&[("a", "Pass"), ("g", "Gate")], &[("a", "=>g")]);
    manifest.connections[0].queue = Some(QueueSpec { max_packets: 4, ..QueueSpec::default() });
    let mut pipeline = runtime.start(&manifest);
    let feeder = std::thread::spawn(move || {
        for packet in numbers(0..100) {
            pipeline.feed("a", packet).unwrap();
        }
        pipeline.finish().unwrap();
        let mut count = 0;
        while pipeline.next().unwrap().is_some() {
            count += 1;
        }
        (count, pipeline.metrics())
    });
    for _ in 0..100 {
        open.send(()).unwrap();
    }
    let (count, metrics) = feeder.join().unwrap();
    assert_eq!(count, 100);
    let queue = &metrics.queue_metrics[0];
    assert!(queue.high_water_packets <= 4, "{queue:?}");
    assert_eq!(queue.dropped, 0);
}

#[test]
fn bounded_outputs_make_the_sinks_wait_for_the_reader() {
    let options = PipelineOptions { max_waiting_outputs: Some(2), ..Default::default() };
    let runtime = TestRuntime { own_thread: true, ..TestRuntime::new() };
    let manifest = manifest(&[("a", "Pass")], &[]);
    let mut pipeline = runtime.start_with(&manifest, options);
    for packet in numbers(0..20) {
        pipeline.feed("a", packet).unwrap();
    }
    pipeline.finish().unwrap();
    let mut taken = Vec::new();
    while let Some(output) = pipeline.next().unwrap() {
        taken.push(output.packet.pts_ns);
    }
    assert!(taken.iter().copied().eq(0..20));
}

#[test]
fn packets_dropped_by_a_declared_policy_are_counted() {
    let barrier = Arc::new(Barrier::new(2));
    let node_barrier = Arc::clone(&barrier);
    let runtime = TestRuntime::new().with("Hold", PayloadKind::Any, move |_, _, packet, out| {
        if packet.pts_ns == 0 {
            node_barrier.wait();
            node_barrier.wait();
        }
        out.push(packet);
        Ok(())
    });
    let mut manifest = manifest(&[("a", "Pass"), ("h", "Hold")], &[("a", "=>h")]);
    manifest.connections[0].queue =
        Some(serde_json::from_value(json!({"max_packets": 2, "on_full": "drop_oldest"})).unwrap());
    let mut pipeline = runtime.start(&manifest);
    pipeline.feed("a", Packet::new(0, json!(0))).unwrap();
    barrier.wait(); // the consumer holds packet 0 now
    for packet in numbers(1..10) {
        pipeline.feed("a", packet).unwrap();
    }
    barrier.wait();
    let kept: Vec<_> = pipeline.run([]).unwrap().iter().map(|output| output.packet.pts_ns).collect();
    assert_eq!(kept, [0, 8, 9]);
    assert_eq!(pipeline.metrics().queue_metrics[0].dropped, 7);
}
