//! Runaways beside sessions that must go on: each is stopped after the processor time that it may use, and no
//! sibling loses a block. `benches/containment.rs` measures what this shows.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use remotemedia_core::{ErrorKind, SandboxPolicy};
use remotemedia_wasm::{WasmConfig, WasmRuntime};
use serde_json::json;

use crate::fixture::{audio, buffer, error_of, manifest, process, start};

const SIBLINGS: usize = 20;
const BLOCK: Duration = Duration::from_millis(20);
const BLOCKS: u32 = 100;

/// Blocks of 20 ms, one every 20 ms; gives back how many were later than a block.
fn keep_time(runtime: &WasmRuntime) -> u32 {
    let mut gain = start(runtime, &manifest("gain", json!({"gain_db": 20}))).unwrap();
    let began = Instant::now();
    let mut late = 0;
    for block in 0..BLOCKS {
        let due = began + BLOCK * block;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let out = process(&mut *gain, audio(48_000, 1, vec![block as f32; 960])).unwrap();
        let scaled = buffer(out.into_iter().next().unwrap().1);
        assert!(scaled.as_f32().unwrap().iter().all(|&sample| sample == block as f32 * 10.0));
        late += u32::from(due.elapsed() > BLOCK);
    }
    late
}

/// Runaways, one after the other: how much processor time each was given.
fn run_away(runtime: &WasmRuntime, done: &AtomicBool) -> Vec<Duration> {
    let mut given = Vec::new();
    while !done.load(Ordering::Relaxed) || given.is_empty() {
        let mut node = start(runtime, &manifest("hostile", json!({"deed": "loop"}))).unwrap();
        let before = thread_time();
        let error = error_of(process(&mut *node, audio(48_000, 1, vec![0.0; 960])));
        given.push(thread_time() - before);
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(error.message.contains("within its limit of 20 ms"), "{error}");
    }
    given
}

fn thread_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

#[test]
fn a_runaway_gets_two_blocks_at_most_and_its_siblings_go_on() {
    let mut policy = SandboxPolicy::default();
    policy.compile.in_process = true;
    let runtime = &WasmRuntime::new(WasmConfig { policy: policy.into(), ..WasmConfig::default() });
    let done = &AtomicBool::new(false);
    let (late, mut given) = thread::scope(|scope| {
        let siblings: Vec<_> = (0..SIBLINGS).map(|_| scope.spawn(|| keep_time(runtime))).collect();
        let runaway = scope.spawn(|| run_away(runtime, done));
        let late: u32 = siblings.into_iter().map(|sibling| sibling.join().unwrap()).sum();
        done.store(true, Ordering::Relaxed);
        (late, runaway.join().unwrap())
    });
    given.sort();
    let (median, most) = (given[given.len() / 2], given[given.len() - 1]);
    println!("{} runaways got {median:?}, at most {most:?}; {late} late blocks", given.len());
    assert!(given[0] >= BLOCK, "a call got only {:?}", given[0]);
    assert!(median <= BLOCK * 2, "half of the calls got more than {median:?}");
    // The thread that stops them must itself get the processor, which a busy machine gives it late.
    assert!(most < Duration::from_secs(1), "a call got {most:?}");
    assert_eq!(runtime.counts().timeouts, given.len() as u64);
    assert_eq!(runtime.counts().unguarded_calls_refused, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn the_same_holds_with_the_process_pinned_to_one_core() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let first = cores.trim().split([',', '-']).next().unwrap();
    let test = "containment::a_runaway_gets_two_blocks_at_most_and_its_siblings_go_on";
    let output = Command::new("taskset")
        .args(["-c", first])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap_or_else(|error| panic!("taskset: {error}; it is in the package util-linux"));
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}
