//! Packets: what travels on an edge. A packet is one payload and the time it belongs to.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::audio::AudioBuffer;
use crate::descriptor::PayloadKind;
use crate::error::NodeError;
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

    /// The same packet, without memory that was lent for a call: for another thread.
    #[must_use]
    pub fn into_own(self) -> Self {
        let payload = match self.payload {
            Payload::Audio(audio) => Payload::Audio(audio.into_own()),
            Payload::Tensor(tensor) if tensor.foreign().is_some() => {
                Payload::Tensor(Box::new(tensor.into_own()))
            }
            other => other,
        };
        Self { payload, ..self }
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

    /// Bytes of samples, text, elements or bytes. A JSON value and an object have no size before somebody writes them
    /// down: 0.
    #[must_use]
    #[inline]
    pub fn byte_count(&self) -> usize {
        match self {
            Self::Audio(audio) => audio.byte_count(),
            Self::Text(text) => text.len(),
            Self::Tensor(tensor) => tensor.data().len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Json(_) | Self::Object(_) => 0,
        }
    }

    /// What to call this payload in an error message.
    #[must_use]
    pub fn type_name(&self) -> Cow<'_, str> {
        match self {
            Self::Object(object) => object.type_name(),
            other => other.kind().name().into(),
        }
    }

    /// This payload as one of `kind`, for a node that cannot open objects: as it is, or what an object has of it.
    /// With [`PayloadKind::Any`], of whatever kind.
    ///
    /// # Errors
    /// `InvalidInput` that says what came instead, and where in it the fault is.
    pub fn into_kind(self, kind: PayloadKind) -> Result<Self, NodeError> {
        match &self {
            Self::Object(object) => object.value.to_kind(kind).ok_or_else(|| self.refused(kind)),
            other if other.kind() == kind || kind == PayloadKind::Any => Ok(self),
            _ => Err(self.refused(kind)),
        }
    }

    /// The audio, for a node that takes nothing else.
    ///
    /// # Errors
    /// As [`Payload::into_kind`].
    pub fn into_audio(self) -> Result<AudioBuffer, NodeError> {
        match self {
            Self::Audio(audio) => Ok(audio),
            other => match other.into_kind(PayloadKind::Audio)? {
                Self::Audio(audio) => Ok(audio),
                other => Err(other.refused(PayloadKind::Audio)),
            },
        }
    }

    /// The error of a node that takes `kind` and got this.
    #[cold]
    #[must_use]
    pub fn refused(&self, kind: PayloadKind) -> NodeError {
        let wanted = match kind {
            PayloadKind::Json => "JSON",
            PayloadKind::Any => "audio, text, JSON, a tensor or bytes",
            other => other.name(),
        };
        let got = self.type_name();
        let why = if let Self::Object(object) = self { object.value.why_not(kind) } else { None };
        NodeError::wrong_kind(match why {
            Some(why) => format!("wants {wanted}, got {got}: {why}"),
            None => format!("wants {wanted}, got {got}"),
        })
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

/// A value that its own runtime knows how to describe and to convert.
pub trait Object: Any + Send + Sync {
    /// What error messages call the value.
    fn type_name(&self) -> Cow<'_, str>;

    /// The payload of `kind` (with [`PayloadKind::Any`]: of any kind but an object) that has the same value, if any.
    fn to_kind(&self, _kind: PayloadKind) -> Option<Payload> {
        None
    }

    /// Why there is none, with the place inside the value.
    fn why_not(&self, _kind: PayloadKind) -> Option<String> {
        None
    }
}

struct Named<T> {
    type_name: Box<str>,
    value: T,
}

impl<T: Any + Send + Sync> Object for Named<T> {
    fn type_name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.type_name)
    }
}

/// An object of one runtime (a Python tuple, say) that passes through the others unopened.
#[derive(Clone)]
pub struct Opaque {
    value: Arc<dyn Object>,
}

impl Opaque {
    /// Wraps `value`; `type_name` is what error messages call it.
    pub fn new(type_name: impl Into<Box<str>>, value: impl Any + Send + Sync) -> Self {
        Self::of(Named { type_name: type_name.into(), value })
    }

    /// Wraps an object that describes itself.
    pub fn of(object: impl Object) -> Self {
        Self { value: Arc::new(object) }
    }

    /// The value, when it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        let value: &dyn Any = &*self.value;
        value.downcast_ref().or_else(|| value.downcast_ref::<Named<T>>().map(|named| &named.value))
    }

    /// What error messages call the value.
    #[must_use]
    pub fn type_name(&self) -> Cow<'_, str> {
        self.value.type_name()
    }
}

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opaque({})", self.type_name())
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

    #[test]
    fn a_payload_becomes_the_kind_that_is_wanted_or_an_error_that_says_what_came() {
        struct Number;
        impl Object for Number {
            fn type_name(&self) -> Cow<'_, str> {
                "demo.Number".into()
            }
            fn to_kind(&self, kind: PayloadKind) -> Option<Payload> {
                (kind == PayloadKind::Json).then(|| Value::from(7).into())
            }
            fn why_not(&self, _: PayloadKind) -> Option<String> {
                Some("value[0] is a stone".into())
            }
        }
        let number = || Payload::Object(Opaque::of(Number));
        assert!(number().into_audio().is_err() && Payload::from("text").into_audio().is_err());
        assert!(matches!(number().into_kind(PayloadKind::Json), Ok(Payload::Json(value)) if *value == 7));
        let error = number().into_kind(PayloadKind::Audio).unwrap_err();
        assert_eq!(&*error.message, "wants audio, got demo.Number: value[0] is a stone");
        assert!(error.is_wrong_kind);
        assert!(Payload::from("text").into_kind(PayloadKind::Any).is_ok());
        let error = Payload::from("text").into_kind(PayloadKind::Json).unwrap_err();
        assert_eq!(&*error.message, "wants JSON, got text");
        assert_eq!(error.kind, crate::ErrorKind::InvalidInput);
        let error = Payload::Object(Opaque::new("stone", ())).into_kind(PayloadKind::Any).unwrap_err();
        assert_eq!(&*error.message, "wants audio, text, JSON, a tensor or bytes, got stone");
    }
}
