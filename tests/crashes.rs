//! What the real binary tells about a node that crashed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{command, remotemedia, repository};

/// A pipeline of one hostile component, and its input.
fn written(folder: &Path) -> [String; 2] {
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "crash"},
        "nodes": [{
            "id": "attacker",
            "node_type": "hostile",
            "component": repository().join("target/guests/hostile.wasm"),
            "params": {"deed": "panic"},
        }],
        "connections": [],
    });
    let (file, input) = (folder.join("pipeline.json"), folder.join("in.jsonl"));
    fs::write(&file, manifest.to_string()).unwrap();
    fs::write(&input, "{\"text\": \"x\"}\n").unwrap();
    [file, input].map(|path| path.display().to_string())
}

/// The line of the guest's source that trips, counted from 1.
fn tripping_line() -> usize {
    let source = fs::read_to_string(repository().join("guest-nodes/rust/hostile/src/ruin.rs")).unwrap();
    source.lines().position(|line| line.contains("nothing[black_box(7)]")).unwrap() + 1
}

#[test]
fn a_trap_names_its_line_through_the_compiling_process_and_leaves_a_core_dump_where_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let [manifest, input] = written(folder.path());
    let dumps = folder.path().join("dumps");
    let dir = dumps.display().to_string();
    let mut run = command(&["run", &manifest, "-i", &input, "--json", "--coredump-dir", &dir]);
    // Nothing that a component compiled with other settings left behind takes part.
    let output = run.env("REMOTEMEDIA_CACHE_DIR", folder.path().join("cache")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let error: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    let error = &error["error"];
    assert_eq!((&error["node_id"], &error["node_error_kind"]), (&json!("attacker"), &json!("trap")));
    let trace = error["trace"].as_str().unwrap();
    let place = format!("hostile/src/ruin.rs:{}:", tripping_line());
    let (_, frames) = trace.split_once("wasm backtrace").unwrap();
    assert!(frames.contains(&place) && frames.contains(" trip_over\n"), "{trace}");
    let message = error["message"].as_str().unwrap();
    let (_, rest) = message.split_once("(core dump: ").unwrap();
    let (dump, _) = rest.split_once(')').unwrap();
    assert!(Path::new(dump).starts_with(&dumps), "{dump}");
    assert!(fs::read(dump).unwrap().starts_with(b"\0asm"));
}

#[test]
fn a_folder_for_core_dumps_that_cannot_be_made_is_told_before_a_component_runs() {
    let folder = tempfile::tempdir().unwrap();
    let [manifest, input] = written(folder.path());
    for dir in [&input, &format!("{input}/dumps"), "/proc/nowhere"] {
        let done = remotemedia(&["run", &manifest, "-i", &input, "--coredump-dir", dir]);
        assert!(done.code != 0 && done.stdout.is_empty(), "{}", done.stderr);
        let said = format!(
            "no core dumps can be kept, as --coredump-dir or REMOTEMEDIA_COREDUMP_DIR asks: it cannot be written to {dir}: "
        );
        assert!(done.stderr.contains(&said), "{}", done.stderr);
        // Who runs no component needs none.
        assert_eq!(remotemedia(&["doctor", "--coredump-dir", dir]).code, remotemedia(&["doctor"]).code);
    }
}
