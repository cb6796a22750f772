//! `run --trace`: what is in the file, read with Perfetto's own classes (the package `perfetto` of the repository's `.venv`).

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::binary::{Done, command, remotemedia, repository, write_chain, write_wav};

const PACKETS: usize = 100;

/// What `check.py` says about a trace: that it is sound, and what is in it.
fn read(trace: &Path) -> Value {
    let python = repository().join(".venv/bin/python");
    let checker = repository().join("tests/traces/check.py");
    let output = Command::new(python).arg(checker).arg(trace).output().expect("run .ci/python-env.sh first");
    let done = Done::from(output);
    assert_eq!(done.code, 0, "{}", done.stderr);
    done.json()
}

fn slices<'a>(trace: &'a Value, track: &str, name: &str) -> Vec<&'a Value> {
    let all = trace["slices"].as_array().unwrap().iter();
    all.filter(|slice| slice["track"].as_str().unwrap().starts_with(track) && slice["name"] == name).collect()
}

fn sum_us(slices: &[&Value]) -> f64 {
    slices.iter().map(|slice| slice["ns"].as_f64().unwrap() / 1e3).sum()
}

/// A fan-out of a gain to a resampler and, through a queue of two, to a Python class. 100 packets of 20 ms.
fn run_fan_out(folder: &Path) -> (Value, Value) {
    fs::write(
        folder.join("slow_class.py"),
        "class Same:\n    def process(self, data):\n        return sum(range(2000)) and data\n",
    )
    .unwrap();
    let manifest = json!({
        "version": "v1", "metadata": {"name": "fan"},
        "nodes": [
            {"id": "gain", "node_type": "AudioGain", "params": {"gain_db": 0.0}},
            {"id": "rate", "node_type": "AudioResample", "params": {"target_sample_rate": 16_000}},
            {"id": "same", "node_type": "slow_class:Same"},
        ],
        "connections": [
            {"from": "gain", "to": "rate"},
            {"from": "gain", "to": "same", "queue": {"max_packets": 2}},
        ],
    });
    let path = folder.join("fan.json");
    fs::write(&path, manifest.to_string()).unwrap();
    let wav =
        write_wav(&folder.join("in.wav"), 48_000, 1, (0..PACKETS * 960).map(|n| (n % 100) as f32 / 200.0));
    let (trace, metrics) = (folder.join("fan.pftrace"), folder.join("metrics.json"));
    let mut command = command(&["run", path.to_str().unwrap(), "-i", &wav, "--json", "--trace"]);
    command.arg(&trace).arg("--metrics").arg(&metrics);
    let done = Done::from(command.env("REMOTEMEDIA_VENV", repository().join(".venv")).output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    (read(&trace), serde_json::from_slice(&fs::read(metrics).unwrap()).unwrap())
}

#[test]
fn a_fan_out_with_a_queue_and_a_python_node_is_in_the_trace_call_by_call_as_in_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, metrics) = run_fan_out(folder.path());
    let tracks: Vec<&str> =
        trace["tracks"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for expected in [
        "remotemedia fan-0",
        "caller",
        "stage 0 (the caller's thread)",
        "stage 1 (own thread)",
        "queue gain → same",
        "depth of queue gain → same",
        "gain (AudioGain, native)",
        "rate (AudioResample, native)",
        "same (slow_class:Same, cpython)",
    ] {
        assert!(tracks.contains(&expected), "{expected}: {tracks:?}");
    }
    // Every way that begins at a feed or a call ends at a call: nothing was dropped.
    assert_eq!(trace["open_ways"], 0);
    for (node, id) in ["gain", "rate", "same"].iter().enumerate() {
        let counted = &metrics["node_metrics"][node];
        let calls = slices(&trace, &format!("{id} ("), "process");
        assert_eq!((calls.len(), &counted["execution_count"]), (PACKETS, &json!(PACKETS)));
        // The counters' clock runs on between two calls; the slices' begins with the call.
        let (drawn, total) = (sum_us(&calls), counted["total_duration_us"].as_f64().unwrap());
        assert!(drawn <= total && drawn > 0.0, "{id}: {drawn} of {total} µs");
        for verb in ["initialize", "flush", "cleanup"] {
            assert_eq!(slices(&trace, &format!("{id} ("), verb).len(), 1, "{id}: {verb}");
        }
        let times: Vec<i64> = calls.iter().map(|call| call["pts_ns"].as_i64().unwrap()).collect();
        assert!(times.iter().copied().eq((0..PACKETS as i64).map(|n| n * 20_000_000)), "{id}: {times:?}");
    }
    assert_eq!(slices(&trace, "caller", "feed gain").len(), PACKETS);
    // A packet goes to two nodes, on two ways.
    assert!(
        slices(&trace, "gain (", "process").iter().all(|call| call["ways"].as_array().unwrap().len() == 3)
    );
    let waits = slices(&trace, "queue gain → same", "waits");
    assert_eq!(waits.len(), PACKETS);
    let depths = trace["depths"]["depth of queue gain → same"].as_array().unwrap();
    assert_eq!(depths.len(), 2 * PACKETS);
    assert!(depths.iter().all(|depth| (0..=2).contains(&depth.as_i64().unwrap())), "{depths:?}");
    // Whatever was blocked lies inside the work of the stage that feeds the queue.
    let blocked = slices(&trace, "stage 0", "blocked: the queue is full");
    assert!(blocked.iter().all(|slice| slice["inside"] == "work"), "{blocked:?}");
    let gil = slices(&trace, "same (", "waits for the interpreter");
    assert!(!gil.is_empty() && gil.iter().all(|slice| slice["inside"] == "process"));
    let waited = metrics["node_metrics"][2]["gil_wait_us"].as_f64().unwrap();
    assert!(sum_us(&gil) <= waited * 1.000_001, "{} of {waited} µs", sum_us(&gil));
}

#[test]
fn a_run_that_fails_leaves_a_whole_trace_that_shows_where() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_chain(folder.path(), &[("times", "Multiply", json!({"factor": 3}))]);
    let input = folder.path().join("in.jsonl");
    fs::write(&input, "1\n2\n\"three\"\n").unwrap();
    let trace = folder.path().join("failed.pftrace");
    let done =
        remotemedia(&["run", &manifest, "-i", input.to_str().unwrap(), "--trace", trace.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("https://ui.perfetto.dev"), "{}", done.stderr);
    let trace = read(&trace);
    assert_eq!(slices(&trace, "times (", "process").len(), 2);
    let failed = slices(&trace, "times (", "process failed");
    assert_eq!(failed.len(), 1);
    assert!(done.stderr.contains(failed[0]["error"].as_str().unwrap()), "{failed:?}\n{}", done.stderr);
}

#[test]
fn an_interrupted_run_leaves_a_whole_trace() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_chain(folder.path(), &[("times", "Multiply", json!({"factor": 3}))]);
    let trace = folder.path().join("interrupted.pftrace");
    let mut child = command(&["run", &manifest, "-i", "-", "--trace", trace.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "1").unwrap();
    let mut printed = [0; 1];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut printed).unwrap();
    assert_eq!(&printed, b"3");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // More input lets it see that it was interrupted before it gives up on the pipe.
    let _ = writeln!(stdin, "2");
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, 130, "{}", done.stderr);
    assert_eq!(slices(&read(&trace), "caller", "feed times").len().min(1), 1);
}

#[test]
fn nothing_is_written_when_nothing_ran_or_the_file_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("old.pftrace");
    fs::write(&trace, "what was there").unwrap();
    let manifest = write_chain(folder.path(), &[("times", "Multiply", json!({"factor": "x"}))]);
    let done = remotemedia(&["run", &manifest, "-i", "-", "--trace", trace.to_str().unwrap()]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert_eq!(fs::read_to_string(&trace).unwrap(), "what was there");
    let manifest = write_chain(folder.path(), &[("times", "Multiply", json!({"factor": 2}))]);
    let done = remotemedia(&["run", &manifest, "-i", "-", "--trace", "/nowhere/x.pftrace"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("/nowhere/x.pftrace"), "{}", done.stderr);
}
