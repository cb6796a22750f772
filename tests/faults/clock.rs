//! A wall clock that jumps by a year with every look at it. Deadlines, retries, circuits, caches and outputs may not
//! notice: what counts time goes by the monotonic clock.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::job::Job;
use crate::binary::{Done, command, repository};

/// Every look at the wall clock is a year off, forwards and backwards in turn. It is put before the C library.
const JUMPING: &str = r#"
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_int looks;

static long jump(void) {
    long year = 365L * 24 * 3600;
    return atomic_fetch_add(&looks, 1) % 2 ? year : -year;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += jump();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
"#;

/// Flaky fails twice for now, then tells whether the clock jumped under it. Broken never works. Slow is in a call long
/// enough for the watching thread to look at it several times: Quick, beside it, must be looked at every second.
const NODES: &str = "
import time
from remotemedia.core.exceptions import TransientError

class Broken:
    remotemedia_stateless = True
    def process(self, value):
        raise RuntimeError('always')

class Quick:
    def process(self, value):
        return value

class Slow:
    waits = 2.5
    def process(self, value):
        time.sleep(self.waits)
        self.waits = 0
        return value

class Flaky:
    def __init__(self):
        self.failures = 0

    def process(self, value):
        if self.failures < 2:
            self.failures += 1
            raise TransientError('not yet')
        looks = [time.time() for _ in range(4)]
        return [value, max(looks) - min(looks) > 1e7]
";

fn compile(job: &Job) -> PathBuf {
    let library = job.folder().join("jumping.so");
    let source = job.write("jumping.c", JUMPING);
    let done = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output();
    let done = done.expect("a C compiler (`cc`) is needed: run `make setup`");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    library
}

#[test]
fn a_clock_that_jumps_by_a_year_disturbs_no_retry_cache_or_output() {
    let job = Job::new();
    let jumping = compile(&job);
    job.write("nodes.py", NODES);
    let guest = repository().join("target/guests/text-filter.wasm");
    assert!(guest.is_file(), "{} is not there: run `make setup`", guest.display());
    let manifest = json!({
        "version": "v1", "metadata": {"name": "clock"},
        "nodes": [
            {"id": "guest", "node_type": "text-filter", "component": guest, "params": {"trim": true},
             "timeout_ms": 5_000, "retry": {}, "circuit_breaker": {"failures": 1, "cooldown_ms": 60_000}},
            {"id": "python", "node_type": "nodes:Flaky", "timeout_ms": 30_000,
             "retry": {"attempts": 3, "base_ms": 1}, "circuit_breaker": {"failures": 5, "cooldown_ms": 60_000}},
        ],
        "connections": [{"from": "guest", "to": "python"}],
    });
    let (manifest, input) =
        (job.write("clock.json", manifest.to_string()), job.write("in.jsonl", "\" one \"\n\"two\"\n"));
    let out = job.path("out.jsonl");
    let run = |jumps: bool| {
        let mut run = command(&["run", &manifest, "-i", &input, "-o", &out, "--json"]);
        run.env("REMOTEMEDIA_CACHE_DIR", job.path("cache"));
        if jumps {
            run.env("LD_PRELOAD", &jumping);
        }
        let done = Done::from(run.output().unwrap());
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert_eq!(done.stderr, "", "jumps: {jumps}");
        let expected: String = ["one", "two"].map(|word| json!([word, jumps]).to_string() + "\n").concat();
        assert_eq!(fs::read_to_string(&out).unwrap(), expected);
        let metrics = &done.json()["metrics"];
        assert_eq!(metrics["node_metrics"][1]["retries"], 2);
        // A year would be 3e13.
        let total = metrics["node_metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["total_duration_us"].as_f64().unwrap());
        assert!(total.sum::<f64>() < 3e8, "{metrics}");
    };
    // What the second run of each finds in the cache was put there at a time long past or far ahead.
    for jumps in [true, true, false, true, false] {
        run(jumps);
        assert_eq!(code_in(&job.folder().join("cache")), 1, "one component, compiled once");
    }
    job.has_none_of(&[]);
}

/// The metrics of a run under the jumping clock, node by node, and how it ended.
fn run_jumping(nodes: &serde_json::Value, input: &str) -> (Vec<serde_json::Value>, Done) {
    let job = Job::new();
    let jumping = compile(&job);
    job.write("nodes.py", NODES);
    let ids: Vec<&str> = nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let connections: Vec<_> = ids.windows(2).map(|pair| json!({"from": pair[0], "to": pair[1]})).collect();
    let manifest =
        json!({"version": "v1", "metadata": {"name": "clock"}, "nodes": nodes, "connections": connections});
    let (manifest, input) = (job.write("clock.json", manifest.to_string()), job.write("in.jsonl", input));
    let metrics = job.path("metrics.json");
    let mut run =
        command(&["run", &manifest, "-i", &input, "-o", &job.path("out.jsonl"), "--metrics", &metrics]);
    let done = Done::from(run.env("LD_PRELOAD", &jumping).output().unwrap());
    let metrics: serde_json::Value = serde_json::from_str(
        &fs::read_to_string(metrics).unwrap_or_else(|error| panic!("{error}: {}", done.stderr)),
    )
    .unwrap();
    (metrics["node_metrics"].as_array().unwrap().clone(), done)
}

#[test]
fn a_circuit_that_is_open_stays_open_while_the_clock_jumps_by_a_year() {
    let (nodes, done) = run_jumping(
        &json!([{"id": "it", "node_type": "nodes:Broken", "on_error": "skip",
                 "circuit_breaker": {"failures": 2, "cooldown_ms": 3_600_000}}]),
        &"1\n".repeat(50),
    );
    assert_eq!(done.code, 0, "{}", done.stderr);
    // A year is longer than the cooldown: by the wall clock it would have been tried again.
    let kinds = &nodes[0]["errors_by_kind"];
    assert_eq!((&nodes[0]["breaker"], &nodes[0]["skipped"]), (&json!("open"), &json!(50)), "{nodes:?}");
    assert_eq!((&kinds["internal"], &kinds["circuit_open"]), (&json!(2), &json!(48)), "{nodes:?}");
}

#[test]
fn a_call_that_is_looked_at_while_the_clock_jumps_keeps_its_whole_time() {
    let (nodes, done) = run_jumping(
        &json!([{"id": "quick", "node_type": "nodes:Quick", "timeout_ms": 1_000},
                {"id": "slow", "node_type": "nodes:Slow", "timeout_ms": 600_000}]),
        "1\n2\n",
    );
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(nodes[1]["success_count"], 2, "{nodes:?}");
}

#[test]
fn a_guest_that_loops_is_stopped_in_time_while_the_clock_jumps() {
    let guest = repository().join("target/guests/hostile.wasm");
    let (nodes, done) = run_jumping(
        &json!([{"id": "it", "node_type": "hostile", "component": guest, "params": {"deed": "loop"},
                 "timeout_ms": 300}]),
        "\"x\"\n",
    );
    assert!(done.code == 1 && done.stderr.contains("within its limit of 300 ms"), "{}", done.stderr);
    // Not before the time that it may use, and not a year after it.
    let took_us = nodes[0]["total_duration_us"].as_f64().unwrap();
    assert!((300_000.0..60_000_000.0).contains(&took_us), "{took_us}");
}

/// How many files of machine code are in the cache.
fn code_in(cache: &std::path::Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(cache).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += code_in(&path);
        } else if fs::metadata(&path).unwrap().len() > 50_000 {
            count += 1;
        }
    }
    count
}
