//! The compile cache through the runtime: compiled once per content, and never loaded when somebody touched it.

use std::fs;
use std::path::{Path, PathBuf};

use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{Runtime, SandboxPolicy};
use remotemedia_wasm::{WasmConfig, WasmRuntime};
use serde_json::json;

use crate::fixture::{audio, buffer, manifest, process, start};

fn runtime_in(dir: &Path) -> WasmRuntime {
    let limits = SandboxLimits { running_nodes: 8, ..SandboxLimits::default() };
    let mut policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
    policy.compile.in_process = true;
    let policy = policy.into();
    WasmRuntime::new(WasmConfig { policy, cache_dir: Some(dir.to_owned()), ..WasmConfig::default() })
}

/// Compilations and refusals of a fresh runtime that runs one node.
fn run_once(dir: &Path) -> (u64, u64) {
    let runtime = runtime_in(dir);
    let mut node = start(&runtime, &manifest("gain", json!({"gain_db": 20}))).unwrap();
    let scaled = buffer(process(&mut *node, audio(48_000, 1, vec![0.25])).unwrap().remove(0).1);
    assert_eq!(scaled.as_f32().unwrap(), [2.5]);
    (runtime.counts().compilations, runtime.counts().cache_entries_refused)
}

fn entry(dir: &Path) -> PathBuf {
    let is_code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cwasm");
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).find(is_code).unwrap()
}

#[test]
fn a_component_is_compiled_once_and_a_flipped_byte_is_refused_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/in/a/new/folder");
    assert_eq!(run_once(&cache), (1, 0));
    assert_eq!(run_once(&cache), (0, 0));
    let entry = entry(&cache);
    let mut code = fs::read(&entry).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 0x40;
    fs::write(&entry, &code).unwrap();
    assert_eq!(run_once(&cache), (1, 1));
    assert_eq!(run_once(&cache), (0, 0), "it was mended");
}

#[test]
fn nodes_of_one_process_share_one_compilation_without_a_disk() {
    let runtime = crate::fixture::runtime();
    for _ in 0..3 {
        runtime.create(&manifest("gain", json!({}))).unwrap();
        runtime.describe(&manifest("gain", json!({}))).unwrap();
    }
    assert_eq!(runtime.counts().compilations, 1);
}

#[test]
fn code_that_no_node_runs_is_kept_up_to_its_limit_and_code_that_runs_always() {
    for (unused_mb, compilations) in [(0, 4), (64, 3)] {
        let mut policy = SandboxPolicy::default();
        policy.compile.unused_mb = unused_mb;
        let runtime = crate::fixture::runtime_of(policy);
        let run = |name| start(&runtime, &manifest(name, json!({}))).unwrap();
        let _running = run("gain");
        for name in ["ducker", "limiter", "ducker", "gain"] {
            drop(run(name));
        }
        assert_eq!(runtime.counts().compilations, compilations, "with unused_mb = {unused_mb}");
    }
}

#[test]
fn a_cache_that_cannot_be_used_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    fs::write(&file, "not a folder").unwrap();
    assert_eq!(run_once(&file.join("cache")), (1, 0));
}
