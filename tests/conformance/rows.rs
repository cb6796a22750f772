//! The rows: which node on which runtime, with which params, and what it declares. It holds no tests.

use remotemedia_core::RuntimeKind;
use remotemedia_host::conform::{Declared, Length};
use serde_json::{Value, json};

/// Components without a row: one breaks promises on purpose and has a suite of its own, one is for asking what a guest
/// sees, one is no node without a class.
pub const NO_ROWS: [&str; 3] = ["hostile", "probe", "python-runner"];

/// One node on one runtime.
pub struct Row {
    pub runtime: RuntimeKind,
    /// A native type, what a guest declares, or a class of `nodes.py` beside this file.
    pub node_type: &'static str,
    /// The component in `target/guests`, for nodes that are one.
    pub guest: Option<&'static str>,
    pub params: Value,
    pub declared: Declared,
}

impl Row {
    fn of(runtime: RuntimeKind, node_type: &'static str, params: Value) -> Self {
        Self { runtime, node_type, guest: None, params, declared: Declared::default() }
    }

    fn native(node_type: &'static str, params: Value) -> Self {
        Self::of(RuntimeKind::Native, node_type, params)
    }

    fn guest(node_type: &'static str, file: &'static str, params: Value) -> Self {
        Self { guest: Some(file), ..Self::of(RuntimeKind::Wasm, node_type, params) }
    }

    /// The output emits events about silence too.
    fn reports_silence(mut self, output: &str) -> Self {
        self.declared.events_on_silence.push(output.into());
        self
    }

    /// The output ends with a summary of what came before.
    fn looks_back(mut self, output: &str) -> Self {
        self.declared.events_look_back.push(output.into());
        self
    }

    /// The audio output holds parts of the input.
    fn selects(mut self, output: &str) -> Self {
        self.declared.lengths.insert(output.into(), Length::Any);
        self
    }

    /// A result belongs to a packet.
    fn per_packet(mut self) -> Self {
        self.declared.per_packet = true;
        self
    }
}

/// The whole table.
pub fn rows() -> Vec<Row> {
    let mut rows = native();
    rows.extend(guests());
    rows.push(
        Row::of(RuntimeKind::Cpython, "SpectralCentroid", json!({})).per_packet().reports_silence("out"),
    );
    // Pure Python, which both interpreters run.
    for runtime in [RuntimeKind::Cpython, RuntimeKind::CpythonWasm] {
        rows.push(Row::of(runtime, "nodes:Gain", json!({"factor": 0.5})));
        rows.push(Row::of(runtime, "nodes:Words", json!({})));
    }
    rows
}

fn native() -> Vec<Row> {
    vec![
        Row::native("PassThrough", json!({})),
        Row::native("Calculator", json!({"operation": "multiply", "operand": 3})),
        Row::native("Multiply", json!({"factor": 2.5})),
        Row::native("Add", json!({"addend": 1})),
        Row::native("AudioGain", json!({"gain_db": -6})),
        Row::native("AudioResample", json!({"target_sample_rate": 16_000})),
        Row::native("AudioResample", json!({"target_sample_rate": 44_100, "quality": "low"})),
        Row::native("AudioResample", json!({"per_packet": true})).per_packet(),
        Row::native("AudioTransform", json!({})).per_packet(),
        Row::native("ChannelMixer", json!({"output_channels": 2})),
        Row::native("FormatConverter", json!({"target_format": "s16"})),
        Row::native("AudioChunker", json!({"frame_ms": 20})),
        Row::native("AudioChunker", json!({"frame_samples": 400, "hop_samples": 160})).selects("out"),
        Row::native("FrameRms", json!({})).per_packet().reports_silence("out"),
        Row::native("AudioLevel", json!({})).reports_silence("out").looks_back("out"),
        Row::native("SpectralFeatures", json!({})).reports_silence("out"),
        Row::native("SpectralFeatures", json!({"output": "tensor"})).reports_silence("out"),
        Row::native("Denoise", json!({})),
        Row::native("VAD", json!({})).selects("speech").reports_silence("frames"),
        Row::native("VAD", json!({"engine": "energy"})).selects("speech").reports_silence("frames"),
    ]
}

fn guests() -> Vec<Row> {
    let gains = ["gain", "gain-python", "gain-js", "gain-c"];
    let mut rows: Vec<Row> =
        gains.into_iter().map(|file| Row::guest("gain", file, json!({"gain_db": -6}))).collect();
    rows.extend([
        Row::guest("biquad", "biquad", json!({"kind": "lowpass", "frequency_hz": 1_000})),
        Row::guest("limiter", "limiter", json!({"threshold_db": -12})),
        Row::guest("ducker", "ducker", json!({})),
        Row::guest("tone-detector", "tone-detector", json!({"frequencies_hz": [440, 1_000]})),
        Row::guest("text-filter", "text-filter", json!({})),
    ]);
    rows
}
