//! Objects of a running Python program whose work on audio a native node does.
//!
//! The native node gets every item that is audio, with the interpreter released; the object gets everything else, so
//! that the answers to what is no audio are its own. Which audio an item holds and what becomes of the native node's
//! result is said in Python, by two methods, where the item is more than `(samples, rate)` or the result no audio.

use std::sync::Arc;

use bytes::Bytes;
use numpy::{PyArrayDescrMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyTuple};
use remotemedia_core::{
    AudioBuffer, AudioSpec, DType, ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet,
    Payload, PayloadKind, Port, Runtime, RuntimeKind, SampleFormat, Tensor,
};

use crate::array;
use crate::clock::StreamClock;
use crate::errors::{Verb, to_node_error};
use crate::live::LiveNodes;
use crate::marshal::{copied_to_payload, given_to_payload, hold_as_it_is, open, payload_to_python};

/// The native runtime inside a Python program: nodes with the ids of live objects work for these, all others are as
/// ever.
pub struct KernelRuntime {
    native: Arc<dyn Runtime>,
    live: Arc<LiveNodes>,
}

impl KernelRuntime {
    /// `native` makes the nodes.
    #[must_use]
    pub fn new(native: Arc<dyn Runtime>, live: Arc<LiveNodes>) -> Self {
        Self { native, live }
    }
}

impl Runtime for KernelRuntime {
    fn kind(&self) -> RuntimeKind {
        self.native.kind()
    }

    fn node_types(&self) -> Vec<String> {
        self.native.node_types()
    }

    fn lists(&self, node_type: &str) -> bool {
        self.native.lists(node_type)
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        let native = self.native.describe(node)?;
        Ok(match self.live.get(&node.id) {
            // What the object takes and gives, which is any Python value; the params are the native node's.
            Some(live) => native.map(|native| NodeDescriptor {
                params_schema: native.params_schema,
                summary: native.summary,
                ..live.descriptor(&node.node_type)
            }),
            None => native,
        })
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let native = self.native.create(node)?;
        let Some(live) = self.live.get(&node.id) else { return Ok(native) };
        let gives_audio = self
            .native
            .describe(node)?
            .is_some_and(|native| native.outputs.iter().all(|port| port.kind == PayloadKind::Audio));
        Ok(Box::new(KernelNode {
            native,
            object: live.create()?,
            methods: Python::attach(|py| live.object.clone_ref(py)),
            gives_audio,
            opaque: live.opaque,
            given: Outputs::new(),
            clock: StreamClock::default(),
        }))
    }
}

struct KernelNode {
    native: Box<dyn Node>,
    /// Answers what the native node does not take.
    object: Box<dyn Node>,
    /// The object: has `native_begin()`, `native_audio(item)` and `native_answer(item, result)`.
    methods: Py<PyAny>,
    gives_audio: bool,
    /// Only Python takes what it gives.
    opaque: bool,
    given: Outputs,
    /// When the audio in objects begins.
    clock: StreamClock,
}

/// An item that is audio.
struct Taken {
    audio: AudioBuffer,
    /// What `native_answer` needs; `None` when the native node's audio is the answer.
    item: Option<Payload>,
}

impl KernelNode {
    fn take(&self, payload: &Payload) -> Result<Option<Taken>, NodeError> {
        let taken = match payload {
            Payload::Audio(audio) => Some((audio.clone(), true)),
            Payload::Object(object) => Python::attach(|py| {
                let Some(item) = open(py, object) else { return Ok(None) };
                if let Some(audio) = bare(&item) {
                    return Ok(Some((audio, true)));
                }
                let pair = self.methods.bind(py).call_method1("native_audio", (&item,))?;
                Ok(bare(&pair).map(|audio| (audio, false)))
            })
            .map_err(|error: PyErr| failed(&error))?,
            _ => None,
        };
        Ok(taken.map(|(audio, is_bare)| {
            let item = (!self.gives_audio || !is_bare).then(|| payload.clone());
            Taken { audio, item }
        }))
    }

    /// The answer to an item, when there is one.
    fn answer(&self, item: Option<&Py<PyAny>>, result: Payload) -> Result<Option<Payload>, NodeError> {
        let is_f32 = matches!(&result, Payload::Audio(audio) if audio.as_f32().is_some());
        if item.is_none() && (is_f32 || !self.opaque) {
            return Ok(Some(result));
        }
        let answered = Python::attach(|py| {
            let result = to_python(py, result)?;
            let answer = match item {
                Some(item) => self.methods.bind(py).call_method1("native_answer", (item, result))?,
                None => result,
            };
            if answer.is_none() {
                return Ok(None);
            }
            if self.opaque { Ok(Some(hold_as_it_is(&answer))) } else { given_to_payload(answer).map(Some) }
        });
        answered.map_err(|error: PyErr| failed(&error))
    }
}

fn failed(error: &PyErr) -> NodeError {
    Python::attach(|py| to_node_error(py, error, Verb::Run))
}

impl Node for KernelNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.native.initialize()?;
        self.object.initialize()?;
        Python::attach(|py| {
            let begun = self.methods.bind(py).call_method0("native_begin");
            begun.map(drop).map_err(|error| to_node_error(py, &error, Verb::Run))
        })
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Some(Taken { audio, item }) = self.take(&packet.payload)? else {
            return self.object.process(port, packet, out);
        };
        let audio = Payload::Audio(audio);
        let is_object = matches!(packet.payload, Payload::Object(_));
        let pts_ns = if is_object { self.clock.stamp(&audio) } else { packet.pts_ns };
        // Objects are kept for the case that the native node refuses them. Audio is not, so that it has one owner.
        let original = is_object.then_some(packet);
        match self.native.process(port, Packet { pts_ns, payload: audio }, &mut self.given) {
            Ok(()) => {}
            Err(NodeError { kind: ErrorKind::InvalidInput, .. }) if original.is_some() => {
                self.given.truncate(0);
                return original.map_or(Ok(()), |packet| self.object.process(port, packet, out));
            }
            Err(error) => return Err(error),
        }
        let item = match item {
            Some(item) => {
                let item = Python::attach(|py| payload_to_python(py, item).map(Bound::unbind));
                Some(item.map_err(|error| failed(&error))?)
            }
            None => None,
        };
        let mut given = std::mem::take(&mut self.given);
        for (port, Packet { pts_ns, payload }) in given.drain() {
            if let Some(payload) = self.answer(item.as_ref(), payload)? {
                out.push_to(port, Packet { pts_ns, payload });
            }
        }
        self.given = given;
        Ok(())
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        let has_forgotten = self.native.reset()?;
        // The native node has what there is to forget. The object is told, but its answer does not count: it is no as well
        // where the object has no `reset`.
        self.object.reset()?;
        Ok(has_forgotten)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.native.flush(out)?;
        self.object.flush(out)
    }

    fn cleanup(&mut self) {
        self.native.cleanup();
        self.object.cleanup();
    }
}

/// The audio of the pair `(samples, rate)`: samples of float32, int16 or int32 of one or two dimensions, and a plain
/// whole number. `None` for everything else, other kinds of audio included.
fn bare(item: &Bound<'_, PyAny>) -> Option<AudioBuffer> {
    let pair = item.cast_exact::<PyTuple>().ok().filter(|pair| pair.len() == 2)?;
    let (samples, rate) = (pair.get_item(0).ok()?, pair.get_item(1).ok()?);
    if rate.is_instance_of::<PyBool>() || !rate.is_instance_of::<PyInt>() {
        return None;
    }
    let array = array::as_array(&samples)?;
    let (kind, width) = (array.dtype().kind(), array.dtype().itemsize());
    match (kind, width) {
        (b'f', 4) => match copied_to_payload(item).ok()? {
            Payload::Audio(audio) => Some(audio),
            _ => None,
        },
        (b'i', 2 | 4) => {
            let channels = match *array.shape() {
                [_] => 1,
                [channels, _] => channels,
                _ => return None,
            };
            let format = if width == 2 { SampleFormat::S16 } else { SampleFormat::S32 };
            let spec = AudioSpec {
                sample_rate_hz: rate.extract().ok()?,
                channels: u16::try_from(channels).ok()?,
                format,
            };
            // As (frames, channels) the elements are interleaved.
            let frames_first = samples.getattr("T").ok()?;
            match copied_to_payload(&frames_first).ok()? {
                Payload::Tensor(tensor) => AudioBuffer::from_bytes(spec, tensor.data()).ok(),
                _ => None,
            }
        }
        _ => None,
    }
}

/// As `payload_to_python`, but integer samples stay integers.
fn to_python(py: Python<'_>, payload: Payload) -> PyResult<Bound<'_, PyAny>> {
    let audio = match payload {
        Payload::Audio(audio) if audio.as_f32().is_none() => audio,
        other => return payload_to_python(py, other),
    };
    let AudioSpec { sample_rate_hz, channels, format } = audio.spec();
    let dtype = if format == SampleFormat::S16 { DType::Int16 } else { DType::Int32 };
    let shape = [audio.frames(), usize::from(channels)];
    let tensor = Tensor::new(dtype, &shape, Bytes::copy_from_slice(audio.as_bytes()))
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let samples = array::tensor_to_array(py, tensor)?.getattr("T")?;
    (samples, sample_rate_hz).into_pyobject(py).map(Bound::into_any)
}
