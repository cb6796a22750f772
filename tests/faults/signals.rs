//! Ctrl-C, a polite `kill`, a hang-up and `kill -9` while a run is in the middle of its work.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::job::{Job, Running, says, the_error, wait_until};
use crate::binary::{command, remotemedia};

/// `Waits` sits in its call until somebody opens the pipe `gate` for writing.
const NODES: &str = r#"
import os, sys
HERE = os.path.dirname(__file__)

class Waits:
    def process(self, value):
        print("in the call", file=sys.stderr, flush=True)
        open(os.path.join(HERE, "gate")).close()
        return value

    def cleanup(self):
        open(os.path.join(HERE, "cleaned up"), "w").close()

class Echoes(Waits):
    def process(self, value):
        print("in the call", file=sys.stderr, flush=True)
        return value
"#;

/// Not waiting: `O_NONBLOCK`.
const NONBLOCK: i32 = 0o4000;

/// A run that sits in a Python node's call.
fn in_the_call(job: &Job, wrap: &[&str]) -> Running {
    job.pipe("gate");
    let lines: String = (0..1_000).map(|number| format!("{number}\n")).collect();
    let (manifest, input) = (job.python("Waits", NODES), job.write("in.jsonl", lines));
    let mut run = command(&[]);
    if let [program, args @ ..] = wrap {
        let inner = std::mem::replace(&mut run, std::process::Command::new(program));
        run.args(args).arg(inner.get_program());
    }
    run.args(["run", &manifest, "-i", &input, "-o", &job.path("out.jsonl")]).stdin(Stdio::null());
    let mut running = Running::spawn(&mut run);
    running.until_it_says("in the call");
    running
}

/// Lets every call return until the run is over.
fn let_calls_return(job: &Job, running: &mut Running) {
    wait_until("the end of the run", || {
        // Without a reader, which comes with the next call, this fails.
        drop(OpenOptions::new().write(true).custom_flags(NONBLOCK).open(job.path("gate")));
        running.is_over()
    });
}

#[test]
fn an_interrupt_a_kill_and_a_hang_up_let_nodes_clean_up_and_leave_no_output() {
    for signal in ["INT", "TERM", "HUP"] {
        let job = Job::new();
        let mut running = in_the_call(&job, &[]);
        running.signal(signal);
        let_calls_return(&job, &mut running);
        let done = running.end();
        says(&the_error(&done, 130), &["interrupted", "no output file was written"]);
        assert!(job.left().contains(&"cleaned up".to_owned()), "{signal}: {:?}", job.left());
        job.has_none_of(&["out.jsonl"]);
    }
}

#[test]
fn an_interrupt_while_a_pipe_gives_nothing_lets_nodes_clean_up_too() {
    let job = Job::new();
    let (manifest, input) = (job.python("Echoes", NODES), job.pipe("in.jsonl"));
    let mut running = Running::start(&["run", &manifest, "-i", &input, "-o", &job.path("out.jsonl")]);
    let mut writer = OpenOptions::new().write(true).open(&input).unwrap();
    writeln!(writer, "1").unwrap();
    running.until_it_says("in the call");
    running.signal("INT");
    says(&the_error(&running.end(), 130), &["interrupted"]);
    drop(writer);
    assert!(job.left().contains(&"cleaned up".to_owned()), "{:?}", job.left());
    job.has_none_of(&["out.jsonl"]);
}

#[test]
fn a_second_interrupt_ends_a_run_at_once_whose_node_does_not_return() {
    let job = Job::new();
    let running = in_the_call(&job, &[]);
    running.signal("INT");
    // The first one has been heard when the thread is there that waits for the end.
    wait_until("the first interrupt", || running.threads("interrupted") > 0);
    let began = Instant::now();
    running.signal("INT");
    let done = running.end();
    says(&the_error(&done, 130), &["interrupted"]);
    // Alone, the first one would have given the node five seconds.
    assert!(began.elapsed() < Duration::from_millis(4_700), "{:?}", began.elapsed());
    job.has_none_of(&["out.jsonl", "cleaned up"]);
}

#[test]
fn one_interrupt_ends_a_run_in_bounded_time_whose_node_does_not_return() {
    let job = Job::new();
    let running = in_the_call(&job, &[]);
    let began = Instant::now();
    running.signal("TERM");
    let done = running.end();
    says(&the_error(&done, 130), &["interrupted"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    job.has_none_of(&["out.jsonl"]);
}

#[test]
fn a_run_that_was_started_to_outlive_its_terminal_ignores_the_hang_up() {
    let job = Job::new();
    let mut running = in_the_call(&job, &["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]);
    running.signal("HUP");
    // If it were heard, the run would end before its thousand packets.
    let_calls_return(&job, &mut running);
    let done = running.end();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(job.path("out.jsonl")).unwrap().lines().count(), 1_000);
}

#[test]
fn after_kill_9_there_is_no_output_and_the_same_command_works() {
    let job = Job::new();
    let running = in_the_call(&job, &[]);
    running.signal("KILL");
    let done = running.end();
    assert_eq!(done.code, -1);
    assert!(!job.left().contains(&"out.jsonl".to_owned()), "{:?}", job.left());
    let out = job.path("out.jsonl");
    let manifest = job.chain(&[("a", "Add", json!({"addend": 1}))]);
    let done = remotemedia(&["run", &manifest, "-i", &job.path("in.jsonl"), "-o", &out]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let expected: String = (1..=1_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(std::fs::read_to_string(out).unwrap(), expected);
}

#[test]
fn after_kill_9_in_the_middle_of_compiling_the_next_run_compiles_again() {
    let job = Job::new();
    let component = crate::binary::repository().join("target/guests/gain.wasm");
    assert!(component.is_file(), "{} is not there: run `make setup`", component.display());
    let mut manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(job.chain(&[("g", "gain", json!({}))])).unwrap())
            .unwrap();
    manifest["nodes"][0]["component"] = json!(component);
    let (manifest, input) = (job.write("g.json", manifest.to_string()), job.noise("in.wav", 1_600));
    let out = job.path("out.wav");
    let run = || {
        let mut run = command(&["run", &manifest, "-i", &input, "-o", &out]);
        run.env("REMOTEMEDIA_CACHE_DIR", job.path("cache")).stdin(Stdio::null());
        run
    };
    let running = Running::spawn(&mut run());
    let children = format!("/proc/{0}/task/{0}/children", running.id());
    let child_of = || std::fs::read_to_string(&children).unwrap_or_default();
    wait_until("the child process that compiles", || !child_of().trim().is_empty());
    let compiler = child_of().trim().to_owned();
    running.signal("KILL");
    assert_eq!(running.end().code, -1);
    wait_until("the end of the child", || !std::path::Path::new(&format!("/proc/{compiler}")).exists());
    assert!(!job.left().contains(&"out.wav".to_owned()));
    let done = crate::binary::Done::from(run().output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(hound::WavReader::open(&out).unwrap().duration(), 1_600);
}
