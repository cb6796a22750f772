//! A pipeline that cannot keep up: files wait, live sources drop what is too old, and memory stays flat. The time is the
//! tests' own.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

use remotemedia_core::{AudioBuffer, Foreign, Manifest, Packet, PayloadKind};
use serde_json::{Value, json};

use super::{TestRuntime, manifest, numbers};
use crate::{Pipeline, PipelineOptions};

const PACKET_MS: u64 = 20;

/// Three times what a packet lasts.
const CALL_MS: u64 = 60;

const TEN_MINUTES_MS: u64 = 10 * 60 * 1_000;

#[derive(Default)]
struct Now {
    ms: u64,
    started: usize,
}

/// The clock, and the node that takes its time by it.
#[derive(Default)]
struct SlowNode {
    now: Mutex<Now>,
    moved: Condvar,
}

impl SlowNode {
    /// A call: begins now, ends when the clock says so.
    fn call(&self) {
        let mut now = self.now.lock().unwrap();
        now.started += 1;
        self.moved.notify_all();
        let done_ms = now.ms.saturating_add(CALL_MS);
        drop(self.moved.wait_while(now, |now| now.ms < done_ms).unwrap());
    }

    fn set(&self, ms: u64) {
        self.now.lock().unwrap().ms = ms;
        self.moved.notify_all();
    }

    /// Waits until so many calls have begun.
    fn wait_started(&self, calls: usize) {
        drop(self.moved.wait_while(self.now.lock().unwrap(), |now| now.started < calls).unwrap());
    }
}

/// `Mic` → `Slow`, with `live` of the first.
fn slow_pipeline(live: Value, options: PipelineOptions) -> (Arc<SlowNode>, Pipeline) {
    let slow = Arc::new(SlowNode::default());
    let node = Arc::clone(&slow);
    let runtime = TestRuntime::new().with("Slow", PayloadKind::Any, move |_, _, packet, out| {
        node.call();
        out.push(packet);
        Ok(())
    });
    (slow, runtime.start_with(&live_manifest(&[("mic", "Pass"), ("slow", "Slow")], live), options))
}

/// A chain, the first node of which is so live.
fn live_manifest(nodes: &[(&str, &str)], live: Value) -> Manifest {
    let connections: Vec<_> = nodes.windows(2).map(|pair| (pair[0].0, pair[1].0)).collect();
    let mut manifest = manifest(nodes, &connections);
    manifest.nodes[0].live = serde_json::from_value(live).unwrap();
    manifest
}

/// Packet `number` of a microphone: 20 ms at 8 kHz.
fn microphone(number: u64) -> Packet {
    let pts_ns = i64::try_from(number * PACKET_MS * 1_000_000).unwrap();
    Packet::new(pts_ns, AudioBuffer::from_f32(8_000, 1, vec![0.0; 160]).unwrap())
}

/// Samples that are counted as long as anything holds them.
struct Counted {
    samples: Vec<f32>,
    _held: Arc<()>,
}

impl Foreign<f32> for Counted {
    fn as_slice(&self) -> &[f32] {
        &self.samples
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The same packet, whose samples count in `held`.
fn counted(number: u64, held: &Arc<()>) -> Packet {
    let samples = Counted { samples: vec![0.0; 160], _held: Arc::clone(held) };
    Packet { payload: AudioBuffer::from_foreign(8_000, 1, samples).unwrap().into(), ..microphone(number) }
}

/// One server with a queue of `room` packets that drops the oldest, in steps of a packet: what the engine must do.
#[derive(Default)]
struct Model {
    room: usize,
    waiting: VecDeque<u64>,
    free_ms: u64,
    started: Vec<u64>,
    dropped: u64,
}

impl Model {
    /// What happens before packet `number` comes.
    fn before(&mut self, number: u64) {
        if self.free_ms <= number * PACKET_MS
            && let Some(next) = self.waiting.pop_front()
        {
            self.start(next, number);
        }
    }

    fn comes(&mut self, number: u64) {
        if self.free_ms <= number * PACKET_MS {
            self.start(number, number);
            return;
        }
        if self.waiting.len() == self.room {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(number);
    }

    fn start(&mut self, packet: u64, number: u64) {
        self.started.push(packet);
        self.free_ms = number * PACKET_MS + CALL_MS;
    }
}

#[test]
fn ten_minutes_into_a_node_three_times_too_slow_drop_two_thirds_and_nothing_grows() {
    let (slow, mut pipeline) = slow_pipeline(json!(true), PipelineOptions::default());
    // A second of audio waits by default.
    let mut model = Model { room: 50, ..Model::default() };
    let mut taken = Vec::new();
    let held = Arc::new(());
    for number in 0..TEN_MINUTES_MS / PACKET_MS {
        slow.set(number * PACKET_MS);
        model.before(number);
        slow.wait_started(model.started.len());
        pipeline.feed("mic", counted(number, &held)).unwrap();
        model.comes(number);
        slow.wait_started(model.started.len());
        while let Some(output) = pipeline.try_next().unwrap() {
            taken.push(output.packet.pts_ns);
        }
        // Of all that was fed, the pipeline holds what waits and what is in the call; two more may be on their way between threads.
        let held = Arc::strong_count(&held) - 1;
        assert!(held <= 53, "{held} packets are held when packet {number} has come");
    }
    pipeline.finish().unwrap();
    // The end of the stream: what waits is still served.
    slow.set(u64::MAX);
    while let Some(output) = pipeline.next().unwrap() {
        taken.push(output.packet.pts_ns);
    }
    model.started.extend(model.waiting.drain(..));
    let expected: Vec<_> = model.started.iter().map(|&number| microphone(number).pts_ns).collect();
    assert_eq!(taken, expected);
    let metrics = pipeline.metrics();
    assert_eq!(Arc::strong_count(&held), 1, "a packet was kept for good");
    let [queue] = &metrics.queue_metrics[..] else { panic!("one queue: {:?}", metrics.queue_metrics) };
    assert_eq!((queue.from.as_deref(), queue.to.as_str()), (None, "mic"));
    assert_eq!((queue.dropped, queue.high_water_packets), (model.dropped, 50));
    // 30,000 came in ten minutes of which the node could take a third.
    assert!((19_940..=20_000).contains(&queue.dropped), "{queue:?}");
}

#[test]
fn what_waits_is_bounded_as_the_manifest_says_and_the_newest_may_be_what_is_dropped() {
    let live = json!({"max_ms": 100, "max_packets": 3, "on_full": "drop_newest"});
    let (slow, mut pipeline) = slow_pipeline(live, PipelineOptions::default());
    pipeline.feed("mic", microphone(0)).unwrap();
    slow.wait_started(1);
    (1..10).for_each(|number| pipeline.feed("mic", microphone(number)).unwrap());
    pipeline.finish().unwrap();
    slow.set(u64::MAX);
    let taken: Vec<_> = std::iter::from_fn(|| pipeline.next().unwrap()).collect();
    let expected = (0..4).map(|number| microphone(number).pts_ns);
    assert!(taken.iter().map(|output| output.packet.pts_ns).eq(expected));
    assert_eq!(pipeline.metrics().queue_metrics[0].dropped, 6);
}

#[test]
fn a_live_pipeline_of_which_nobody_takes_anything_holds_no_more_than_its_bounds() {
    let runtime = TestRuntime::new();
    let mut pipeline = runtime.start(&live_manifest(&[("mic", "Pass"), ("z", "Pass")], json!(true)));
    // Numbers have no duration, so the count of packets is what bounds them. An hour of 10 ms.
    const FED: i64 = 360_000;
    numbers(0..FED).for_each(|packet| pipeline.feed("mic", packet).unwrap());
    pipeline.finish().unwrap();
    let taken = std::iter::from_fn(|| pipeline.next().unwrap()).count();
    // At most 1,024 wait as outputs, 1,024 before the source, and one is on its way.
    assert!((1_024..=2_049).contains(&taken), "{taken}");
    let queue = &pipeline.metrics().queue_metrics[0];
    assert_eq!((queue.high_water_packets, queue.dropped), (1_024, (FED - taken as i64) as u64));
}

#[test]
fn a_source_that_is_not_live_waits_for_a_slow_node_and_loses_nothing() {
    // The same manifest, with input that can wait.
    let options = PipelineOptions { live: false, ..PipelineOptions::default() };
    let (slow, mut pipeline) = slow_pipeline(json!(true), options);
    const PACKETS: u64 = 1_000;
    let feeding = std::thread::spawn(move || {
        (0..PACKETS).for_each(|number| pipeline.feed("mic", microphone(number)).unwrap());
        pipeline.finish().unwrap();
        let taken: Vec<_> = std::iter::from_fn(|| pipeline.next().unwrap()).collect();
        (taken.len(), pipeline.metrics())
    });
    for call in 1..=PACKETS {
        slow.wait_started(call as usize);
        slow.set(call * CALL_MS);
    }
    let (taken, metrics) = feeding.join().unwrap();
    assert_eq!(taken as u64, PACKETS);
    assert!(metrics.queue_metrics.iter().all(|queue| queue.dropped == 0 && queue.high_water_packets <= 64));
}

#[test]
fn a_live_source_has_a_stage_of_its_own_so_that_it_holds_up_no_other_source() {
    let mut manifest =
        manifest(&[("mic", "Pass"), ("music", "Pass"), ("mix", "Pass")], &[("mic", "mix"), ("music", "mix")]);
    manifest.nodes[0].live = serde_json::from_value(json!(true)).unwrap();
    let plan = TestRuntime::new().plan(&manifest);
    let [mic, music, mix] = [0, 1, 2].map(|node| plan.stages().of(node));
    assert!(mic != music && mic != mix && music != mix);
    let mut pipeline = TestRuntime::new().start(&manifest);
    for packet in numbers(0..5) {
        pipeline.feed("mic", packet.clone()).unwrap();
        pipeline.feed("music", packet).unwrap();
    }
    pipeline.finish().unwrap();
    let taken: Vec<_> =
        std::iter::from_fn(|| pipeline.next().unwrap()).map(|output| output.packet.pts_ns).collect();
    assert_eq!(taken, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
}
