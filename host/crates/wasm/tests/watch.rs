//! A component that changes while its node runs takes over between two packets, and none is lost.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use remotemedia_core::{Node, NodeManifest, Outputs, Port};
use remotemedia_wasm::WasmRuntime;
use serde_json::{Value, json};

use crate::fixture::{audio, buffer, guest, watching_runtime};

/// Long enough for the slowest machine; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node whose component is a copy that the test may change.
fn copied(folder: &Path, name: &str, params: Value) -> NodeManifest {
    let file = folder.join("node.wasm");
    std::fs::copy(guest(name), &file).unwrap();
    let mut node = NodeManifest::new("n", name).with_params(params);
    node.component = Some(file.into());
    node
}

/// As a build does: written beside, then renamed.
fn replace(file: &Path, content: &[u8]) {
    let beside: PathBuf = file.with_extension("new");
    std::fs::write(&beside, content).unwrap();
    std::fs::rename(beside, file).unwrap();
}

/// The same component with a custom section at its end: other bytes, the same behaviour.
fn with_custom_section(name: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(guest(name)).unwrap();
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    bytes
}

/// Feeds ramps of 480 frames until `done`, and gives back how many frames went in and what came out.
fn feed(node: &mut dyn Node, mut done: impl FnMut() -> bool) -> (usize, Vec<f32>) {
    let began = Instant::now();
    let (mut fed, mut heard, mut out) = (0, Vec::new(), Outputs::new());
    while !done() {
        assert!(began.elapsed() < PATIENCE, "nothing happened");
        let block: Vec<f32> = (0..480).map(|i| (i % 100) as f32 / 200.0).collect();
        fed += block.len();
        node.process(Port::FIRST, audio(48_000, 1, block), &mut out).unwrap();
        heard.extend(out.drain().flat_map(|(_, packet)| buffer(packet).as_f32().unwrap().to_vec()));
    }
    node.flush(&mut out).unwrap();
    heard.extend(out.drain().flat_map(|(_, packet)| buffer(packet).as_f32().unwrap().to_vec()));
    (fed, heard)
}

fn started(runtime: &WasmRuntime, manifest: &NodeManifest) -> Box<dyn Node> {
    crate::fixture::start(runtime, manifest).unwrap()
}

#[test]
fn a_changed_component_takes_over_and_no_sample_is_lost_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = watching_runtime();
    let manifest = copied(folder.path(), "gain", json!({"gain_db": 20}));
    let mut node = started(&runtime, &manifest);
    replace(&folder.path().join("node.wasm"), &with_custom_section("gain"));
    let (fed, heard) = feed(&mut *node, || runtime.counts().reloads == 1);
    assert_eq!(heard.len(), fed);
    // 20 dB are a factor of ten.
    let wrong = heard.iter().enumerate().find(|(i, sample)| {
        let expected = 10.0 * ((i % 480 % 100) as f32 / 200.0);
        (*sample - expected).abs() > 1e-5
    });
    assert_eq!(wrong, None);
}

#[test]
fn what_the_old_component_held_back_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = watching_runtime();
    // The limiter looks ahead: without its flush the swap would lose those frames.
    let manifest = copied(folder.path(), "limiter", json!({}));
    let mut node = started(&runtime, &manifest);
    replace(&folder.path().join("node.wasm"), &with_custom_section("limiter"));
    let (fed, heard) = feed(&mut *node, || runtime.counts().reloads == 1);
    assert_eq!(heard.len(), fed);
}

#[test]
fn a_file_that_this_host_would_not_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = watching_runtime();
    let manifest = copied(folder.path(), "gain", json!({}));
    let mut node = started(&runtime, &manifest);
    let file = folder.path().join("node.wasm");
    for wrong in [b"no component".to_vec(), std::fs::read(guest("biquad")).unwrap()] {
        let before = runtime.counts().reloads_refused;
        replace(&file, &wrong);
        let (fed, heard) = feed(&mut *node, || runtime.counts().reloads_refused > before);
        assert_eq!(heard.len(), fed);
    }
    assert_eq!(runtime.counts().reloads, 0);
    replace(&file, &with_custom_section("gain"));
    feed(&mut *node, || runtime.counts().reloads == 1);
}
