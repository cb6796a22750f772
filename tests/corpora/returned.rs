//! What a component returns, byte by byte of its memory: lifted into packets that keep the descriptor's word and every
//! limit, or refused.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{ErrorKind, Node, NodeManifest, Outputs, Packet, Payload, PayloadKind, Port, Runtime};
use serde_json::Value;

use super::here::{self, HandMade};

/// The kinds of the puppet's outputs, by port.
const OUTPUTS: [PayloadKind; 6] = [
    PayloadKind::Audio,
    PayloadKind::Text,
    PayloadKind::Json,
    PayloadKind::Tensor,
    PayloadKind::Bytes,
    PayloadKind::Any,
];

/// Where the puppet keeps its ports.
const PORTS: usize = 60_000;

/// A component that returns, as the result of `process`, the bytes of the packet that it got: pointers in them count
/// from 65,536, where these bytes lie.
fn puppet() -> Vec<u8> {
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let names = PORTS + 12 * OUTPUTS.len();
    let ports: Vec<u8> = (0..OUTPUTS.len())
        .flat_map(|port| [(names + port) as u32, 1, port as u32])
        .flat_map(u32::to_le_bytes)
        .chain((b'a'..).take(OUTPUTS.len()))
        .collect();
    let outputs: Vec<u8> =
        [PORTS as u32, OUTPUTS.len() as u32].into_iter().flat_map(u32::to_le_bytes).collect();
    HandMade::node()
        .with("process", "(return (local.get $format))")
        .adding(
            "MODULE",
            &format!(
                "(data (i32.const 1056) \"{}\") (data (i32.const {PORTS}) \"{}\") (data (i32.const 1160) \"\\04\")",
                escaped(&outputs),
                escaped(&ports)
            ),
        )
        .bytes()
}

fn policy() -> SandboxPolicy {
    let mut policy = SandboxPolicy::default();
    let limits = &mut policy.limits;
    (limits.packets_per_call, limits.returned_bytes) = (32, 2_048);
    (limits.text_bytes, limits.json_bytes, limits.json_depth) = (256, 512, 8);
    (limits.tensor_dimensions, limits.channels, limits.message_bytes) = (4, 16, 128);
    (limits.running_nodes, limits.wall_timeout_ms) = (8, 60_000);
    policy.restart.attempts = 0;
    policy
}

/// A puppet, and where more of them come from.
struct Stage {
    policy: SandboxPolicy,
    runtime: Arc<dyn Runtime>,
    manifest: NodeManifest,
    node: Option<Box<dyn Node>>,
    _component: tempfile::NamedTempFile,
}

impl Stage {
    fn new() -> Self {
        let mut component = tempfile::Builder::new().suffix(".wasm").tempfile().unwrap();
        component.write_all(&puppet()).unwrap();
        let mut manifest = NodeManifest::new("puppet", "handmade");
        manifest.component = Some(component.path().to_owned().into());
        let runtime = here::sandbox(policy());
        Self { policy: policy(), runtime, manifest, node: None, _component: component }
    }

    fn call(&mut self, data: &[u8]) {
        let node = self.node.get_or_insert_with(|| {
            let mut node = self.runtime.create(&self.manifest).unwrap();
            node.initialize().unwrap();
            node
        });
        let mut out = Outputs::new();
        let packet = || Packet::new(0, Bytes::copy_from_slice(data));
        let Err(error) = node.process(Port::FIRST, packet(), &mut out) else {
            let mut bytes = 0;
            assert!(out.len() <= self.policy.limits.packets_per_call, "{} packets", out.len());
            for (port, packet) in out.drain() {
                bytes += check(&self.policy, port, &packet);
            }
            assert!(bytes <= self.policy.limits.returned_bytes, "{bytes} bytes");
            return;
        };
        assert_eq!(out.len(), 0, "packets of a call that failed: {error}");
        assert!(error.message.len() <= 4 << 10, "a message of {} bytes", error.message.len());
        assert!(!error.message.chars().any(|c| c.is_control() && !"\n\t".contains(c)), "{error:?}");
        match error.kind {
            // What it did is no value of the type, or none that it may return: it is not asked again.
            ErrorKind::Trap | ErrorKind::LimitExceeded => {
                let again = node.process(Port::FIRST, packet(), &mut out).unwrap_err();
                assert!(out.is_empty() && again.kind != ErrorKind::Transient, "{again}");
                node.cleanup();
                self.node = None;
            }
            // The error that it returned.
            ErrorKind::InvalidParams
            | ErrorKind::InvalidInput
            | ErrorKind::Transient
            | ErrorKind::Internal => {
                // It is cut, and then a control character becomes up to eight printable ones.
                assert!(error.message.len() <= 8 * self.policy.limits.message_bytes, "{error}");
            }
            _ => panic!("{error}"),
        }
    }
}

/// What one packet counts, in bytes.
fn check(policy: &SandboxPolicy, port: Port, packet: &Packet) -> usize {
    let limits = &policy.limits;
    let declared = OUTPUTS[usize::from(port.0)];
    assert!(packet.payload.kind().fits(declared), "{} on port {}", packet.payload.type_name(), port.0);
    match &packet.payload {
        Payload::Audio(audio) => {
            let spec = audio.spec();
            assert!(
                (limits.lowest_sample_rate_hz..=limits.sample_rate_hz).contains(&spec.sample_rate_hz),
                "{spec}"
            );
            assert!((1..=limits.channels).contains(&spec.channels), "{spec}");
            assert!(audio.as_f32().unwrap_or_default().iter().all(|sample| sample.is_finite()));
            audio.as_bytes().len()
        }
        Payload::Text(text) => {
            assert!(text.len() <= limits.text_bytes);
            text.len()
        }
        Payload::Json(value) => {
            assert!(depth(value) <= limits.json_depth, "{value}");
            // Written anew it may be longer, but not in kind: `1e9` is `1000000000.0`.
            assert!(value.to_string().len() <= 32 * limits.json_bytes);
            0
        }
        Payload::Tensor(tensor) => {
            assert!(tensor.shape().len() <= limits.tensor_dimensions);
            let elements: usize = tensor.shape().iter().product();
            assert_eq!(elements * tensor.dtype().bytes_per_element(), tensor.data().len());
            tensor.data().len()
        }
        Payload::Bytes(bytes) => bytes.len(),
        Payload::Object(object) => panic!("{object:?}"),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Lets a component return `data`.
pub fn returned(data: &[u8]) {
    thread_local! {
        static STAGE: RefCell<Stage> = RefCell::new(Stage::new());
    }
    STAGE.with_borrow_mut(|stage| stage.call(data));
}
