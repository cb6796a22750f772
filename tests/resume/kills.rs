//! Twenty times `kill -9` at random points of a job, on graphs of every kind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use serde_json::json;

use super::{Case, call, stateless};
use crate::binary::{command, names};
use crate::node_kit::guest;

const KILLS: usize = 20;
/// A process is killed after at most so many checkpoints of its own.
const MOST_CHECKPOINTS: u64 = 12;

/// Numbers that are random enough and the same in every run (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What one process did.
enum Ended {
    /// Packets at its first and last checkpoint that was seen; none when it was killed before.
    Killed(Option<(u64, u64)>),
    /// It was done first; its files were right, and are gone for the next one.
    Done,
}

/// Runs the job and kills it after `checkpoints` of them; 0 is as early as can be.
fn kill_after(case: &Case, checkpoints: u64) -> Ended {
    let args = case.resumable();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut child = command(&args)
        .env("REMOTEMEDIA_LOG", "error,remotemedia::checkpoint=debug")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut packets = lines.by_ref().filter_map(|line| line.split("packets=").nth(1)?.parse().ok());
    let (mut seen, mut all_seen) = (None, true);
    for _ in 0..checkpoints {
        let Some(packets) = packets.next() else {
            all_seen = false;
            break;
        };
        seen = Some(seen.map_or((packets, packets), |(first, _)| (first, packets)));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(matches!(status.code(), None | Some(0)), "{status}: {:?}", lines.collect::<Vec<_>>());
    if case.is_done() {
        case.check();
        case.clear();
        return Ended::Done;
    }
    assert!(all_seen && status.code().is_none(), "it ended and was not done");
    Ended::Killed(seen)
}

/// Kills the job twenty times and lets it end; every time that it ends, its files must be right. How often it ended.
fn survives(case: &Case, seed: u64) -> usize {
    case.run_expected();
    let (mut random, mut kills, mut jobs, mut reached) = (Random(seed), 0, 0, 0);
    while kills < KILLS {
        match kill_after(case, random.below(MOST_CHECKPOINTS + 1)) {
            Ended::Done => (jobs, reached) = (jobs + 1, 0),
            Ended::Killed(seen) => {
                kills += 1;
                if let Some((first, last)) = seen {
                    assert!(first > reached, "it went on at {first}, and was at {reached} already");
                    reached = last;
                }
            }
        }
    }
    let mut args = case.resumable();
    args.push("--json".into());
    let done = call(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.json()["resumed_at_packet"].as_u64().unwrap() >= reached, "{}", done.stdout);
    case.check();
    jobs + 1
}

/// Runs the job with that interval between checkpoints, kills it when `is_time` says so, and looks at what is there.
/// True when the job was done.
fn kill_when(case: &Case, interval_ms: &str, mut is_time: impl FnMut() -> bool) -> bool {
    let args = case.resumable_every(interval_ms);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !is_time() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(matches!(status.code(), None | Some(0)), "{status}");
    let done = case.is_done();
    if done {
        case.check();
        case.clear();
    }
    assert!(done || status.code().is_none(), "it ended and was not done");
    done
}

/// Not after a checkpoint, but whenever it comes: at the start, in the middle, in the flush, and while the files
/// get their names.
#[test]
fn a_job_survives_twenty_kills_at_any_moment_and_ten_while_its_files_appear() {
    let case = stateful();
    case.run_expected();
    let began = Instant::now();
    assert!(kill_when(&case, "20", || false), "nobody killed it");
    let whole = began.elapsed();
    let mut random = Random(5);
    let mut kills = 0;
    while kills < KILLS {
        // Work between two checkpoints is lost and done again.
        let interval_ms = ["0", "20", "1000"][kills % 3];
        // Up to a tenth later than it was done when nobody killed it.
        let (after, began) = (whole.mul_f64(random.below(1_100) as f64 / 1_000.0), Instant::now());
        kills += usize::from(!kill_when(&case, interval_ms, || began.elapsed() >= after));
    }
    for _ in 0..10 {
        // The first of the four files has its name, which none has before.
        case.clear();
        kill_when(&case, "20", || {
            let names = names(&case.path("out"));
            names.iter().any(|name| !name.ends_with(".part"))
        });
    }
    assert!(kill_when(&case, "20", || false), "nobody killed it");
}

#[test]
fn a_job_of_stateless_nodes_survives_twenty_kills() {
    survives(&stateless(), 1);
}

#[test]
fn a_job_of_stateful_nodes_in_several_threads_survives_twenty_kills() {
    survives(&stateful(), 2);
}

/// Four nodes with a state in three threads, and four files.
fn stateful() -> Case {
    Case::new(
        json!([
            {"id": "rate", "node_type": "AudioResample", "params": {"target_sample_rate": 8000}},
            {"id": "vad", "node_type": "VAD"},
            {"id": "frames", "node_type": "AudioChunker", "params": {"frame_ms": 50, "hop_ms": 30}},
            {"id": "rms", "node_type": "FrameRms"},
        ]),
        json!([
            {"from": "rate", "to": "vad", "queue": {"max_packets": 4}},
            {"from": "rate", "to": "frames", "queue": {"max_packets": 3}},
            {"from": "frames", "to": "rms"},
        ]),
        &["rate=rate.flac", "vad.segments=segments.jsonl", "vad.speech=speech.wav", "rms=rms.jsonl"],
    )
}

#[test]
fn a_job_with_components_survives_twenty_kills() {
    let nodes = json!([
        {"id": "low", "node_type": "biquad", "component": guest("biquad.wasm"),
         "params": {"kind": "lowpass", "frequency_hz": 900.0}},
        {"id": "gain", "node_type": "gain", "component": guest("gain.wasm"), "params": {"gain_db": -3.0}},
    ]);
    survives(
        &Case::new(nodes, json!([{"from": "low", "to": "gain"}]), &["gain=gain.wav", "low=low.flac"]),
        3,
    );
}

const NODES: &str = r#"
import os

class Loudest:
    """The loudest sample until now, of every packet that brings one."""
    remotemedia_inputs = {"in": "audio"}
    remotemedia_outputs = {"out": "json"}
    def __init__(self): self.most = 0.0
    def process(self, data):
        peak = float(abs(data[0]).max())
        self.most = max(self.most, peak)
        return {"most": self.most, "peak": peak}

class Recognise:
    """Stands for a model: stateless, and every call costs a line."""
    remotemedia_stateless = True
    def process(self, value):
        with open(os.path.join(os.path.dirname(__file__), "calls"), "a") as calls:
            calls.write("call\n")
        return {"words": f"{value['peak']:.9e}", "after": value["most"]}
"#;

#[test]
fn a_job_with_python_nodes_survives_twenty_kills_and_keeps_the_work_of_its_model() {
    let case = Case::new(
        json!([
            {"id": "rate", "node_type": "AudioResample", "params": {"target_sample_rate": 8000}},
            {"id": "loudest", "node_type": "killed_nodes:Loudest"},
            {"id": "asr", "node_type": "killed_nodes:Recognise", "heavy": true},
        ]),
        json!([{"from": "rate", "to": "loudest"}, {"from": "loudest", "to": "asr"}]),
        &["asr=words.jsonl", "loudest=loudest.jsonl"],
    )
    .with_file("killed_nodes.py", NODES);
    let calls = || fs::read_to_string(case.path("calls")).map_or(0, |text| text.lines().count());
    case.run_expected();
    let needed = calls();
    assert!(needed > 100, "{needed} calls");
    fs::remove_file(case.path("calls")).unwrap();
    let jobs = survives(&case, 4);
    // It ran without a break once more there. What a kill costs is what was done since the checkpoint before: one
    // packet of the input, and so one call.
    let least = (jobs + 1) * needed;
    assert!((least..=least + KILLS).contains(&calls()), "{} calls, {least} are needed", calls());
}
