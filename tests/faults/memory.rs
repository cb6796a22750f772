//! Limits of memory (`ulimit -v`): a run works, or says in one error that memory is what it lacks.

use serde_json::json;

use super::job::{Job, says, the_error};
use super::limits::limited;
use crate::binary::repository;

fn mebibytes(count: u64) -> String {
    format!("--as={}", count << 20)
}

/// One sandboxed node.
fn sandboxed(job: &Job) -> String {
    let guest = repository().join("target/guests/gain.wasm");
    assert!(guest.is_file(), "{} is not there: run `make setup`", guest.display());
    let manifest = json!({
        "version": "v1", "metadata": {"name": "memory"}, "connections": [],
        "nodes": [{"id": "g", "node_type": "gain", "component": guest}],
    });
    job.write("g.json", manifest.to_string())
}

#[test]
fn native_nodes_run_with_little_memory() {
    let job = Job::new();
    let (manifest, input) = (job.pass_through(), job.noise("in.wav", 16_000));
    // The program itself, with what it is linked to, is most of that.
    let done = limited(&mebibytes(512), &["run", &manifest, "-i", &input]);
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn a_limit_below_what_the_pool_of_the_sandbox_reserves_is_an_error_that_names_the_ways_out() {
    let job = Job::new();
    let (manifest, input) = (sandboxed(&job), job.noise("in.wav", 16_000));
    for limit in [512, 1_024, 4_096, 65_536] {
        let done = limited(&mebibytes(limit), &["run", &manifest, "-i", &input, "-o", &job.path("out.wav")]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        says(&done.stderr, &["ulimit -v", "limits.pool", "limits.running_nodes"]);
        the_error(&done, 2);
        job.has_none_of(&["out.wav"]);
    }
}

#[test]
fn without_the_pool_sandboxed_nodes_run_below_its_limit() {
    let job = Job::new();
    let (manifest, input) = (sandboxed(&job), job.noise("in.wav", 16_000));
    let policy = job.write("policy.toml", "[limits]\npool = \"optional\"\n");
    let args = ["run", &manifest, "-i", &input, "--policy", &policy];
    let done = limited(&mebibytes(16_384), &args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    // Below what one instance reserves it is an error that says so.
    let done = limited(&mebibytes(1_024), &args);
    if done.code != 0 {
        the_error(&done, done.code);
    }
}
