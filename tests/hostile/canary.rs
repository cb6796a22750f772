//! A harmless pipeline that plays beside the attacks, and whether it keeps time: a block of 20 ms every 20 ms, each
//! finished before the next one is due.
//!
//! How that is judged without blaming the host for a busy machine: for every block the kernel tells how long the
//! canary's thread was ready to run but had no processor (`/proc/thread-self/schedstat`). What remains of the
//! block's time is the canary's own work and everything it waited for: locks, page faults, memory maps that somebody
//! else changes, in short all that an attack could do to it through the host. That must stay below 20 ms. How long
//! it waited for a processor is compared with a second thread, the control, which keeps the same time and never
//! calls the host: the canary may not fare worse than that one. How quickly a spinning guest gives its processor
//! back is measured by the bench `containment`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remotemedia_core::{NodeManifest, Packet, Payload};
use remotemedia_engine::PipelineOptions;
use remotemedia_host::Host;
use serde_json::json;

use super::trial::{block, chain, guest};

/// The length of a block, and the time there is for it.
const BEAT: Duration = Duration::from_millis(20);

/// How a thread kept time.
#[derive(Debug, Default)]
pub struct Beats {
    /// Blocks played.
    pub played: usize,
    /// How often two blocks in a row were late, not counting the time without a processor.
    pub held_up: usize,
    /// How often two blocks in a row were late by the clock.
    pub late: usize,
    /// The longest block, not counting the time without a processor.
    pub longest: Duration,
    /// The longest block by the clock.
    pub longest_by_the_clock: Duration,
}

/// The two threads.
pub struct Canary {
    stop: Arc<AtomicBool>,
    sings: JoinHandle<Beats>,
    control: JoinHandle<Beats>,
}

impl Canary {
    /// Starts both. The first block has been played when this returns.
    pub fn start(host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut node = NodeManifest::new("canary", "gain").with_params(json!({"gain_db": 20}));
        node.component = Some(guest("gain").into());
        let plan = host.plan(&chain(vec![node])).unwrap();
        let mut pipeline = host.start(&plan, PipelineOptions::default()).unwrap();
        let mut time_ns = 0;
        let mut sing = move || {
            pipeline.feed("canary", Packet::new(time_ns, block())).unwrap();
            let output = pipeline.try_next().unwrap().expect("one block for one block");
            let Payload::Audio(audio) = &output.packet.payload else { panic!("{output:?}") };
            assert_eq!((output.packet.pts_ns, audio.as_f32().unwrap()), (time_ns, &[5.0; 960][..]));
            time_ns += 20_000_000;
        };
        sing();
        let mut samples = [0.5_f32; 960];
        let compute =
            move || samples.iter_mut().for_each(|sample| *sample = std::hint::black_box(*sample * 0.999));
        let (canary_stop, control_stop) = (Arc::clone(&stop), Arc::clone(&stop));
        Self {
            sings: std::thread::spawn(move || keep_time(&canary_stop, sing)),
            control: std::thread::spawn(move || keep_time(&control_stop, compute)),
            stop,
        }
    }

    /// Ends both: how the canary kept time, and the control.
    pub fn end(self) -> (Beats, Beats) {
        self.stop.store(true, Ordering::Release);
        (self.sings.join().unwrap(), self.control.join().unwrap())
    }
}

/// Calls `play` every 20 ms until `stop`.
fn keep_time(stop: &AtomicBool, mut play: impl FnMut()) -> Beats {
    let mut beats = Beats::default();
    let (mut was_held_up, mut was_late) = (false, false);
    let mut due = Instant::now();
    while !stop.load(Ordering::Acquire) {
        due += BEAT;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // After a standstill of the machine the beat begins anew: what was missed cannot be made up for.
        due = due.max(Instant::now() - BEAT);
        let (began, waited) = (Instant::now(), without_a_processor());
        play();
        // Read before the clock: what is taken off lies within what the clock tells.
        let waited = without_a_processor() - waited;
        let by_the_clock = began.elapsed();
        let held_up = by_the_clock.saturating_sub(waited);
        beats.played += 1;
        beats.held_up += usize::from(was_held_up && held_up > BEAT);
        beats.late += usize::from(was_late && by_the_clock > BEAT);
        (was_held_up, was_late) = (held_up > BEAT, by_the_clock > BEAT);
        beats.longest = beats.longest.max(held_up);
        beats.longest_by_the_clock = beats.longest_by_the_clock.max(by_the_clock);
    }
    beats
}

/// How long this thread has been ready to run while no processor was free. Zero for ever on a kernel that does not
/// count it, which makes the judgement stricter.
fn without_a_processor() -> Duration {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited_ns = counts.split_whitespace().nth(1).and_then(|count| count.parse().ok());
    Duration::from_nanos(waited_ns.unwrap_or(0))
}

#[test]
fn the_canary_s_measure_tells_a_lock_from_a_busy_machine() {
    let stop = AtomicBool::new(false);
    let mut calls = 0;
    let held = keep_time(&stop, || {
        calls += 1;
        stop.store(calls == 3, Ordering::Release);
        std::thread::sleep(Duration::from_millis(25));
    });
    assert_eq!((held.played, held.held_up), (3, 2), "{held:?}");
}
