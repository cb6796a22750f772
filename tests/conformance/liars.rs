//! Nodes that break exactly one promise each: they show that every check can fail. It holds no tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use remotemedia_core::{
    AudioBuffer, Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, Payload, PayloadKind, Port,
    Runtime, RuntimeKind,
};
use remotemedia_host::conform::{CHECKS, Declared, Options, Report, conform};
use serde_json::json;

/// What conformance says about a node that breaks the promise `lie`, or none; `only` runs one check.
pub fn report(lie: Option<&'static str>, only: Option<&'static str>) -> Report {
    let runtime = Liars { lie: lie.unwrap_or("none"), made: Arc::default(), described: AtomicU64::new(0) };
    let only = only.map(|name| CHECKS.iter().find(|check| check.name == name).unwrap().name);
    let options = Options { quick: true, only, ..Options::default() };
    let node = NodeManifest::new("node", "liar").with_params(json!({"gain": 0.5}));
    conform(&runtime, &node, &Declared::default(), options).unwrap()
}

/// What the evidence against the liar must say.
pub fn words_about(lie: &str) -> &'static str {
    match lie {
        "description" => "answers differently",
        "valid_params" => "it panicked: a gain of one",
        "invalid_params" => "the schema forbids them",
        "refusals" => "text on input `in` is taken",
        "odd_values" => "an empty text on input `in`: it panicked",
        "block_sizes" => "in blocks of 1 instead of blocks of 480: output `out`: frame 1 of channel 0",
        "caps" => "5 ch, f32: process: more than four channels [internal]",
        "caps_change" => "a change of the rate, from 48000 Hz, 1 ch, f32 to 44100 Hz, 1 ch, f32",
        "formats" => "s16 instead of f32",
        "silence" => "made of silence",
        "not_finite" => "after NaN: output `out` still holds NaN",
        "denormals" => "times as long",
        "instances" => "a second node differs from the first",
        "ends" => "20000 frames in: output `out` has 20010 frames at 48000 Hz, it must have 20000",
        "times" => "it must be at 1000000000 ns",
        "memory" => "sandboxed memory",
        "latency" => "of processor time per second of audio",
        _ => panic!("there is no node that fails {lie}: write one"),
    }
}

/// Halves audio, and lies about one thing.
struct Liar {
    lie: &'static str,
    gain: f32,
    /// Number of the instance, from 1 on.
    number: u64,
    calls: u64,
    rate_hz: u32,
    /// The output before, for a filter that remembers.
    before: f32,
}

/// Processor time that this thread has used.
fn thread_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

struct Liars {
    lie: &'static str,
    made: Arc<AtomicU64>,
    described: AtomicU64,
}

impl Runtime for Liars {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Native
    }

    fn describe(&self, _: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        let kind = if self.lie == "odd_values" { PayloadKind::Text } else { PayloadKind::Audio };
        let mut descriptor = NodeDescriptor::transform("liar", kind, "Lies about one thing.");
        descriptor.params_schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"gain": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}},
        });
        if self.lie == "description" {
            descriptor.version = self.described.fetch_add(1, Ordering::Relaxed).to_string();
        }
        Ok(Some(descriptor))
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let is_wrong = |(name, value): (&String, &serde_json::Value)| {
            name != "gain" || !value.as_f64().is_some_and(|gain| (0.0..=1.0).contains(&gain))
        };
        if self.lie != "invalid_params" && node.params.iter().any(is_wrong) {
            return Err(NodeError::invalid_params("`gain` is a number from 0 to 1"));
        }
        let gain = node.params.get("gain").and_then(|gain| gain.as_f64()).unwrap_or(0.5) as f32;
        assert!(self.lie != "valid_params" || gain < 1.0, "a gain of one");
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Box::new(Liar { lie: self.lie, gain, number, calls: 0, rate_hz: 0, before: 0.0 }))
    }
}

impl Liar {
    fn is(&self, lie: &str) -> bool {
        self.lie == lie
    }

    /// Takes so many microseconds of processor time, whatever else the machine does.
    fn dawdle(us: u64) {
        let until = thread_time() + Duration::from_micros(us);
        while thread_time() < until {}
    }

    fn lie_about(&mut self, samples: &mut [f32], is_s16: bool) -> Result<(), NodeError> {
        match self.lie {
            "block_sizes" => samples.iter_mut().take(1).for_each(|first| *first += 0.01),
            "formats" if is_s16 => samples.iter_mut().for_each(|sample| *sample *= 1.01),
            "silence" => samples.iter_mut().for_each(|sample| *sample += 1e-3),
            "instances" => samples.iter_mut().for_each(|sample| *sample += self.number as f32 * 1e-3),
            "not_finite" => samples.iter_mut().for_each(|sample| {
                self.before = *sample + 0.5 * self.before;
                *sample = self.before;
            }),
            "denormals" if samples.iter().any(|sample| sample.is_subnormal()) => Self::dawdle(500),
            "latency" if samples.len() == 480 => Self::dawdle(14_000),
            _ => {}
        }
        Ok(())
    }

    fn audio(&mut self, pts_ns: i64, audio: &AudioBuffer) -> Result<Packet, NodeError> {
        let spec = audio.spec();
        if self.is("caps") && spec.channels > 4 {
            return Err(NodeError::internal("more than four channels"));
        }
        let changed = self.rate_hz != 0 && self.rate_hz != spec.sample_rate_hz;
        assert!(!(self.is("caps_change") && changed), "the rate changed");
        self.rate_hz = spec.sample_rate_hz;
        let mut samples: Vec<f32> = audio.to_f32().iter().map(|sample| sample * self.gain).collect();
        self.lie_about(&mut samples, audio.as_i16().is_some())?;
        let made = AudioBuffer::from_f32(spec.sample_rate_hz, spec.channels, samples).unwrap();
        Ok(Packet::new(if self.is("times") { 0 } else { pts_ns }, made))
    }
}

impl Node for Liar {
    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        self.calls += 1;
        if port != Port::FIRST {
            return Err(NodeError::invalid_input("there is one input"));
        }
        match &packet.payload {
            Payload::Audio(audio) if !self.is("odd_values") => out.push(self.audio(packet.pts_ns, audio)?),
            Payload::Text(text) if self.is("odd_values") => {
                assert!(!text.is_empty(), "an empty text");
                out.push(packet);
            }
            Payload::Text(_) if self.is("refusals") => {}
            other => return Err(NodeError::invalid_input(format!("wants audio, got {}", other.type_name()))),
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        if self.is("ends") {
            out.push(Packet::new(0, AudioBuffer::from_f32(48_000, 1, vec![0.0; 10]).unwrap()));
        }
        Ok(())
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.is("memory").then_some(65_536 + self.calls)
    }
}
