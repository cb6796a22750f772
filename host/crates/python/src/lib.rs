//! Runs nodes written as Python classes, in the CPython that this host is linked with.
//!
//! The only crate that knows PyO3. It owns the interpreter's start, the search for classes and virtual environments,
//! the conversion of payloads, and how a class becomes a [`Node`]. It does not choose which nodes are Python's, and it
//! isolates nothing: a Python node may do whatever the host's user may.
//!
//! A class needs a method `process(value)`; `initialize()`, `flush()` and `cleanup()` are called when they are there.
//! Each may be a plain function, a coroutine function, a generator or an asynchronous generator; every value that is
//! returned or yielded is one output, `None` is none. Class attributes that are read, all optional:
//! `is_streaming` (process takes one asynchronous generator of all inputs), `remotemedia_inputs` and
//! `remotemedia_outputs` (`{"port": "audio"}`), `remotemedia_stateless`, `remotemedia_heavy`.

mod array;
mod class;
mod clock;
mod config;
#[cfg(not(Py_LIMITED_API))]
mod embed;
mod entering;
mod errors;
mod in_span;
mod info;
mod interpreter;
mod kernel;
mod live;
mod loan;
mod logs;
pub mod marshal;
mod node;
mod object;
mod shim;
mod traced;
mod venv;

use std::path::Path;
use std::sync::Arc;

use pyo3::prelude::*;
use remotemedia_core::{
    ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Opaque, Runtime, RuntimeKind,
};
use serde_json::Value;

pub use clock::StreamClock;
pub use config::{CpythonConfig, PYTHON_VERSION};
pub use info::InterpreterInfo;
pub use kernel::KernelRuntime;
pub use live::{LiveNode, LiveNodes};
pub use venv::{Venv, VenvSource, find as find_venv};

use class::ClassName;
use errors::{Verb, to_node_error};
use in_span::InSpan;
use node::CpythonNode;

/// The runtime of Python classes. Making one costs nothing: the interpreter starts with the first node that is one.
#[derive(Clone, Debug, Default)]
pub struct CpythonRuntime {
    config: CpythonConfig,
    live: Option<Arc<LiveNodes>>,
}

impl CpythonRuntime {
    /// A runtime with these settings.
    #[must_use]
    pub fn new(config: CpythonConfig) -> Self {
        Self { config, live: None }
    }

    /// A runtime for pipelines of the Python program that this process is: the nodes with the ids of `live` are those
    /// objects. Its pipelines are called from threads that run Python anyway, so their nodes need none of their own.
    #[must_use]
    pub fn with_live_nodes(config: CpythonConfig, live: Arc<LiveNodes>) -> Self {
        Self { config, live: Some(live) }
    }

    fn live(&self, node: &NodeManifest) -> Option<&LiveNode> {
        self.live.as_ref()?.get(&node.id)
    }

    /// True when the interpreter runs already.
    #[must_use]
    pub fn is_started(&self) -> bool {
        interpreter::running().is_some()
    }

    /// Which Python this is. Starts the interpreter, with the environment that a manifest in `base_dir` would get.
    ///
    /// # Errors
    /// `Unavailable` when it does not start or its virtual environment does not fit.
    pub fn info(&self, base_dir: &Path) -> Result<InterpreterInfo, NodeError> {
        info::read(interpreter::start(&self.config, base_dir)?)
    }

    /// The bare names that `remotemedia.nodes` defines, read from its files without starting the interpreter.
    #[must_use]
    pub fn node_types(&self) -> Vec<String> {
        class::node_types(&self.config, self.config.current_dir.as_deref().unwrap_or(Path::new("/")))
    }

    /// The nearest JSON value of an object that a Python node returned: tuples and sets become lists, arrays their
    /// elements, numpy's scalars numbers, everything else its `repr`. `None` when the object is not Python's.
    #[must_use]
    pub fn object_to_json(&self, object: &Opaque) -> Option<Value> {
        interpreter::running()?;
        Python::attach(|py| {
            let object = marshal::open(py, object)?;
            let value = shim::report(py).and_then(|report| report.call_method1("to_json", (object,))).ok()?;
            marshal::python_to_json(&value, 200)
        })
    }

    fn start(&self, node: &NodeManifest) -> Result<(), NodeError> {
        interpreter::start(&self.config, &node.base_dir).map(drop)
    }

    fn with_class<T>(
        &self,
        node: &NodeManifest,
        body: impl FnOnce(&Bound<'_, PyAny>, NodeDescriptor) -> Result<T, NodeError>,
    ) -> Result<Option<T>, NodeError> {
        match ClassName::parse(&node.node_type) {
            ClassName::Foreign => return Ok(None),
            ClassName::Malformed => return Err(class::malformed(&node.node_type)),
            ClassName::Bare(name) if !class::may_be_builtin(&self.config, &node.base_dir, name) => {
                return Ok(None);
            }
            ClassName::Bare(_) | ClassName::Qualified { .. } => {}
        }
        self.start(node)?;
        Python::attach(|py| {
            let Some(class) = class::find(py, node)? else { return Ok(None) };
            let descriptor = class::describe(&class, &node.node_type)?;
            body(&class, descriptor).map(Some)
        })
    }
}

impl Runtime for CpythonRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Cpython
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        match self.live(node) {
            Some(live) => Ok(Some(live.descriptor(&node.node_type))),
            None => self.with_class(node, |_, descriptor| Ok(descriptor)),
        }
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        if let Some(live) = self.live(node) {
            return live.create();
        }
        let created = InSpan::make(node, || {
            self.with_class(node, |class, descriptor| {
                let ports: Vec<String> = descriptor.inputs.into_iter().map(|port| port.name).collect();
                CpythonNode::construct(class, node, &ports)
                    .map_err(|error| to_node_error(class.py(), &error, Verb::Construct))
            })
        })?;
        match created {
            Some(node) => Ok(Box::new(node)),
            None => {
                let message = format!("there is no Python node `{}`", node.node_type);
                Err(NodeError::new(ErrorKind::Unavailable, message))
            }
        }
    }

    fn wants_own_thread(&self) -> bool {
        self.live.is_none()
    }

    fn enter_thread(&self, body: &mut dyn FnMut()) {
        interpreter::keep_attached(body);
    }
}
