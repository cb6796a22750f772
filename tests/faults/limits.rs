//! Few open files and little memory: a run works, or says in one error which limit to raise.

use std::process::Command;

use serde_json::{Value, json};

use super::job::{Job, the_error};
use crate::binary::{Done, command, repository};

const NODES: &str = "
class Same:
    def process(self, value):
        return value
";

/// `count` sandboxed nodes, each on a thread of its own, and a Python node behind them.
fn mixed(job: &Job, count: usize) -> String {
    job.write("nodes.py", NODES);
    let guest = repository().join("target/guests/text-filter.wasm");
    assert!(guest.is_file(), "{} is not there: run `make setup`", guest.display());
    let id = |number: usize| format!("n{number}");
    let mut nodes: Vec<Value> = (0..count)
        .map(|number| json!({"id": id(number), "node_type": "text-filter", "component": guest, "params": {"trim": true}}))
        .collect();
    nodes.push(json!({"id": id(count), "node_type": "nodes:Same"}));
    let connections: Vec<Value> = (0..count)
        .map(|number| json!({"from": id(number), "to": id(number + 1), "queue": {"max_packets": 4}}))
        .collect();
    let manifest =
        json!({"version": "v1", "metadata": {"name": "mixed"}, "nodes": nodes, "connections": connections});
    job.write("mixed.json", manifest.to_string())
}

/// Runs `args` under a limit of `prlimit`.
pub fn limited(limit: &str, args: &[&str]) -> Done {
    let program = command(&[]);
    let mut run = Command::new("prlimit");
    run.arg(limit).arg(program.get_program()).args(args);
    run.env("OPENBLAS_NUM_THREADS", "1");
    Done::from(run.output().unwrap())
}

/// Ends well with `output`, or with one error that has one of `words` in it and an exit code of its own.
fn works_or_says(done: &Done, output: &str, words: &[&str], limit: &str) -> bool {
    if done.code == 0 {
        assert_eq!(done.stdout, output, "{limit}");
        return true;
    }
    let message = format!("{limit}: {}", the_error(done, if done.code == 2 { 2 } else { 1 }));
    assert!(words.iter().any(|word| done.stderr.contains(word)), "{message}");
    false
}

#[test]
fn with_64_open_files_a_hundred_sandboxed_nodes_and_a_python_node_run() {
    let job = Job::new();
    let (manifest, input) = (mixed(&job, 100), job.write("in.jsonl", "\" one \"\n\"two\"\n"));
    let done = limited("--nofile=64", &["run", &manifest, "-i", &input]);
    assert_eq!((done.code, &*done.stdout), (0, "\"one\"\n\"two\"\n"), "{}", done.stderr);
}

#[test]
fn with_hardly_any_open_files_a_run_works_or_names_the_limit() {
    let job = Job::new();
    let (manifest, input) = (mixed(&job, 3), job.write("in.jsonl", "\" one \"\n"));
    let mut worked = Vec::new();
    // Below four the program itself is not loaded.
    for files in (4..24).rev() {
        let limit = format!("--nofile={files}");
        let done = limited(&limit, &["run", &manifest, "-i", &input]);
        worked.push(works_or_says(&done, "\"one\"\n", &["ulimit -n", "Too many open files"], &limit));
    }
    assert!(worked[0] && !worked[worked.len() - 1], "{worked:?}");
}
