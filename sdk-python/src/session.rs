//! One graph, planned once, and the pipeline that runs it on the thread that calls.
//!
//! Nodes that Python holds call back into Python. The thread lets go of the interpreter around everything else, so
//! pipelines of several threads run at the same time.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use remotemedia_host::core::manifest::ManifestFormat;
use remotemedia_host::core::{Manifest, NodeError, Packet, Payload};
use remotemedia_host::engine::{Canceller, Interrupter, Output, Pipeline, PipelineOptions, Plan};
use remotemedia_host::{Config, Host, LiveNode, LiveNodes, StreamClock, marshal};

use crate::cli::own_compiler;
use crate::errors::{manifest_errors, node_error};

/// About so much is fed at a time: milliseconds of work, and no second copy of a long recording.
const FED_BYTES: usize = 1 << 18;

/// What a packet counts beside its samples or elements.
const PACKET_BYTES: usize = 256;

/// What left the graph: (position of the node in the manifest, value).
type Outputs<'py> = Vec<(usize, Bound<'py, PyAny>)>;

/// A node that nothing feeds.
struct Source {
    id: String,
    /// It takes Python objects as they are.
    takes_objects: bool,
    /// It hands objects on; where it gives None, it gives nothing.
    drops_none: bool,
    clock: Mutex<StreamClock>,
}

/// A planned graph and, between `begin` and `end`, its running pipeline.
#[pyclass(frozen, module = "remotemedia._remotemedia_runtime")]
pub(crate) struct Session {
    host: Host,
    plan: Plan,
    sources: Vec<Source>,
    metrics: bool,
    running: Mutex<Option<Pipeline>>,
    canceller: Mutex<Option<Canceller>>,
    /// Of the pipeline that began last: what has left it can still become void.
    interrupter: Mutex<Option<Interrupter>>,
    counted: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Session {
    /// Plans `manifest` (JSON). `live` maps ids to (object, names of inputs, whether its outputs stay Python objects);
    /// the nodes called in `take_objects` get what is fed to them as the Python object that it is.
    #[new]
    fn new(
        py: Python<'_>,
        manifest: &str,
        live: HashMap<String, (Py<PyAny>, Vec<String>, bool)>,
        take_objects: HashSet<String>,
        metrics: bool,
    ) -> PyResult<Self> {
        let live_ids: HashSet<String> = live.keys().cloned().collect();
        let source = |id: &str| Source {
            id: id.into(),
            takes_objects: take_objects.contains(id),
            drops_none: take_objects.contains(id) && !live_ids.contains(id),
            clock: Mutex::default(),
        };
        let live: LiveNodes = live
            .into_iter()
            .map(|(id, (object, inputs, opaque))| (id, LiveNode { object, inputs, opaque }))
            .collect();
        let host = host(py).map_err(PyValueError::new_err)?;
        let planned = py.detach(|| {
            let host = host.with_live_nodes(live);
            let manifest = Manifest::parse(manifest.as_bytes(), ManifestFormat::Json)?;
            host.plan(&manifest).map(|plan| (host, plan))
        });
        let (host, plan) = planned.map_err(|errors| manifest_errors(py, &errors))?;
        let graph = plan.graph();
        let sources =
            graph.sources().into_iter().map(|index| source(&graph.nodes()[index].manifest.id)).collect();
        let (running, canceller, interrupter, counted) = Default::default();
        Ok(Self { host, plan, sources, metrics, running, canceller, interrupter, counted })
    }

    /// (id, node type, runtime, why that runtime) of every node.
    fn plan(&self) -> Vec<(String, String, &'static str, String)> {
        let nodes = self.plan.graph().nodes().iter().enumerate();
        nodes
            .map(|(index, node)| {
                let selection = self.plan.selection(index);
                let manifest = &node.manifest;
                (
                    manifest.id.clone(),
                    manifest.node_type.clone(),
                    selection.kind.name(),
                    selection.reason.clone(),
                )
            })
            .collect()
    }

    /// A whole stream in one call, for graphs without nodes of Python's: `begin`, a `feed` of every item, `finish` and
    /// `end`.
    fn run<'py>(&self, py: Python<'py>, items: &Bound<'py, PyList>) -> PyResult<Outputs<'py>> {
        let _loans = self.loans(py);
        self.begin(py)?;
        let outputs = self.stream(py, items);
        self.end(py);
        outputs
    }

    /// Creates and initializes the nodes that are not Python's own.
    fn begin(&self, py: Python<'_>) -> PyResult<()> {
        self.sources.iter().for_each(|source| *lock(&source.clock) = StreamClock::default());
        let options = PipelineOptions { metrics: self.metrics, live: false, ..PipelineOptions::default() };
        let started = py.detach(|| {
            let pipeline = self.host.start(&self.plan, options)?;
            *lock(&self.canceller) = Some(pipeline.canceller());
            *lock(&self.interrupter) = Some(pipeline.interrupter());
            *lock(&self.running) = Some(pipeline);
            Ok(())
        });
        started.map_err(|error: NodeError| node_error(py, &error))
    }

    /// Gives `value` to every node that nothing feeds.
    fn feed<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Outputs<'py>> {
        let _loans = self.loans(py);
        let packets = self.packets(value)?;
        self.feed_all(py, packets)
    }

    /// Gives `value` to the source called `node_id`, which is one of Python's own.
    fn feed_to<'py>(
        &self,
        py: Python<'py>,
        node_id: &str,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Outputs<'py>> {
        let packet = Packet { pts_ns: 0, payload: marshal::hold_as_it_is(value) };
        self.call(py, move |pipeline| pipeline.feed(node_id, packet))
    }

    /// Ends the stream, and gives what the nodes had kept back.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Outputs<'py>> {
        let mut rest = Vec::new();
        let flushed = self.call(py, |pipeline| {
            pipeline.finish()?;
            while let Some(output) = pipeline.next()? {
                rest.push(output);
            }
            Ok(())
        })?;
        debug_assert!(flushed.is_empty());
        values(py, rest)
    }

    /// Cleans up the nodes that are not Python's own. Does nothing when there is nothing.
    fn end(&self, py: Python<'_>) {
        py.detach(|| {
            lock(&self.canceller).take();
            if let Some(pipeline) = lock(&self.running).take()
                && self.metrics
            {
                *lock(&self.counted) = serde_json::to_string(&pipeline.metrics()).ok();
            }
        });
    }

    /// Lets no further call of a node begin. May be called from any thread.
    fn cancel(&self) {
        if let Some(canceller) = &*lock(&self.canceller) {
            canceller.cancel();
        }
    }

    /// Makes void what was fed so far. May be called from any thread.
    fn interrupt(&self, py: Python<'_>) {
        let interrupter = lock(&self.interrupter).clone();
        if let Some(interrupter) = interrupter {
            py.detach(|| interrupter.interrupt());
        }
    }

    /// The number of the last feed; of a stream that has ended, one that is above all.
    fn last_feed(&self) -> u64 {
        lock(&self.interrupter).as_ref().map_or(0, Interrupter::last_feed)
    }

    /// Is what came of that feed void?
    fn is_void(&self, feed: u64) -> bool {
        lock(&self.interrupter).as_ref().is_some_and(|interrupter| interrupter.is_void(feed))
    }

    /// What the pipeline that ended last had counted, as JSON; once.
    fn take_metrics(&self) -> Option<String> {
        lock(&self.counted).take()
    }
}

impl Session {
    /// Feeds `items` and ends the stream. Several are fed at a time: the interpreter is free meanwhile, and Ctrl-C is
    /// seen in between.
    fn stream<'py>(&self, py: Python<'py>, items: &Bound<'py, PyList>) -> PyResult<Outputs<'py>> {
        let mut packets = Vec::new();
        let mut bytes = 0;
        for item in items {
            let more = self.packets(&item)?;
            bytes += more.iter().map(|(_, packet)| PACKET_BYTES + data_bytes(&packet.payload)).sum::<usize>();
            packets.extend(more);
            if bytes >= FED_BYTES {
                self.only_feed(py, std::mem::take(&mut packets))?;
                bytes = 0;
                py.check_signals()?;
            }
        }
        self.only_feed(py, packets)?;
        self.finish(py)
    }

    /// Lets native nodes read arrays in place while it lives; not beside a Python node that gets the same arrays to do
    /// with as it likes.
    fn loans<'py>(&self, py: Python<'py>) -> Option<marshal::Loans<'py>> {
        self.sources.iter().all(|source| !source.takes_objects).then(|| marshal::Loans::open(py))
    }

    /// Leaves what comes out in the pipeline, where an interruption finds it.
    fn only_feed(&self, py: Python<'_>, packets: Vec<(&str, Packet)>) -> PyResult<()> {
        let fed = py.detach(|| {
            let mut running = lock(&self.running);
            let Some(pipeline) = running.as_mut() else { return Ok(()) };
            packets.into_iter().try_for_each(|(id, packet)| pipeline.feed(id, packet))
        });
        fed.map_err(|error: NodeError| node_error(py, &error))
    }

    fn feed_all<'py>(&self, py: Python<'py>, packets: Vec<(&str, Packet)>) -> PyResult<Outputs<'py>> {
        self.call(py, move |pipeline| {
            packets.into_iter().try_for_each(|(id, packet)| pipeline.feed(id, packet))
        })
    }

    /// What is fed to each source when `value` is given to the pipeline.
    fn packets(&self, value: &Bound<'_, PyAny>) -> PyResult<Vec<(&str, Packet)>> {
        self.sources
            .iter()
            .filter(|source| !(source.drops_none && value.is_none()))
            .map(|source| Ok((source.id.as_str(), source.packet(value)?)))
            .collect()
    }

    /// Calls the running pipeline without holding the interpreter, and takes what left the graph.
    fn call<'py>(
        &self,
        py: Python<'py>,
        body: impl FnOnce(&mut Pipeline) -> Result<(), NodeError> + Send,
    ) -> PyResult<Outputs<'py>> {
        let done = py.detach(|| {
            let mut running = lock(&self.running);
            let Some(pipeline) = running.as_mut() else { return Ok(None) };
            body(pipeline)?;
            let mut outputs = Vec::new();
            while let Some(output) = pipeline.try_next()? {
                outputs.push(output);
            }
            Ok(Some(outputs))
        });
        match done {
            Ok(Some(outputs)) => values(py, outputs),
            Ok(None) => Err(PyRuntimeError::new_err("the pipeline does not run: begin() comes first")),
            Err(error) => Err(node_error(py, &error)),
        }
    }
}

/// The host of this process, with the settings and the policy that the environment named when it was first needed.
fn host(py: Python<'_>) -> Result<&'static Host, String> {
    static HOST: OnceLock<Host> = OnceLock::new();
    if let Some(host) = HOST.get() {
        return Ok(host);
    }
    let mut config = Config::from_env().map_err(|error| error.to_string())?;
    config.own_compiler = own_compiler(py);
    config.read_policy(None).map_err(|error| error.to_string())?;
    Ok(HOST.get_or_init(|| Host::new(config)))
}

pub(crate) fn native_node_types() -> Vec<String> {
    let host = Host::new(Config::default());
    host.native_nodes().into_iter().map(|descriptor| descriptor.node_type.clone()).collect()
}

fn data_bytes(payload: &Payload) -> usize {
    match payload {
        Payload::Audio(audio) => audio.as_bytes().len(),
        Payload::Tensor(tensor) => tensor.data().len(),
        Payload::Bytes(bytes) => bytes.len(),
        Payload::Text(text) => text.len(),
        _ => 0,
    }
}

impl Source {
    fn packet(&self, value: &Bound<'_, PyAny>) -> PyResult<Packet> {
        if self.takes_objects {
            return Ok(Packet { pts_ns: 0, payload: marshal::hold_as_it_is(value) });
        }
        let payload = marshal::python_to_payload(value)?;
        Ok(Packet { pts_ns: lock(&self.clock).stamp(&payload), payload })
    }
}

fn values(py: Python<'_>, outputs: Vec<Output>) -> PyResult<Outputs<'_>> {
    outputs
        .into_iter()
        .map(|output| Ok((output.node, marshal::payload_to_python(py, output.packet.payload)?)))
        .collect()
}
