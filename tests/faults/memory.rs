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

#[test]
fn a_chunk_that_does_not_fit_into_memory_is_an_error_and_no_abort() {
    let job = Job::new();
    // 32 channels at 384 kHz: a minute of it is 2.7 GiB. The samples are a hole in the file.
    let input = job.path("large.wav");
    let samples: u64 = 384_000 * 45 * 32 * 4;
    let mut header = hound::WavSpec {
        channels: 32,
        sample_rate: 384_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    }
    .into_header_for_infinite_file();
    let at = header.len() - 4;
    header[at..].copy_from_slice(&u32::try_from(samples).unwrap().to_le_bytes());
    let file_bytes = header.len() as u64 + samples;
    std::fs::write(&input, header).unwrap();
    std::fs::File::options().write(true).open(&input).unwrap().set_len(file_bytes).unwrap();
    let manifest = job.pass_through();
    let done = limited(&mebibytes(1_024), &["run", &manifest, "-i", &input, "--chunk-ms", "60000"]);
    says(&the_error(&done, 1), &["large.wav", "memory", "--chunk-ms"]);
}
