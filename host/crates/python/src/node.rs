//! One running Python object as a [`Node`]: calls its methods and turns what they return, yield or await into
//! packets. Every verb attaches to the interpreter for its own duration only.
//!
//! Outputs carry the time of the packet that caused them; those of `flush` the time of the last packet.

use std::time::Instant;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyType};
use remotemedia_core::{ErrorKind, Node, NodeError, NodeManifest, Outputs, Packet, Payload, Port};

use crate::array;
use crate::clock::StreamClock;
use crate::errors::{Verb, to_node_error};
use crate::marshal::{given_to_payload, hold_as_it_is, json_to_python, payload_to_python};
use crate::shim;
use crate::traced::TracedMemory;

pub(crate) struct CpythonNode {
    instance: Py<PyAny>,
    process: Py<PyAny>,
    /// The event loop of the node; made when something first has to be awaited.
    driver: Option<Py<PyAny>>,
    /// The input of a streaming node; open from `initialize` to `flush`.
    stream: Option<Py<PyAny>>,
    is_streaming: bool,
    /// Outputs stay Python objects, because only Python takes them: nothing is converted, and nothing lost.
    opaque: bool,
    /// Of a live node: when what it gives begins, because the program says no times.
    clock: Option<StreamClock>,
    /// Names of the input ports when there are several: `process` is then told which, as `port=`.
    ports: Vec<Py<PyString>>,
    inputs: usize,
    last_pts_ns: i64,
    /// Counts its memory while `tracemalloc` runs.
    traced: Option<TracedMemory>,
}

impl CpythonNode {
    /// Calls `class(**params)`.
    pub(crate) fn construct(
        class: &Bound<'_, PyAny>,
        manifest: &NodeManifest,
        ports: &[String],
    ) -> PyResult<Self> {
        let py = class.py();
        let params = PyDict::new(py);
        for (name, value) in &manifest.params {
            params.set_item(name, json_to_python(py, value)?)?;
        }
        let instance = class.call((), Some(&params))?;
        let process = instance.getattr("process")?;
        let streams = instance.getattr_opt("is_streaming")?;
        let is_streaming =
            manifest.is_streaming || streams.is_some_and(|flag| flag.is_truthy().unwrap_or(false));
        let inputs = ports.len();
        let ports = if inputs > 1 { ports } else { &[] };
        Ok(Self {
            process: process.unbind(),
            instance: instance.unbind(),
            driver: None,
            stream: None,
            is_streaming,
            opaque: false,
            clock: None,
            ports: ports.iter().map(|name| PyString::new(py, name).unbind()).collect(),
            inputs,
            last_pts_ns: 0,
            traced: None,
        })
    }

    /// Runs an object that exists already: its `process`, and of `initialize`, `reset`, `flush` and `cleanup` those that
    /// it has. `opaque` leaves its outputs Python objects.
    pub(crate) fn live(object: &Bound<'_, PyAny>, ports: &[String], opaque: bool) -> PyResult<Self> {
        let py = object.py();
        let inputs = ports.len();
        let ports = if inputs > 1 { ports } else { &[] };
        Ok(Self {
            process: object.getattr("process")?.unbind(),
            instance: object.clone().unbind(),
            driver: None,
            stream: None,
            is_streaming: false,
            opaque,
            clock: Some(StreamClock::default()),
            ports: ports.iter().map(|name| PyString::new(py, name).unbind()).collect(),
            inputs,
            last_pts_ns: 0,
            traced: None,
        })
    }

    fn driver<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(driver) = &self.driver {
            return Ok(driver.bind(py).clone());
        }
        let driver = shim::drive(py)?.getattr("NodeLoop")?.call0()?;
        self.driver = Some(driver.clone().unbind());
        Ok(driver)
    }

    fn open_stream<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(stream) = &self.stream {
            return Ok(stream.bind(py).clone());
        }
        let stream = self.driver(py)?.call_method1("open_stream", (&self.process,))?;
        self.stream = Some(stream.clone().unbind());
        Ok(stream)
    }

    fn call_process<'py>(&self, port: Port, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let process = self.process.bind(value.py());
        match self.ports.get(usize::from(port.0)) {
            None => process.call1((value,)),
            Some(name) => {
                let keywords = PyDict::new(process.py());
                keywords.set_item("port", name)?;
                process.call((value,), Some(&keywords))
            }
        }
    }

    /// Pushes what a method returned: nothing, one value, or all values of a generator, awaiting what must be.
    fn emit(&mut self, returned: Bound<'_, PyAny>, pts_ns: i64, out: &mut Outputs) -> PyResult<()> {
        let py = returned.py();
        match Returned::of(&returned)? {
            Returned::Value => self.push(returned, pts_ns, out),
            Returned::Generator => {
                for value in returned.try_iter()? {
                    self.push(value?, pts_ns, out)?;
                }
                Ok(())
            }
            Returned::AsyncGenerator => {
                let values = self.driver(py)?.call_method1("collect", (returned,))?;
                values.cast::<PyList>()?.iter().try_for_each(|value| self.push(value, pts_ns, out))
            }
            Returned::Awaitable => {
                let value = self.driver(py)?.call_method1("complete", (returned,))?;
                self.push(value, pts_ns, out)
            }
        }
    }

    fn emit_streamed(&mut self, values: &Bound<'_, PyAny>, out: &mut Outputs) -> PyResult<()> {
        for pair in values.cast::<PyList>()?.iter() {
            let (pts_ns, value): (i64, Bound<'_, PyAny>) = pair.extract()?;
            self.push(value, pts_ns, out)?;
        }
        Ok(())
    }

    fn push(&mut self, value: Bound<'_, PyAny>, pts_ns: i64, out: &mut Outputs) -> PyResult<()> {
        if !value.is_none() {
            let payload = if self.opaque { hold_as_it_is(&value) } else { given_to_payload(value)? };
            let pts_ns = self.clock.as_mut().map_or(pts_ns, |clock| clock.stamp(&payload));
            out.push(Packet { pts_ns, payload });
        }
        Ok(())
    }

    /// Calls a method that may be missing, and awaits what it returns when that is needed.
    fn call_optional(&mut self, py: Python<'_>, name: &str) -> PyResult<()> {
        if let Some(method) = self.instance.bind(py).getattr_opt(name)? {
            let returned = method.call0()?;
            if matches!(Returned::of(&returned)?, Returned::Awaitable) {
                self.driver(py)?.call_method1("complete", (returned,))?;
            }
        }
        Ok(())
    }

    fn run(&mut self, body: impl FnOnce(&mut Self, Python<'_>) -> PyResult<()>) -> Result<(), NodeError> {
        Python::attach(|py| body(self, py).map_err(|error| to_node_error(py, &error, Verb::Run)))
    }
}

/// How a value that a method returned is to be read.
#[derive(Clone, Copy)]
enum Returned {
    Value,
    Generator,
    AsyncGenerator,
    Awaitable,
}

impl Returned {
    fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        static TYPES: PyOnceLock<[Py<PyType>; 3]> = PyOnceLock::new();
        let py = value.py();
        let [generator, async_generator, coroutine] = TYPES.get_or_try_init(py, || {
            let types = py.import("types")?;
            let named =
                |name| types.getattr(name)?.cast_into::<PyType>().map(Bound::unbind).map_err(PyErr::from);
            Ok::<_, PyErr>([named("GeneratorType")?, named("AsyncGeneratorType")?, named("CoroutineType")?])
        })?;
        let kind = value.get_type();
        Ok(if kind.is(generator) {
            Self::Generator
        } else if kind.is(async_generator) {
            Self::AsyncGenerator
        } else if kind.is(coroutine) {
            Self::Awaitable
        } else {
            Self::Value
        })
    }
}

/// The Python value of a packet, or an error about the packet rather than the node.
fn input<'py>(py: Python<'py>, payload: Payload) -> Result<Bound<'py, PyAny>, NodeError> {
    if let Payload::Object(object) = &payload
        && crate::marshal::open(py, object).is_none()
    {
        let message = format!("takes any Python value, got `{}` of another runtime", object.type_name());
        return Err(NodeError::invalid_input(message));
    }
    if matches!(payload, Payload::Audio(_) | Payload::Tensor(_)) {
        array::require_numpy(py).map_err(|error| no_numpy(py, &error, &payload.type_name()))?;
    }
    payload_to_python(py, payload).map_err(|error| to_node_error(py, &error, Verb::Run))
}

fn no_numpy(py: Python<'_>, error: &PyErr, kind: &str) -> NodeError {
    let executable = py.import("sys").and_then(|sys| sys.getattr("executable")?.extract::<String>());
    let message = format!(
        "{kind} reaches a Python node as a numpy array, but numpy cannot be imported ({error}); install it with: \
         {} -m pip install numpy",
        executable.unwrap_or_else(|_| "python3".into())
    );
    NodeError::new(ErrorKind::Unavailable, message)
}

impl Node for CpythonNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.run(|node, py| {
            let mut traced = TracedMemory::begin(py)?;
            let held = traced.as_ref().map(|traced| traced.held_bytes(py));
            node.call_optional(py, "initialize")?;
            if let (Some(traced), Some(held)) = (&mut traced, held) {
                traced.add(py, held);
            }
            node.traced = traced;
            // A node may choose its `process` here.
            node.process = node.instance.bind(py).getattr("process")?.unbind();
            Ok(())
        })
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        if usize::from(port.0) >= self.inputs {
            let message = format!("it has {} input ports, there is no port {}", self.inputs, port.0);
            return Err(NodeError::invalid_input(message));
        }
        let pts_ns = packet.pts_ns;
        self.last_pts_ns = pts_ns;
        // Not since the call began: an earlier attempt at it, or another runtime's, is no wait.
        let asked = out.notes().are_read().then(Instant::now);
        Python::attach(|py| {
            if let Some(asked) = asked {
                out.notes().waited_since(asked);
            }
            let held = self.traced.as_ref().map(|traced| traced.held_bytes(py));
            let value = input(py, packet.payload)?;
            let outcome = if self.is_streaming {
                self.open_stream(py)
                    .and_then(|stream| stream.call_method1("feed", (pts_ns, value)))
                    .and_then(|values| self.emit_streamed(&values, out))
            } else {
                self.call_process(port, value).and_then(|returned| self.emit(returned, pts_ns, out))
            };
            if let (Some(traced), Some(held)) = (&mut self.traced, held) {
                out.notes().holds(Some(traced.add(py, held)));
            }
            outcome.map_err(|error| to_node_error(py, &error, Verb::Run))
        })
    }

    /// The object's own `reset`, if it has one: what it returns is believed, and nothing means yes. A streaming node gets a
    /// new stream.
    fn reset(&mut self) -> Result<bool, NodeError> {
        let mut has_forgotten = false;
        self.run(|node, py| {
            has_forgotten = node.is_streaming;
            if let Some(stream) = node.stream.take() {
                stream.bind(py).call_method0("close")?;
            }
            let Some(reset) = node.instance.bind(py).getattr_opt("reset")? else { return Ok(()) };
            let mut returned = reset.call0()?;
            if matches!(Returned::of(&returned)?, Returned::Awaitable) {
                returned = node.driver(py)?.call_method1("complete", (returned,))?;
            }
            has_forgotten = returned.is_none() || returned.is_truthy()?;
            Ok(())
        })?;
        Ok(has_forgotten)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.run(|node, py| {
            if node.is_streaming {
                let values = node.open_stream(py)?.call_method0("end")?;
                node.emit_streamed(&values, out)?;
            }
            match node.instance.bind(py).getattr_opt("flush")? {
                Some(flush) => {
                    let returned = flush.call0()?;
                    node.emit(returned, node.last_pts_ns, out)
                }
                None => Ok(()),
            }
        })
    }

    fn cleanup(&mut self) {
        let outcome = self.run(|node, py| {
            let cleaned = node.call_optional(py, "cleanup");
            node.stream = None;
            match node.driver.take() {
                Some(driver) => driver.bind(py).call_method0("close").map(drop).and(cleaned),
                None => cleaned,
            }
        });
        if let Err(error) = outcome {
            tracing::warn!(%error, "a Python node failed in cleanup");
        }
    }
}
