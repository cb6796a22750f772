//! What a thousand live wasm nodes cost: memory per node, and making one more at that density, of our nodes and of
//! bare wasmtime instances of the same component in turn. Every measurement has a process of its own, so that none
//! uses what another one left behind. Also: how long a fresh process needs until a node of a cached component is ready, in
//! Rust, in Python, and of a Python class.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must stop")]
#![expect(clippy::print_stdout, reason = "the numbers are its result")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use remotemedia_core::{AudioBuffer, Node, NodeManifest, Outputs, Packet, Port, Runtime, RuntimeKind};
use remotemedia_host::{Config, Host};

mod bare;

/// Nodes alive at once: as many as the default policy allows.
const NODES: usize = 1_000;
/// Nodes that are dropped and made anew at that density.
const CHURN: usize = 4_000;
/// 20 ms of mono at 48 kHz.
const SAMPLES: usize = 960;
/// Every measurement is taken so often.
const ROUNDS: usize = 3;

fn main() {
    let cache_dir = || PathBuf::from(std::env::args().nth(2).unwrap());
    let number = || std::env::args().nth(3).unwrap().parse::<usize>().unwrap();
    match std::env::args().nth(1).as_deref() {
        Some("bare") => {
            let compiled = bare::Compiled::new(&component(), NODES as u32).unwrap();
            let silence = vec![0_u8; SAMPLES * 4];
            measure("bare wasmtime", || {
                let mut gain = compiled.start().unwrap();
                assert_eq!(gain.call(&silence).unwrap().len(), SAMPLES * 4);
                gain
            });
        }
        Some("nodes") => {
            let runtime = runtime(RuntimeKind::Wasm, None);
            let gain = guest("gain");
            measure("our nodes", || ready_node(&*runtime, &gain));
        }
        Some("cached") => {
            let (name, kind, node) = of_cached_code().swap_remove(number());
            let (began, cpu_began) = (Instant::now(), process_cpu_ns());
            let node = ready_node(&*runtime(kind, Some(cache_dir())), &node);
            let (wall_ms, cpu_ns) = (began.elapsed().as_secs_f64() * 1e3, process_cpu_ns() - cpu_began);
            println!("{name} ready in {wall_ms:.2} ms, processor time {:.2} ms", cpu_ns as f64 / 1e6);
            drop(node);
        }
        _ => every_measurement(),
    }
}

fn every_measurement() {
    println!(
        "{}",
        std::fs::read_to_string("/proc/loadavg")
            .map_or_else(|_| String::new(), |load| format!("load {load}"))
    );
    let cache = std::env::temp_dir().join(format!("remotemedia-density-{}", std::process::id()));
    let cached = || {
        let numbers = 0..of_cached_code().len();
        let lines = numbers.map(|number| child(&["cached", cache.to_str().unwrap(), &number.to_string()]));
        lines.collect::<String>()
    };
    // The first run fills the cache.
    cached();
    for _ in 0..ROUNDS {
        print!("{}", child(&["bare"]));
        print!("{}", child(&["nodes"]));
        print!("{}", cached());
    }
    std::fs::remove_dir_all(cache).unwrap();
}

fn child(args: &[&str]) -> String {
    let output = Command::new(std::env::current_exe().unwrap()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Fills up to [`NODES`], then replaces one after the other.
fn measure<T>(name: &str, make: impl Fn() -> T) {
    // What is there once, however many nodes follow: code, tables, the allocator's first pages.
    let mut live = vec![make()];
    let before = Memory::now();
    let (mut filling, mut churning) = (Times::default(), Times::default());
    while live.len() < NODES {
        filling.take(|| live.push(make()));
    }
    let filled = Memory::now().per_node_since(&before);
    for turn in 0..CHURN {
        // Spread, so that slots are not simply taken in turn.
        drop(live.swap_remove(turn * 7_919 % NODES));
        churning.take(|| live.push(make()));
    }
    let churned = Memory::now().per_node_since(&before);
    println!("{name}\n  KiB per node: {filled}\n  KiB per node after {CHURN} replacements: {churned}");
    println!("  create + first call while filling: {}", filling.shown());
    println!("  create + first call at {NODES} live: {}", churning.shown());
}

/// How long something took, by the clock and in processor time of this thread, in nanoseconds. The second does not
/// count what a busy machine did meanwhile.
struct Times {
    wall: Histogram<u64>,
    cpu: Histogram<u64>,
}

impl Default for Times {
    fn default() -> Self {
        let wall = Histogram::new_with_max(u64::MAX >> 16, 3).unwrap();
        Self { cpu: wall.clone(), wall }
    }
}

impl Times {
    fn take(&mut self, body: impl FnOnce()) {
        let (began, cpu_began) = (Instant::now(), thread_cpu_ns());
        body();
        self.cpu.record(thread_cpu_ns() - cpu_began).unwrap();
        self.wall.record(began.elapsed().as_nanos() as u64).unwrap();
    }

    fn shown(&self) -> String {
        let us = |times: &Histogram<u64>| {
            let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
            format!("p50 {:.1} µs, p99 {:.1} µs", at(0.5), at(0.99))
        };
        format!("processor time {}; by the clock {}", us(&self.cpu), us(&self.wall))
    }
}

fn thread_cpu_ns() -> u64 {
    cpu_ns(rustix::time::ClockId::ThreadCPUTime)
}

fn process_cpu_ns() -> u64 {
    cpu_ns(rustix::time::ClockId::ProcessCPUTime)
}

fn cpu_ns(clock: rustix::time::ClockId) -> u64 {
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap().as_nanos() as u64
}

/// Memory of this process, in KiB.
struct Memory {
    /// All that is mapped and present: a page that a thousand nodes share counts a thousand times.
    resident: f64,
    /// The same with every shared page counted once, divided among those who map it: what nodes really take.
    proportional: f64,
    /// Of that, what was written to.
    private: f64,
    page_tables: f64,
}

impl Memory {
    fn now() -> Self {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: f64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let line = |text: &str, name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Self {
            resident: pages * 4.0,
            proportional: line(&rollup, "Pss:"),
            private: line(&status, "RssAnon:"),
            page_tables: line(&status, "VmPTE:"),
        }
    }

    fn per_node_since(&self, before: &Self) -> String {
        let each = |now: f64, then: f64| (now - then) / (NODES - 1) as f64;
        format!(
            "RSS {:.1}, with shared pages counted once {:.1}, written to {:.1}; page tables {:.1}",
            each(self.resident, before.resident),
            each(self.proportional, before.proportional),
            each(self.private, before.private),
            each(self.page_tables, before.page_tables)
        )
    }
}

fn component() -> PathBuf {
    built("gain")
}

fn built(guest: &str) -> PathBuf {
    let file = repository().join("target/guests").join(guest).with_extension("wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    file
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A node of a guest that is called `gain`, whatever it is written in.
fn guest(file: &str) -> NodeManifest {
    let mut node = NodeManifest::new("gain", "gain");
    node.component = Some(built(file).into());
    node
}

/// What the compile cache is measured with.
fn of_cached_code() -> Vec<(&'static str, RuntimeKind, NodeManifest)> {
    let mut class = NodeManifest::new("gain", "nodes:Gain");
    class.base_dir = repository().join("tests/conformance");
    vec![
        ("cached component (Rust)", RuntimeKind::Wasm, guest("gain")),
        ("cached component (Python)", RuntimeKind::Wasm, guest("gain-python")),
        ("cached cpython_wasm, with a class,", RuntimeKind::CpythonWasm, class),
    ]
}

fn runtime(kind: RuntimeKind, cache_dir: Option<PathBuf>) -> Arc<dyn Runtime> {
    let host =
        Host::new(Config { cache_dir, python_runner: vec![built("python-runner")], ..Config::default() });
    Arc::clone(host.runtimes().get(kind).unwrap())
}

/// A node that has processed its first packet.
fn ready_node(runtime: &dyn Runtime, manifest: &NodeManifest) -> Box<dyn Node> {
    let mut node = runtime.create(manifest).unwrap();
    node.initialize().unwrap();
    let silence = AudioBuffer::from_f32(48_000, 1, vec![0.0; SAMPLES]).unwrap();
    let mut out = Outputs::new();
    node.process(Port::FIRST, Packet::new(0, silence), &mut out).unwrap();
    assert_eq!(out.len(), 1);
    node
}
