//! How well runaways are contained: a hundred sessions, each with a thread and a pipeline of its own, send 20 ms of
//! audio through the guest `gain` every 20 ms, while runaways spin, are stopped, and are made anew. Prints how long
//! stopping takes and how late the siblings are, first on all cores, then with the process pinned to one.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the numbers are its result")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use remotemedia_core::manifest::{Manifest, Metadata, Version};
use remotemedia_core::{AudioBuffer, ErrorKind, NodeManifest, Packet};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};
use serde_json::json;

const SIBLINGS: u32 = 100;
const BLOCK: Duration = Duration::from_millis(20);
/// Mono samples of a block at 48 kHz.
const SAMPLES: usize = 960;
/// Blocks of each sibling: half a minute.
const BLOCKS: u32 = 1_500;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("run") => {
            let runaways: usize = std::env::args().nth(2).unwrap().parse().unwrap();
            run(runaways);
        }
        _ => {
            for runaways in ["0", "1", "2"] {
                print!("{}", child(&[], runaways));
                print!("{}", child(&["taskset", "-c", first_core().as_str()], runaways));
            }
        }
    }
}

/// This bench again, started by `through`.
fn child(through: &[&str], runaways: &str) -> String {
    let exe = std::env::current_exe().unwrap();
    let words: Vec<&str> = through.iter().copied().chain([exe.to_str().unwrap(), "run", runaways]).collect();
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output =
        output.unwrap_or_else(|error| fail(&format!("{}: {error} (taskset is in util-linux)", words[0])));
    if !output.status.success() {
        fail(&String::from_utf8_lossy(&output.stderr));
    }
    let place = if through.is_empty() { "all cores" } else { "one core" };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    format!(
        "{place}, {runaways} runaways at once (load {}):\n{}",
        load.trim(),
        String::from_utf8_lossy(&output.stdout)
    )
}

#[expect(clippy::panic, reason = "a bench that cannot be set up must stop")]
fn fail(why: &str) -> ! {
    panic!("{why}")
}

/// The first core that this process may use.
fn first_core() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().split([',', '-']).next().unwrap().to_owned()
}

fn run(runaways: usize) {
    let host = Host::new(Config::default());
    let done = AtomicBool::new(false);
    let start = Instant::now();
    let (lateness, kills, given) = thread::scope(|scope| {
        let (host, done) = (&host, &done);
        // Everything that is compiled is compiled before the first block is due.
        let pipelines: Vec<Pipeline> = (0..SIBLINGS).map(|_| sibling(host)).collect();
        drop(runaway(host));
        let first_due = Instant::now() + BLOCK;
        let siblings: Vec<_> = (0..SIBLINGS)
            .zip(pipelines)
            .map(|(number, pipeline)| {
                scope.spawn(move || keep_time(pipeline, first_due + BLOCK * number / SIBLINGS))
            })
            .collect();
        let runaways: Vec<_> = (0..runaways).map(|_| scope.spawn(|| run_away(host, done))).collect();
        let lateness = merged(siblings.into_iter().map(|sibling| sibling.join().unwrap()));
        done.store(true, Ordering::Relaxed);
        let (kills, given): (Vec<_>, Vec<_>) =
            runaways.into_iter().map(|runaway| runaway.join().unwrap()).unzip();
        (lateness, merged(kills), merged(given))
    });
    let missed = |blocks: u32| {
        let missed: u64 = lateness
            .iter_recorded()
            .filter(|late| u128::from(late.value_iterated_to()) > (BLOCK * blocks).as_micros())
            .map(|late| late.count_since_last_iteration())
            .sum();
        format!("{missed} of {}", lateness.len())
    };
    println!(
        "  siblings, from due to done: {}; later than one block: {}, than two: {}",
        shown(&lateness),
        missed(1),
        missed(2)
    );
    println!(
        "  the thread that ends calls used {:.1} ms of processor time per second",
        ticker_ms() / start.elapsed().as_secs_f64()
    );
    if !kills.is_empty() {
        println!("  runaways, from call to error: {} ({} stopped)", shown(&kills), kills.len());
        println!("  runaways, processor time: {}", shown(&given));
    }
}

/// Processor time of the thread that ends calls, in milliseconds.
fn ticker_ms() -> f64 {
    let mut threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let is_ticker = |name: &str| name.trim() == "wasm-deadlines";
    let ticker =
        threads.find(|thread| is_ticker(&std::fs::read_to_string(thread.join("comm")).unwrap())).unwrap();
    let schedule = std::fs::read_to_string(ticker.join("schedstat")).unwrap();
    schedule.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// For durations in microseconds.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(1 << 40, 3).unwrap()
}

fn merged(parts: impl IntoIterator<Item = Histogram<u64>>) -> Histogram<u64> {
    let mut all = histogram();
    parts.into_iter().for_each(|part| all.add(part).unwrap());
    all
}

/// One session: a block every 20 ms. How late each was done, in microseconds after it was due.
fn keep_time(mut pipeline: Pipeline, start: Instant) -> Histogram<u64> {
    let mut lateness = histogram();
    for block in 0..BLOCKS {
        let due = start + BLOCK * block;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let audio = AudioBuffer::from_f32(48_000, 1, vec![0.5; SAMPLES]).unwrap();
        pipeline.feed("n", Packet::new(0, audio)).unwrap();
        assert!(pipeline.try_next().unwrap().is_some(), "gain gives a packet for a packet");
        lateness.record(due.elapsed().as_micros() as u64).unwrap();
    }
    lateness
}

/// Runaways, one after the other. How long each call lasted by the clock, and how much processor time it was given,
/// in microseconds.
fn run_away(host: &Host, done: &AtomicBool) -> (Histogram<u64>, Histogram<u64>) {
    let (mut kills, mut given) = (histogram(), histogram());
    while !done.load(Ordering::Relaxed) {
        let mut pipeline = runaway(host);
        let audio = AudioBuffer::from_f32(48_000, 1, vec![0.5; SAMPLES]).unwrap();
        let (began, cpu_began) = (Instant::now(), thread_cpu_us());
        let error = pipeline.feed("n", Packet::new(0, audio)).unwrap_err();
        given.record(thread_cpu_us() - cpu_began).unwrap();
        kills.record(began.elapsed().as_micros() as u64).unwrap();
        assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    }
    (kills, given)
}

fn thread_cpu_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap().as_micros() as u64
}

fn shown(histogram: &Histogram<u64>) -> String {
    let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    format!(
        "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        ms(0.5),
        ms(0.99),
        ms(0.999),
        histogram.max() as f64 / 1e3
    )
}

fn sibling(host: &Host) -> Pipeline {
    pipeline(host, NodeManifest::new("n", "gain"))
}

fn runaway(host: &Host) -> Pipeline {
    pipeline(host, NodeManifest::new("n", "hostile").with_params(json!({"deed": "loop"})))
}

/// A pipeline of one node.
fn pipeline(host: &Host, mut node: NodeManifest) -> Pipeline {
    let guests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/guests");
    let file = guests.join(&node.node_type).with_extension("wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    node.component = Some(file.into());
    let manifest = Manifest {
        version: Version::V1,
        metadata: Metadata { name: "containment".into(), ..Metadata::default() },
        nodes: vec![node],
        connections: Vec::new(),
    };
    let plan = host.plan(&manifest).unwrap();
    host.start(&plan, PipelineOptions::default()).unwrap()
}
