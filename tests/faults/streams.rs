//! Standard streams that are closed or full, output folders that go away, and names that are no text.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use serde_json::json;

use super::job::{Job, Running, says, the_error, wait_until};
use crate::binary::{Done, command, remotemedia};

/// Runs with `redirect` of the shell behind it.
fn redirected(args: &[&str], redirect: &str) -> Done {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$@\" {redirect}"), "sh"]).arg(crate::binary::path()).args(args);
    Done::from(shell.env("REMOTEMEDIA_LOG", "debug").output().unwrap())
}

#[test]
fn nobody_has_to_read_what_a_run_says_about_itself() {
    for redirect in ["2>/dev/full", "2>&-", "<&- >&- 2>&-"] {
        let job = Job::new();
        let (manifest, input) = (job.pass_through(), job.noise("in.wav", 16_000));
        let out = job.path("out.wav");
        let done = redirected(&["run", &manifest, "-i", &input, "-o", &out], redirect);
        assert_eq!(done.code, 0, "{redirect}: {}", done.stderr);
        assert_eq!(hound::WavReader::open(&out).unwrap().duration(), 16_000, "{redirect}");
        // And a failure keeps its exit code.
        let done = redirected(&["run", &manifest, "-i", &job.path("nowhere.wav")], redirect);
        assert_eq!(done.code, 2, "{redirect}: {}", done.stderr);
        assert_eq!(redirected(&["rum"], redirect).code, 2, "{redirect}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_any_more_takes_messages_as_a_full_disk_does() {
    let job = Job::new();
    let (manifest, input) = (job.pass_through(), job.noise("in.wav", 16_000));
    let mut child = command(&["run", &manifest, "-i", &input]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_run_without_a_fault() {
    let job = Job::new();
    let lines: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    let (manifest, input) = (job.pass_through(), job.write("in.jsonl", lines));
    for args in [vec!["-o", "-"], vec![]] {
        let mut args = [vec!["run", &*manifest, "-i", &*input], args].concat();
        let mut child = command(&std::mem::take(&mut args))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 2];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(&first, b"0\n");
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    }
}

#[test]
fn standard_output_that_is_full_is_one_error() {
    let job = Job::new();
    let (manifest, input) = (job.pass_through(), job.noise("in.wav", 160_000));
    for args in [vec!["-o", "-"], vec!["--json"]] {
        let mut run = command(&[vec!["run", &*manifest, "-i", &*input], args.clone()].concat());
        let full = File::options().write(true).open("/dev/full").unwrap();
        let done = Done::from(run.stdout(full).stderr(Stdio::piped()).output().unwrap());
        assert_eq!(done.code, 1, "{args:?}: {}", done.stderr);
        says(&done.stderr, &["standard output", "The disk is full"]);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    }
}

#[test]
fn a_folder_that_is_removed_while_its_file_is_written_is_named() {
    let job = Job::new();
    let folder = job.folder().join("results");
    fs::create_dir(&folder).unwrap();
    let (manifest, gate) = (job.pass_through(), job.pipe("in.jsonl"));
    let out = folder.join("out.jsonl");
    let running = Running::start(&["run", &manifest, "-i", &gate, "-o", out.to_str().unwrap()]);
    let mut input = File::options().write(true).open(&gate).unwrap();
    // More than is kept before it is written.
    std::io::Write::write_all(&mut input, format!("\"{}\"\n", "x".repeat(200_000)).as_bytes()).unwrap();
    wait_until("the output to begin", || {
        let written =
            |entry: std::io::Result<fs::DirEntry>| entry.unwrap().metadata().map_or(0, |file| file.len());
        fs::read_dir(&folder).unwrap().any(|entry| written(entry) > 0)
    });
    fs::remove_dir_all(&folder).unwrap();
    drop(input);
    says(&the_error(&running.end(), 1), &["cannot write", "results/out.jsonl", "No such file"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_run() {
    let job = Job::new();
    let (manifest, input) = (job.pass_through(), job.noise("in.wav", 1_600));
    // Not even the superuser makes files there.
    let done = remotemedia(&["run", &manifest, "-i", &input, "-o", "/sys/out.wav"]);
    says(&the_error(&done, 2), &["cannot write", "/sys/out.wav"]);
}

#[test]
fn a_name_that_is_no_text_is_taken_or_refused_in_words() {
    let job = Job::new();
    let input = job.noise("in.wav", 1_600);
    let odd = |name: &[u8]| job.folder().join(std::ffi::OsStr::from_bytes(name));
    let (manifest, metrics) = (odd(b"p\xff.json"), odd(b"m\xff.json"));
    fs::rename(job.pass_through(), &manifest).unwrap();
    let mut run = command(&["run", "-i", &input, "--metrics"]);
    let done = Done::from(run.arg(&metrics).arg(&manifest).output().unwrap());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let counted: serde_json::Value = serde_json::from_slice(&fs::read(&metrics).unwrap()).unwrap();
    assert_eq!(counted["node_metrics"][0]["node_id"], json!("a"));
    let mut run = command(&["run", "-i"]);
    let done = Done::from(run.arg(odd(b"in\xff.wav")).arg(&manifest).output().unwrap());
    says(&the_error(&done, 2), &["UTF-8"]);
}
