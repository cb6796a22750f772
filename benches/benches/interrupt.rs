//! How long `interrupt` takes under load: two branches of three stages each and their merge, every queue of which is kept full
//! by a thread that feeds and takes. Prints the times of 20,000 interruptions.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the numbers are its result")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use remotemedia_benches::chain;
use remotemedia_core::manifest::{Connection, QueueSpec};
use remotemedia_core::{AudioBuffer, Manifest, NodeManifest, Packet};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};

const INTERRUPTIONS: u32 = 20_000;

/// From one to the next, so that the queues fill up in between.
const PAUSE: Duration = Duration::from_micros(500);

/// 20 ms of mono at 48 kHz.
const SAMPLES: usize = 960;

fn main() {
    let host = Host::new(Config::default());
    let plan = host.plan(&branches()).unwrap();
    // The sinks wait too, so that interruptions find outputs that wait.
    let options = PipelineOptions { max_waiting_outputs: Some(256), ..PipelineOptions::default() };
    let mut pipeline = host.start(&plan, options).unwrap();
    let interrupter = pipeline.interrupter();
    let done = AtomicBool::new(false);
    let times = thread::scope(|scope| {
        let interrupting = scope.spawn(|| {
            let mut times = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).unwrap();
            for _ in 0..INTERRUPTIONS {
                thread::sleep(PAUSE);
                let began = Instant::now();
                interrupter.interrupt();
                times.saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap());
            }
            done.store(true, Ordering::Release);
            times
        });
        feed(&mut pipeline, &done);
        interrupting.join().unwrap()
    });
    pipeline.finish().unwrap();
    while pipeline.next().unwrap().is_some() {}
    let metrics = pipeline.metrics();
    let us = |ns: u64| ns as f64 / 1_000.0;
    println!(
        "interrupt: p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us, max {:.1} us; {} interruptions discarded {} packets",
        us(times.value_at_quantile(0.5)),
        us(times.value_at_quantile(0.99)),
        us(times.value_at_quantile(0.999)),
        us(times.max()),
        metrics.interruptions,
        metrics.interrupted_packets,
    );
}

/// Feeds as fast as the pipeline takes it, and takes what comes out.
fn feed(pipeline: &mut Pipeline, done: &AtomicBool) {
    let audio = AudioBuffer::from_f32(48_000, 1, vec![0.25; SAMPLES]).unwrap();
    while !done.load(Ordering::Acquire) {
        pipeline.feed("n0", Packet::new(0, audio.clone())).unwrap();
        while pipeline.try_next().unwrap().is_some() {}
    }
}

/// `n0` ⇒ `n1` ⇒ `n2` ⇒ `end` and `n0` ⇒ `m1` ⇒ `m2` ⇒ `end`, with a queue on every connection.
fn branches() -> Manifest {
    let mut manifest = chain(3, "AudioGain");
    for id in ["m1", "m2", "end"] {
        manifest.nodes.push(NodeManifest::new(id, "AudioGain"));
    }
    let more = [("n0", "m1"), ("m1", "m2"), ("n2", "end"), ("m2", "end")];
    manifest.connections.extend(more.map(|(from, to)| Connection::new(from, to)));
    for connection in &mut manifest.connections {
        connection.queue = Some(QueueSpec::default());
    }
    manifest
}
