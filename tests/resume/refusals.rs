//! What cannot be resumed is refused, and says why; what a failed run leaves is used.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Case, call, stateless};
use crate::binary::{command, names};

/// A node that fails at one packet, once: the file `failed` says that it did.
const NODES: &str = r#"
import os, time

class FailsOnce:
    def __init__(self): self.count = 0
    def process(self, value):
        self.count += 1
        failed = os.path.join(os.path.dirname(__file__), "failed")
        if self.count == 200 and not os.path.exists(failed):
            open(failed, "w").close()
            raise ValueError("the model server went away")
        return self.count

class Clock:
    remotemedia_outputs = {"out": "json"}
    def process(self, value):
        return time.time_ns()

class FailsOnceStateless(FailsOnce):
    remotemedia_stateless = True
"#;

fn failing(nodes: Value, connections: Value, output: &'static str) -> Case {
    Case::new(nodes, connections, &[output]).with_file("failing_nodes.py", NODES)
}

/// Runs until the node fails.
fn fail(case: &Case) {
    let done = call(&case.resumable());
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("the model server went away"), "{}", done.stderr);
    assert!(done.stderr.contains("what came of the first 199 packets is kept"), "{}", done.stderr);
    assert_eq!((names(&case.path("out")), names(&case.path("checkpoint"))), (vec![], vec!["journal".into()]));
}

fn refused(args: &[String], code: i32) -> String {
    let done = call(args);
    assert_eq!(done.code, code, "{args:?}\n{}", done.stderr);
    done.stderr
}

fn failing_counter() -> Case {
    failing(json!([{"id": "it", "node_type": "failing_nodes:FailsOnce"}]), json!([]), "it=out.jsonl")
}

#[test]
fn a_job_that_failed_goes_on_when_the_cause_is_gone() {
    let case = failing_counter();
    fail(&case);
    let mut args = case.resumable();
    args.push("--json".into());
    let done = call(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.json()["resumed_at_packet"], 199);
    case.run_expected();
    case.check();
}

#[test]
fn a_run_that_goes_on_says_where() {
    let case = failing_counter();
    fail(&case);
    let done = call(&case.resumable());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let folder = case.path("checkpoint");
    let note = format!("note: goes on behind packet 199, as `{}` says", folder.display());
    assert_eq!(done.stderr.lines().filter(|line| *line == note).count(), 1, "{}", done.stderr);
}

#[test]
fn values_that_are_printed_and_results_as_json_are_whole_after_a_break() {
    let case = failing_counter();
    let mut args = case.resumable();
    args.retain(|arg| arg != "-o" && !arg.starts_with("it="));
    let done = call(&args);
    assert_eq!((done.code, done.stdout.lines().count()), (1, 199), "{}", done.stderr);
    args.push("--json".into());
    let done = call(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let all: Vec<u64> = (1..=600).collect();
    assert_eq!(done.json()["outputs"], json!({"it": all}));
}

#[test]
fn another_job_is_refused_and_what_differs_is_named() {
    let case = failing_counter();
    fail(&case);
    let journal = fs::read(case.path("checkpoint/journal")).unwrap();
    let with = |more: &[&str]| {
        let mut args = case.resumable();
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    };
    let error = refused(&with(&["--chunk-ms", "40"]), 2);
    assert!(error.contains("another job; it differs in --chunk-ms."), "{error}");
    let other: Vec<String> = with(&[]).iter().map(|arg| arg.replace("out.jsonl", "other.jsonl")).collect();
    let error = refused(&other, 2);
    assert!(error.contains("out.jsonl`, the output `") && error.contains("other.jsonl`. Give"), "{error}");
    let input = case.path("in.wav");
    let old = fs::read(&input).unwrap();
    let mut new = old.clone();
    *new.last_mut().unwrap() ^= 1;
    fs::write(&input, new).unwrap();
    let error = refused(&with(&[]), 2);
    assert!(error.contains("it differs in input 1"), "{error}");
    assert_eq!(fs::read(case.path("checkpoint/journal")).unwrap(), journal);
}

#[test]
fn a_node_that_puts_out_something_else_when_it_runs_again_is_an_error_and_no_mixed_file() {
    // The clock's values leave the graph by themselves, or enter a node whose results are kept.
    let nodes = |failing: &str| json!([{"id": "clock", "node_type": "failing_nodes:Clock"}, {"id": "it", "node_type": failing}]);
    for (failing_type, output) in
        [("failing_nodes:FailsOnce", "clock=out.jsonl"), ("failing_nodes:FailsOnceStateless", "it=out.jsonl")]
    {
        let case = failing(nodes(failing_type), json!([{"from": "clock", "to": "it"}]), output);
        fail(&case);
        let error = refused(&case.resumable(), 1);
        assert!(error.contains("did not") && error.contains("the same again"), "{error}");
        assert!(error.contains("not deterministic"), "{error}");
        assert_eq!(names(&case.path("out")), [] as [String; 0]);
    }
}

#[test]
fn two_processes_do_not_share_a_checkpoint() {
    let case = stateless();
    let args = case.resumable();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut first = command(&args)
        .env("REMOTEMEDIA_LOG", "error,remotemedia::checkpoint=debug")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("packets=1"));
    // It is stopped in its middle while the other one looks.
    let stop = |signal: &str| {
        assert!(Command::new("kill").args([signal, &first.id().to_string()]).status().unwrap().success());
    };
    stop("-STOP");
    let error = refused(&case.resumable(), 2);
    assert!(error.contains("another process works on the checkpoint"), "{error}");
    stop("-CONT");
    lines.for_each(drop);
    assert!(first.wait().unwrap().success());
    case.run_expected();
    case.check();
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let case = stateless();
    let folder = case.path("checkpoint");
    let with = |folder: &str| {
        let mut args = case.resumable();
        let at = args.iter().position(|arg| arg == "--checkpoint").unwrap() + 1;
        args[at] = folder.to_owned();
        args
    };
    let error = refused(&with("/proc/nowhere"), 2);
    assert!(error.contains("cannot use `/proc/nowhere` for the checkpoint"), "{error}");
    fs::write(folder.join("journal"), "my diary").unwrap();
    let error = refused(&case.resumable(), 2);
    assert!(error.contains("no checkpoint of this version; remove it to begin again"), "{error}");
    assert_eq!(fs::read_to_string(folder.join("journal")).unwrap(), "my diary");
}

#[test]
fn a_full_disk_ends_the_run_and_the_job_goes_on_when_there_is_room() {
    let case = stateless();
    // 512 KiB per file are enough for a good part of the journal.
    let words: Vec<String> = case.resumable().iter().map(|arg| format!("'{arg}'")).collect();
    let program = crate::binary::path();
    let script = format!("trap '' XFSZ; ulimit -f 512; exec '{}' {}", program.display(), words.join(" "));
    let done: crate::binary::Done = Command::new("bash").args(["-c", &script]).output().unwrap().into();
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("cannot write"), "{}", done.stderr);
    assert!(done.stderr.contains("the same command goes on from there"), "{}", done.stderr);
    assert_eq!(names(&case.path("out")), [] as [String; 0]);
    let mut args = case.resumable();
    args.push("--json".into());
    let done = call(&args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.json()["resumed_at_packet"].as_u64().unwrap() > 0);
    case.run_expected();
    case.check();
}

#[test]
fn what_cannot_be_gone_over_again_is_refused() {
    let case = stateless();
    let replaced = |from: &str, to: &str| -> Vec<String> {
        case.resumable()
            .iter()
            .map(|arg| if arg.contains(from) { to.to_owned() } else { arg.clone() })
            .collect()
    };
    let error = refused(&replaced("in.wav", "-"), 2);
    assert!(error.contains("`-` is no regular file") && error.contains("reads its input again"), "{error}");
    let error = refused(&replaced("half.flac", "half=-"), 2);
    assert!(
        error.contains("`-` is no regular file") && error.contains("writes its outputs again"),
        "{error}"
    );
    let mut args = case.resumable();
    args.push("--watch-plugins".into());
    assert!(refused(&args, 2).contains("cannot be used with"));
    let dropping = Case::new(
        json!([{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}]),
        json!([{"from": "a", "to": "b", "queue": {"max_packets": 2, "on_full": "drop_oldest"}}]),
        &["b=b.wav"],
    );
    let error = refused(&dropping.resumable(), 2);
    assert!(error.contains("the queue from `a` to `b` drops packets"), "{error}");
}
