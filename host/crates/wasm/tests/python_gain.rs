//! The gain written in Python beside the gain written in Rust: the same node, sample for sample.

use std::path::Path;
use std::sync::LazyLock;

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{AudioBuffer, ErrorKind, Node, NodeError, NodeManifest, Packet, Runtime};
use remotemedia_wasm::{WasmConfig, WasmRuntime};
use serde_json::{Value, json};

use crate::fixture::{buffer, error_of, guest, process, start};

/// One for all tests, with a cache that outlives them: compiling CPython takes seconds.
static RUNTIME: LazyLock<WasmRuntime> = LazyLock::new(|| {
    let cache_dir = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-cache"));
    let mut policy = SandboxPolicy::default();
    // The process that compiles is the binary's, and is tested with it.
    policy.compile.in_process = true;
    // A busy machine may take long for the first call into CPython; deadlines have tests of their own.
    policy.limits.call_timeout_ms = Some(5_000);
    WasmRuntime::new(WasmConfig { policy: policy.into(), cache_dir, ..WasmConfig::default() })
});

fn gain(file: &str, params: Value) -> NodeManifest {
    let mut node = NodeManifest::new(format!("a-{file}"), "gain").with_params(params);
    let component = guest(file);
    node.component = Some(component.into());
    node
}

fn started(file: &str, params: Value) -> Result<Box<dyn Node>, NodeError> {
    start(&RUNTIME, &gain(file, params))
}

fn through(node: &mut dyn Node, audio: &AudioBuffer) -> AudioBuffer {
    let mut out = process(node, Packet::new(-7, audio.clone())).unwrap();
    assert_eq!((out.len(), out[0].1.pts_ns), (1, -7));
    buffer(out.remove(0).1)
}

#[test]
fn python_and_rust_give_the_same_samples_in_every_format() {
    // Knuth's 64-bit LCG: samples all over the range, ties and full scale included by hand.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let floats: Vec<f32> =
        (0..200).map(|_| next() as f32 / 2e9 - 1.07).chain([0.0, -0.0, 1e-40, f32::INFINITY]).collect();
    let halves: Vec<i16> =
        (0..200).map(|_| next() as i16).chain([i16::MIN, i16::MAX, 1, 3, -1, -3]).collect();
    let words: Vec<i32> = (0..200).map(|_| next() as i32).chain([i32::MIN, i32::MAX]).collect();
    let blocks = [
        AudioBuffer::from_f32(48_000, 2, floats).unwrap(),
        AudioBuffer::from_i16(16_000, 1, halves).unwrap(),
        AudioBuffer::from_i32(96_000, 2, words).unwrap(),
        AudioBuffer::from_f32(8_000, 3, Vec::new()).unwrap(),
    ];
    for gain_db in [-150.0, -20.0 * 2_f64.log10(), 0.0, 3.5, 20.0, 150.0] {
        let params = json!({"gain_db": gain_db});
        let mut python = started("gain-python", params.clone()).unwrap();
        let mut rust = started("gain", params).unwrap();
        for block in &blocks {
            assert_eq!(
                through(&mut *python, block),
                through(&mut *rust, block),
                "{gain_db} dB, {:?}",
                block.spec()
            );
        }
        python.cleanup();
    }
}

#[test]
fn python_and_rust_describe_the_same_node() {
    let [python, rust] =
        ["gain-python", "gain"].map(|file| RUNTIME.describe(&gain(file, json!({}))).unwrap().unwrap());
    assert_eq!((&python.node_type, &python.summary), (&rust.node_type, &rust.summary));
    assert_eq!((&python.inputs, &python.outputs), (&rust.inputs, &rust.outputs));
    assert_eq!(python.stateless, rust.stateless);
    let schema = &python.params_schema;
    assert_eq!(schema["additionalProperties"], false);
    for key in ["type", "minimum", "maximum", "description"] {
        let of = |schema: &Value| schema["properties"]["gain_db"][key].clone();
        assert_eq!(of(schema), of(&rust.params_schema), "{key}");
    }
}

#[test]
fn wrong_params_are_refused_by_name() {
    for (params, words) in [
        (json!({"gain": 1}), "unknown field `gain`, there is: `gain_db`"),
        (json!({"gain_db": 1000}), "gain_db is 1000, must be from -150 to 150"),
        (json!({"gain_db": "loud"}), "gain_db is \"loud\", must be a number"),
    ] {
        let error = error_of(started("gain-python", params));
        assert_eq!(error.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains(words), "{error}");
    }
    let mut node = started("gain-python", json!({})).unwrap();
    let error = error_of(process(&mut *node, Packet::new(0, "text")));
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}
