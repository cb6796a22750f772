//! The composition root: one line per runtime, and what can be done with them together.

use std::io;
use std::path::Path;
use std::sync::{Arc, Once};
use std::thread::Builder;
use std::time::Duration;

use remotemedia_core::{
    Manifest, ManifestErrors, NodeDescriptor, NodeError, NodeManifest, Payload, Runtime, RuntimeKind,
    SandboxPolicy,
};
use remotemedia_engine::metrics::calibrate;
use remotemedia_engine::{Pipeline, PipelineOptions, Plan, Runtimes};
use remotemedia_nodes::NativeRuntime;
use remotemedia_python::{CpythonConfig, CpythonRuntime, InterpreterInfo, KernelRuntime, LiveNodes};
use remotemedia_wasm::{
    CompilerProgram, CpythonWasmConfig, CpythonWasmRuntime, Inspection, SandboxCounts, WasmConfig,
    WasmRuntime,
};
use serde_json::Value;

use crate::Config;
use crate::config::nearby_compiler;
use crate::load::{LoadError, load_manifest};
use crate::lock::{self, LockFailure, Locked};
use crate::media::payload_to_json;
use crate::telemetry::TraceContext;

/// A set of runtimes with the operator's settings. Cheap to make; cloning shares the runtimes.
#[derive(Clone)]
pub struct Host {
    config: Config,
    wasm: Arc<WasmRuntime>,
    python: Arc<CpythonRuntime>,
    sandboxed_python: Arc<CpythonWasmRuntime>,
    runtimes: Runtimes,
    tenant: Option<Arc<str>>,
}

/// Calibrates beside the first pipeline, once that has run for longer than calibrating takes. Nothing waits for it.
fn calibrate_beside() {
    static ONCE: Once = Once::new();
    let later = || {
        std::thread::sleep(Duration::from_millis(20));
        calibrate();
    };
    ONCE.call_once(|| drop(Builder::new().name("clock".into()).spawn(later)));
}

/// One line per runtime.
fn composed(
    native: Arc<dyn Runtime>,
    wasm: &Arc<WasmRuntime>,
    python: &Arc<CpythonRuntime>,
    sandboxed_python: &Arc<CpythonWasmRuntime>,
) -> Runtimes {
    Runtimes::new(vec![
        native,
        Arc::clone(wasm) as _,
        Arc::clone(python) as _,
        Arc::clone(sandboxed_python) as _,
    ])
}

impl Host {
    /// A host with every runtime there is. Starts none of them.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let python = CpythonConfig {
            venv: config.venv.clone(),
            virtual_env: config.virtual_env.clone(),
            current_dir: config.current_dir.clone(),
            environment: config.own_trace_context.as_ref().map(TraceContext::to_env).unwrap_or_default(),
            ..CpythonConfig::default()
        };
        let wasm = Arc::new(WasmRuntime::new(WasmConfig {
            policy: Arc::clone(&config.policy),
            env: config.granted_env.clone(),
            cache_dir: config.cache_dir.clone(),
            compiler: config
                .compiler
                .clone()
                .map(Into::into)
                .or_else(|| config.own_compiler.clone())
                .or_else(|| nearby_compiler().map(Into::into)),
            watch: config.watch_components,
            coredump_dir: config.coredump_dir.clone(),
        }));
        let python = Arc::new(CpythonRuntime::new(python));
        let sandboxed_python = Arc::new(CpythonWasmRuntime::new(
            Arc::clone(&wasm),
            CpythonWasmConfig {
                runner: config.python_runner.clone(),
                packages: config.python_packages.clone(),
            },
        ));
        let runtimes = composed(Arc::new(NativeRuntime::new()), &wasm, &python, &sandboxed_python);
        Self { config, wasm, python, sandboxed_python, runtimes, tenant: None }
    }

    /// The same host inside a Python program: of its pipelines, the nodes with the ids of `live` are those objects, or
    /// native nodes that work for them, when the manifest has one under the id. Engines and compiled components are shared.
    #[must_use]
    pub fn with_live_nodes(&self, live: LiveNodes) -> Self {
        // The program has found its packages already.
        let settings = CpythonConfig { module_paths: Vec::new(), ..CpythonConfig::default() };
        let live = Arc::new(live);
        let native = KernelRuntime::new(Arc::new(NativeRuntime::new()), Arc::clone(&live));
        let python = Arc::new(CpythonRuntime::with_live_nodes(settings, live));
        let runtimes = composed(Arc::new(native), &self.wasm, &python, &self.sandboxed_python)
            .sharing_with(&self.runtimes);
        Self { python, runtimes, ..self.clone() }
    }

    /// The same host, acting for the tenant called `name`: what the sandboxed nodes of all its pipelines use counts
    /// together, and apart from other tenants'. Engines and compiled components are shared.
    #[must_use]
    pub fn for_tenant(&self, name: &str) -> Self {
        Self { tenant: Some(name.into()), ..self.clone() }
    }

    /// The settings that the host was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What sandboxed nodes may use and reach.
    #[must_use]
    pub fn policy(&self) -> &SandboxPolicy {
        self.wasm.policy()
    }

    /// The program that compiles components, in a process of its own.
    #[must_use]
    pub fn compiler(&self) -> Option<&CompilerProgram> {
        self.wasm.compiler()
    }

    /// The runtimes, for callers that make single nodes.
    #[must_use]
    pub fn runtimes(&self) -> &Runtimes {
        &self.runtimes
    }

    /// Reads a manifest file (JSON or YAML). Its relative paths mean its own folder. Its components must be what the
    /// `remotemedia.lock` beside it lists, when there is one.
    ///
    /// # Errors
    /// When the file cannot be read, is larger than 16 MiB, or is no valid manifest; or when the lock file is none, or
    /// does not list a component.
    pub fn load_manifest(&self, path: &Path) -> Result<Manifest, LoadError> {
        let mut manifest = self.load_unlocked_manifest(path)?;
        lock::apply(path, &mut manifest)?;
        Ok(manifest)
    }

    fn load_unlocked_manifest(&self, path: &Path) -> Result<Manifest, LoadError> {
        load_manifest(path, |faulty| self.plan(faulty).err().map(|errors| errors.0).unwrap_or_default())
    }

    /// Writes `remotemedia.lock` beside a manifest: what its components hold now is what they must hold from now on.
    ///
    /// # Errors
    /// When the manifest or one of its components cannot be used, or the file cannot be written.
    pub fn lock(&self, path: &Path) -> Result<Locked, LockFailure> {
        let manifest = self.load_unlocked_manifest(path)?;
        lock::write(path, &manifest, |component| self.wasm.inspect_file(component))
    }

    /// Proves the manifest sound and chooses a runtime for every node.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn plan(&self, manifest: &Manifest) -> Result<Plan, ManifestErrors> {
        let Some(tenant) = &self.tenant else {
            return Plan::new(manifest, &self.runtimes, &self.config.selector);
        };
        let mut manifest = manifest.clone();
        for node in &mut manifest.nodes {
            node.tenant = Some(Arc::clone(tenant));
        }
        Plan::new(&manifest, &self.runtimes, &self.config.selector)
    }

    /// Creates and initializes the nodes of `plan`.
    ///
    /// # Errors
    /// The first node that cannot be created or initialized.
    pub fn start(&self, plan: &Plan, options: PipelineOptions) -> Result<Pipeline, NodeError> {
        let pipeline = Pipeline::start(plan, &self.runtimes, options)?;
        calibrate_beside();
        Ok(pipeline)
    }

    /// Descriptors of the native node types.
    #[must_use]
    pub fn native_nodes(&self) -> Vec<&'static NodeDescriptor> {
        NativeRuntime::new().descriptors().collect()
    }

    /// What `kind` says about a node; `None` when it does not know the type.
    ///
    /// # Errors
    /// When the type is that runtime's but cannot be read.
    pub fn describe(
        &self,
        kind: RuntimeKind,
        node: &NodeManifest,
    ) -> Result<Option<NodeDescriptor>, NodeError> {
        self.runtimes.get(kind).map_or(Ok(None), |runtime| runtime.describe(node))
    }

    /// What the component in `file` says about itself, whatever its node type.
    ///
    /// # Errors
    /// When the file is no component that this host can run.
    pub fn describe_component(&self, file: &Path) -> Result<NodeDescriptor, NodeError> {
        self.wasm.describe_file(file)
    }

    /// What is known about `file` without running it, also when this host would refuse it.
    ///
    /// # Errors
    /// When the file cannot be read, or is larger than a component may be.
    pub fn inspect_component(&self, file: &Path) -> io::Result<Inspection> {
        Inspection::of(file, u64::from(self.wasm.policy().compile.component_mb) << 20)
    }

    /// What components did so far that they should not have.
    #[must_use]
    pub fn sandbox_counts(&self) -> SandboxCounts {
        self.wasm.counts()
    }

    /// Which Python runs the cpython nodes. Starts the interpreter.
    ///
    /// # Errors
    /// When there is none that fits.
    pub fn python_info(&self) -> Result<InterpreterInfo, NodeError> {
        self.python.info(Path::new("."))
    }

    /// The component that runs the cpython_wasm nodes.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn python_runner(&self) -> Result<&Path, NodeError> {
        self.sandboxed_python.runner()
    }

    /// A payload as JSON, Python objects included: see [`payload_to_json`].
    #[must_use]
    pub fn to_json(&self, payload: &Payload) -> Value {
        let object = match payload {
            Payload::Object(object) => self.python.object_to_json(object),
            _ => None,
        };
        object.unwrap_or_else(|| payload_to_json(payload))
    }
}
