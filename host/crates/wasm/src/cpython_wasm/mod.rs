//! The cpython_wasm `Runtime`: runs pure-Python classes in CPython compiled to WebAssembly, in the same sandbox as every
//! component.
//!
//! One component, the runner (guest-nodes/python/runner), is compiled once and cached like any other. A node is an
//! instance of it that is told which class to load, and sees copies of the class's modules and the operator's packages,
//! read-only, besides what every component may be granted. It does not decide which Python nodes run here.

mod class_source;
mod said;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use remotemedia_core::{
    ErrorKind, ManifestError, Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, Port, Runtime,
    RuntimeKind,
};

use crate::granted::GrantedDir;
use crate::host_dirs::Location;
use crate::instance::{Instance, Sandbox};
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::node::{MadeOf, WasmNode};
use crate::runtime::{WasmRuntime, denied};
use class_source::ClassSource;

/// What `remotemedia.nodes` exports: the bare names that may be Python's.
const BUNDLED_NODES: &str = include_str!("bundled_nodes.py");

/// Where the sandboxed CPython finds what it needs.
#[derive(Clone, Debug, Default)]
pub struct CpythonWasmConfig {
    /// Where python-runner.wasm may be; the first that is there counts.
    pub runner: Vec<PathBuf>,
    /// Folders of pure-Python packages that every class may import.
    pub packages: Vec<PathBuf>,
}

/// Runs Python classes sandboxed. Cheap to make and to keep unused.
#[derive(Debug)]
pub struct CpythonWasmRuntime {
    wasm: Arc<WasmRuntime>,
    config: CpythonWasmConfig,
    ready: Mutex<Option<Ready>>,
}

/// The runner, compiled.
#[derive(Clone)]
struct Ready {
    loader: Arc<Loader>,
    loaded: Arc<Loaded>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ready")
    }
}

impl CpythonWasmRuntime {
    /// A runtime in the sandbox of `wasm`, which has done nothing yet.
    #[must_use]
    pub fn new(wasm: Arc<WasmRuntime>, config: CpythonWasmConfig) -> Self {
        Self { wasm, config, ready: Mutex::default() }
    }

    /// The runner's file.
    ///
    /// # Errors
    /// `Unavailable` when it is in none of the places, which the message names.
    pub fn runner(&self) -> Result<&Path, NodeError> {
        let found = self.config.runner.iter().find(|path| path.is_file());
        found.map(PathBuf::as_path).ok_or_else(|| {
            let places: Vec<String> =
                self.config.runner.iter().map(|path| path.display().to_string()).collect();
            let message = format!(
                "there is no sandboxed CPython: python-runner.wasm is not at {}. Build it with guest-nodes/build.sh, or \
                 name it with REMOTEMEDIA_PYTHON_RUNNER",
                if places.is_empty() { "any place".to_owned() } else { places.join(" or ") }
            );
            NodeError::new(ErrorKind::Unavailable, message)
        })
    }

    fn ready(&self) -> Result<Ready, NodeError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = &*ready {
            return Ok(ready.clone());
        }
        let (loader, loaded) = self.wasm.load_own(self.runner()?)?;
        Ok(ready.insert(Ready { loader, loaded }).clone())
    }

    /// An instance that knows its class, and that was not initialized.
    fn start(&self, node: &NodeManifest) -> Result<Started, NodeError> {
        let mut sandbox = self.wasm.sandbox(node).map_err(denied)?;
        let memory_bytes = sandbox.node_limits.memory_bytes;
        let Ready { loader, loaded } = self.ready()?;
        let is_qualified = node.node_type.contains(':');
        let source = if is_qualified { Some(ClassSource::copy(&node.base_dir)?) } else { None };
        let granted = Arc::make_mut(&mut sandbox.granted);
        granted.env.push(("REMOTEMEDIA_CLASS".into(), node.node_type.clone()));
        if node.is_streaming {
            granted.env.push(("REMOTEMEDIA_STREAMING".into(), "1".into()));
        }
        let readable = |host: &Path, guest: String| {
            let location = Location::of_the_host(host);
            GrantedDir { location, guest, writable: false }
        };
        granted.dirs.extend(source.iter().map(|source| readable(source.path(), said::CLASS_FOLDER.into())));
        let packages = self.config.packages.iter().zip(0..);
        granted.dirs.extend(packages.map(|(folder, number)| readable(folder, format!("/packages/{number}"))));
        let instance = Instance::start(&loader.engine, &loaded.prepared, &node.id, sandbox.clone())?;
        Ok(Started { instance, loader, loaded, sandbox, source, memory_bytes })
    }
}

struct Started {
    instance: Instance,
    loader: Arc<Loader>,
    loaded: Arc<Loaded>,
    sandbox: Sandbox,
    source: Option<ClassSource>,
    memory_bytes: usize,
}

impl Started {
    fn origin(&self) -> Option<&Path> {
        self.source.as_ref().map(ClassSource::origin)
    }

    /// What the class says about itself. The boundary's `describe` cannot fail, so a failure comes as a descriptor of
    /// the type `error`.
    fn describe(&mut self, node_type: &str) -> Result<NodeDescriptor, NodeError> {
        let mut descriptor = self.instance.describe()?;
        if descriptor.node_type == "error" {
            let error = NodeError::new(ErrorKind::Unavailable, descriptor.summary);
            return Err(said::read(error, self.origin(), self.memory_bytes));
        }
        descriptor.node_type = node_type.to_owned();
        if let Some(schema) = descriptor.params_schema.as_object_mut() {
            descriptor.heavy = schema.remove("x-remotemedia-heavy").is_some_and(|heavy| heavy == true);
        }
        Ok(descriptor)
    }
}

impl Runtime for CpythonWasmRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::CpythonWasm
    }

    fn refusals(&self, node: &NodeManifest) -> Vec<ManifestError> {
        self.wasm.refusals(node)
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        if node.component.is_some() || !may_be_class(&node.node_type) {
            return Ok(None);
        }
        self.start(node)?.describe(&node.node_type).map(Some)
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let mut started = self.start(node)?;
        let descriptor = started.describe(&node.node_type)?;
        let params_json = serde_json::to_string(&node.params)
            .map_err(|error| NodeError::invalid_params(format!("params: {error}")))?;
        let Started { instance, loader, loaded, sandbox, source, memory_bytes } = started;
        let loaded = Arc::new(loaded.with_descriptor(descriptor));
        let made_of =
            MadeOf { loader, loaded, sandbox, params_json: params_json.into(), id: node.id.as_str().into() };
        let node = WasmNode::around(instance, made_of);
        Ok(Box::new(ClassNode { node, source, memory_bytes }))
    }
}

/// A class of a module, or a bare name that `remotemedia.nodes` mentions.
fn may_be_class(node_type: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    node_type.contains(':')
        || (!node_type.is_empty()
            && BUNDLED_NODES.split(|character| !is_word(character)).any(|word| word == node_type))
}

/// A running class. Its errors are Python's.
struct ClassNode {
    node: WasmNode,
    source: Option<ClassSource>,
    memory_bytes: usize,
}

impl ClassNode {
    fn read<T>(&self, result: Result<T, NodeError>) -> Result<T, NodeError> {
        let origin = self.source.as_ref().map(ClassSource::origin);
        result.map_err(|error| said::read(error, origin, self.memory_bytes))
    }
}

impl Node for ClassNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        let result = self.node.initialize();
        self.read(result)
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let result = self.node.process(port, packet, out);
        self.read(result)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let result = self.node.flush(out);
        self.read(result)
    }

    fn cleanup(&mut self) {
        self.node.cleanup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::WasmConfig;

    fn runtime(runner: Vec<PathBuf>) -> CpythonWasmRuntime {
        let wasm = Arc::new(WasmRuntime::new(WasmConfig::default()));
        CpythonWasmRuntime::new(wasm, CpythonWasmConfig { runner, packages: Vec::new() })
    }

    #[test]
    fn a_missing_runner_is_named_with_what_to_do() {
        let error = runtime(vec!["/nonexistent/python-runner.wasm".into()])
            .describe(&NodeManifest::new("n", "nodes:Rms"))
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        for part in ["/nonexistent/python-runner.wasm", "guest-nodes/build.sh", "REMOTEMEDIA_PYTHON_RUNNER"] {
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn other_names_start_nothing() {
        let runtime = runtime(Vec::new());
        for other in ["AudioGain", "SpectralCentroids", "audio-gain", ""] {
            assert_eq!(runtime.describe(&NodeManifest::new("n", other)), Ok(None), "{other}");
        }
        assert!(may_be_class("SpectralCentroid"));
    }
}
