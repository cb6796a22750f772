//! Packets, and where a node puts those it emits.

use serde_json::Value;

use crate::audio::Audio;
use crate::bindings::remotemedia::node::types as wit;
use crate::error::NodeError;

pub use wit::Dtype as DType;

/// One timestamped value.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Time of the payload's first sample, in nanoseconds since the start of the stream.
    pub pts_ns: i64,
    /// What is carried.
    pub payload: Payload,
}

impl Packet {
    /// A packet of `payload` at `pts_ns`.
    pub fn new(pts_ns: i64, payload: impl Into<Payload>) -> Self {
        Self { pts_ns, payload: payload.into() }
    }
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Interleaved PCM.
    Audio(Audio),
    /// UTF-8 text.
    Text(String),
    /// Any JSON value.
    Json(Value),
    /// An n-dimensional array.
    Tensor(Tensor),
    /// Uninterpreted bytes.
    Bytes(Vec<u8>),
}

impl Payload {
    /// The name of the payload's kind.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Audio(_) => "audio",
            Self::Text(_) => "text",
            Self::Json(_) => "json",
            Self::Tensor(_) => "tensor",
            Self::Bytes(_) => "bytes",
        }
    }
}

impl From<Audio> for Payload {
    fn from(audio: Audio) -> Self {
        Self::Audio(audio)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl From<Tensor> for Payload {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// A row-major array of little-endian elements; an empty shape is a scalar.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The element type.
    pub dtype: DType,
    /// Extents, outermost first.
    pub shape: Vec<u32>,
    /// The elements.
    pub data: Vec<u8>,
}

impl Tensor {
    /// A `float32` tensor of `elements`, whose count must be the product of `shape`.
    #[must_use]
    pub fn from_f32(shape: &[u32], elements: &[f32]) -> Self {
        Self { dtype: DType::Float32, shape: shape.to_vec(), data: bytemuck::cast_slice(elements).to_vec() }
    }

    /// The elements, when they are `float32`.
    #[must_use]
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.dtype == DType::Float32)
            .then(|| self.data.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect())
    }
}

/// Where a node puts the packets it emits.
#[derive(Debug, Default)]
pub struct Outputs {
    emitted: Vec<wit::Output>,
    scratch: Vec<f32>,
}

impl Outputs {
    /// Emits a packet on the first output port.
    pub fn push(&mut self, packet: Packet) {
        self.push_to(0, packet);
    }

    /// Emits a packet on the output port of that number.
    pub fn push_to(&mut self, port: u16, packet: Packet) {
        self.emitted.push(wit::Output { port, packet: packet.into() });
    }

    pub(crate) const fn new() -> Self {
        Self { emitted: Vec::new(), scratch: Vec::new() }
    }

    pub(crate) fn scratch(&mut self) -> &mut Vec<f32> {
        &mut self.scratch
    }

    pub(crate) fn take(&mut self) -> Vec<wit::Output> {
        std::mem::take(&mut self.emitted)
    }
}

impl From<Packet> for wit::Packet {
    fn from(packet: Packet) -> Self {
        let payload = match packet.payload {
            Payload::Audio(audio) => wit::Payload::Audio(audio.0),
            Payload::Text(text) => wit::Payload::Text(text),
            Payload::Json(value) => wit::Payload::Json(value.to_string()),
            Payload::Tensor(Tensor { dtype, shape, data }) => {
                wit::Payload::Tensor(wit::Tensor { dtype, shape, data })
            }
            Payload::Bytes(bytes) => wit::Payload::Bytes(bytes),
        };
        Self { pts_ns: packet.pts_ns, payload }
    }
}

impl TryFrom<wit::Packet> for Packet {
    type Error = NodeError;

    fn try_from(packet: wit::Packet) -> Result<Self, NodeError> {
        let payload = match packet.payload {
            wit::Payload::Audio(audio) => Payload::Audio(Audio(audio)),
            wit::Payload::Text(text) => Payload::Text(text),
            wit::Payload::Json(json) => Payload::Json(
                serde_json::from_str(&json)
                    .map_err(|error| NodeError::invalid_input(format!("not JSON: {error}")))?,
            ),
            wit::Payload::Tensor(wit::Tensor { dtype, shape, data }) => {
                Payload::Tensor(Tensor { dtype, shape, data })
            }
            wit::Payload::Bytes(bytes) => Payload::Bytes(bytes),
        };
        Ok(Self { pts_ns: packet.pts_ns, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_crosses_the_boundary_and_comes_back() {
        let payloads: [Payload; 5] = [
            Audio::from_f32(16_000, 2, &[0.5, -0.5]).into(),
            String::from("grüße").into(),
            serde_json::json!({"n": [1, 2.5, null]}).into(),
            Tensor::from_f32(&[2, 1], &[1.0, 2.0]).into(),
            vec![0_u8, 255].into(),
        ];
        for payload in payloads {
            let shown = format!("{payload:?}");
            let back = Packet::try_from(wit::Packet::from(Packet::new(-7, payload))).unwrap();
            assert_eq!(back.pts_ns, -7);
            assert_eq!(format!("{:?}", back.payload), shown);
        }
    }

    #[test]
    fn text_that_is_not_json_is_refused_as_json() {
        let packet = wit::Packet { pts_ns: 0, payload: wit::Payload::Json("{".into()) };
        assert!(Packet::try_from(packet).unwrap_err().message().starts_with("not JSON"));
    }

    #[test]
    fn a_tensor_gives_its_floats_back() {
        assert_eq!(Tensor::from_f32(&[2], &[1.5, -2.0]).to_f32().unwrap(), [1.5, -2.0]);
        let bytes = Tensor { dtype: DType::Uint8, shape: vec![1], data: vec![1] };
        assert_eq!(bytes.to_f32(), None);
    }
}
