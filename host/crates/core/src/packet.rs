//! Packets: what travels on an edge. A packet is one payload and the time it belongs to.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::audio::AudioBuffer;
use crate::descriptor::PayloadKind;
use crate::tensor::Tensor;

/// One timestamped value on an edge. Cloning it never copies samples.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Presentation time of the payload's first sample, in nanoseconds since the start of the stream.
    pub pts_ns: i64,
    /// What is carried.
    pub payload: Payload,
}

impl Packet {
    /// A packet of `payload` at `pts_ns`.
    pub fn new(pts_ns: i64, payload: impl Into<Payload>) -> Self {
        Self { pts_ns, payload: payload.into() }
    }

    /// Play-back time in nanoseconds: an audio payload's length, 0 for every other payload.
    #[must_use]
    pub fn duration_ns(&self) -> i64 {
        match &self.payload {
            Payload::Audio(audio) => audio.duration_ns(),
            _ => 0,
        }
    }
}

/// What a packet carries. Every variant is cheap to clone.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Interleaved PCM.
    Audio(AudioBuffer),
    /// UTF-8 text.
    Text(Arc<str>),
    /// Any JSON value: numbers, events, structures.
    Json(Arc<Value>),
    /// An n-dimensional array.
    Tensor(Box<Tensor>),
    /// Uninterpreted bytes.
    Bytes(Bytes),
    /// A value that only the runtime that made it can open.
    Object(Opaque),
}

impl Payload {
    /// The kind a port declares to accept this payload. Opaque objects fit `Any` ports only.
    #[must_use]
    pub fn kind(&self) -> PayloadKind {
        match self {
            Self::Audio(_) => PayloadKind::Audio,
            Self::Text(_) => PayloadKind::Text,
            Self::Json(_) => PayloadKind::Json,
            Self::Tensor(_) => PayloadKind::Tensor,
            Self::Bytes(_) => PayloadKind::Bytes,
            Self::Object(_) => PayloadKind::Any,
        }
    }

    /// What to call this payload in an error message.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Object(object) => object.type_name(),
            other => other.kind().name(),
        }
    }
}

impl From<AudioBuffer> for Payload {
    fn from(audio: AudioBuffer) -> Self {
        Self::Audio(audio)
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Json(Arc::new(value))
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Tensor> for Payload {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(Box::new(tensor))
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// An object of one runtime (a Python tuple, say) that passes through the others unopened.
#[derive(Clone)]
pub struct Opaque {
    type_name: Arc<str>,
    value: Arc<dyn Any + Send + Sync>,
}

impl Opaque {
    /// Wraps `value`; `type_name` is what error messages call it.
    pub fn new(type_name: impl Into<Arc<str>>, value: impl Any + Send + Sync) -> Self {
        Self { type_name: type_name.into(), value: Arc::new(value) }
    }

    /// The value, when it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// What error messages call the value.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }
}

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opaque({})", self.type_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_at_most_one_cache_line() {
        assert!(size_of::<Packet>() <= 64, "{} bytes", size_of::<Packet>());
    }

    #[test]
    fn an_opaque_value_opens_only_as_its_own_type() {
        let object = Opaque::new("tuple", 42_u8);
        assert_eq!(object.downcast_ref::<u8>(), Some(&42));
        assert_eq!(object.downcast_ref::<u16>(), None);
        assert_eq!(Payload::Object(object).type_name(), "tuple");
    }
}
