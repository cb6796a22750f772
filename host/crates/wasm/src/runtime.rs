//! The wasm `Runtime`: describes and creates nodes out of components. Builds its engine when the first node with a
//! component is asked about, never before.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use remotemedia_core::manifest::ComponentRef;
use remotemedia_core::{
    ErrorKind, ManifestError, Node, NodeDescriptor, NodeError, NodeManifest, Runtime, RuntimeKind,
    SandboxPolicy,
};

use crate::bindings::WORLD;
use crate::cache::CompileCache;
use crate::compile::{Compiler, CompilerProgram};
use crate::coredump::Coredumps;
use crate::counters::{Counters, SandboxCounts};
use crate::engine::SandboxEngine;
use crate::files::Disk;
use crate::granted::Granted;
use crate::instance::Sandbox;
use crate::limits::{NodeLimits, mebibytes};
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::node::{MadeOf, WasmNode};
use crate::tenant::{Tenant, Tenants};
use crate::trust::{self, Sha256};
use crate::version::{WASMTIME_VERSION, assert_safe};
use crate::watch::Watcher;

/// How the sandbox is set up.
#[derive(Clone, Debug, Default)]
pub struct WasmConfig {
    /// What guests may use and reach.
    pub policy: Arc<SandboxPolicy>,
    /// The host's values of the environment variables that the policy grants.
    pub env: BTreeMap<String, String>,
    /// Where compiled code is kept; nowhere when `None`. See [`WasmConfig::user_cache_dir`].
    pub cache_dir: Option<PathBuf>,
    /// Whether running nodes take over their component when its file changes.
    pub watch: bool,
    /// Where core dumps of components that were stopped go; nowhere when `None`.
    pub coredump_dir: Option<PathBuf>,
    /// The program that compiles components, in a process of its own: a `remotemedia` of this version. Without one,
    /// components are compiled only where the policy lets this process do it.
    pub compiler: Option<CompilerProgram>,
}

/// What is known about a component file without running more of it than its `describe`.
#[derive(Clone, Debug)]
pub struct ComponentFacts {
    /// What it says about itself.
    pub descriptor: NodeDescriptor,
    /// Of the whole file, as it was loaded.
    pub sha256: Sha256,
    /// The version of the WIT package that it implements, for example `0.1.0`.
    pub wit: &'static str,
}

impl WasmConfig {
    /// The user's folder for compiled code, from the values of `XDG_CACHE_HOME` and `HOME`:
    /// `$XDG_CACHE_HOME/remotemedia/wasm`, else `$HOME/.cache/remotemedia/wasm`.
    #[must_use]
    pub fn user_cache_dir(xdg_cache_home: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
        let absolute = |value: Option<&OsStr>| value.map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute(xdg_cache_home).or_else(|| absolute(home).map(|home| home.join(".cache")))?;
        Some(base.join("remotemedia").join("wasm"))
    }
}

/// Runs nodes that are shipped as components. Cheap to make and to keep unused.
pub struct WasmRuntime {
    policy: Arc<SandboxPolicy>,
    env: BTreeMap<String, String>,
    tenants: Tenants,
    cache_dir: Option<PathBuf>,
    compiler: Option<CompilerProgram>,
    counters: Arc<Counters>,
    loader: Mutex<Option<Arc<Loader>>>,
    watcher: Option<Watcher>,
    coredumps: Option<Arc<Coredumps>>,
}

impl std::fmt::Debug for WasmRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmRuntime")
            .field("policy", &self.policy)
            .field("cache_dir", &self.cache_dir)
            .field("engine_built", &self.is_engine_built())
            .finish_non_exhaustive()
    }
}

impl WasmRuntime {
    /// A runtime that has done nothing yet.
    #[must_use]
    pub fn new(config: WasmConfig) -> Self {
        Self {
            watcher: config.watch.then(Watcher::default),
            tenants: Tenants::new(Arc::clone(&config.policy)),
            policy: config.policy,
            env: config.env,
            cache_dir: config.cache_dir,
            compiler: config.compiler,
            counters: Arc::default(),
            loader: Mutex::default(),
            coredumps: config.coredump_dir.map(|dir| Arc::new(Coredumps::new(dir))),
        }
    }

    /// Where compiled code is kept.
    #[must_use]
    pub fn cache_dir(&self) -> Option<&Path> {
        self.cache_dir.as_deref()
    }

    /// The program that compiles components.
    #[must_use]
    pub fn compiler(&self) -> Option<&CompilerProgram> {
        self.compiler.as_ref()
    }

    /// What guests may use and reach.
    #[must_use]
    pub fn policy(&self) -> &SandboxPolicy {
        &self.policy
    }

    /// What the sandbox had to do so far.
    #[must_use]
    pub fn counts(&self) -> SandboxCounts {
        self.counters.snapshot()
    }

    /// True once a node with a component was asked about.
    #[must_use]
    pub fn is_engine_built(&self) -> bool {
        self.loader.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What the component in `file` says about itself, whatever its node type.
    ///
    /// # Errors
    /// When the file is not a node, or its `describe` fails.
    pub fn describe_file(&self, file: &Path) -> Result<NodeDescriptor, NodeError> {
        Ok(self.inspect_file(file)?.descriptor)
    }

    /// What there is to know about the component in `file`, whatever its node type. Not even `trust.require_lock` wants
    /// it locked: this is how it gets there.
    ///
    /// # Errors
    /// When the file is not a node, or its `describe` fails.
    pub fn inspect_file(&self, file: &Path) -> Result<ComponentFacts, NodeError> {
        let (loaded, sha256) = self.loader()?.load_with_digest(file, self.describing())?;
        let wit = WORLD.rsplit('@').next().unwrap_or_default();
        Ok(ComponentFacts { descriptor: loaded.descriptor.clone(), sha256, wit })
    }

    fn loader(&self) -> Result<Arc<Loader>, NodeError> {
        let mut loader = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loader) = &*loader {
            return Ok(Arc::clone(loader));
        }
        assert_safe(WASMTIME_VERSION)?;
        if let Some(fault) = self.policy.faults().first() {
            let message = format!("the sandbox policy is wrong: {fault}");
            return Err(NodeError::new(ErrorKind::Unavailable, message));
        }
        let engine = SandboxEngine::new(&self.policy, self.coredumps.is_some()).map_err(|error| {
            NodeError::new(
                ErrorKind::Unavailable,
                format!("no WebAssembly engine on this machine: {error:#}"),
            )
        })?;
        let cache = self.cache_dir.as_deref().and_then(|dir| {
            CompileCache::open(dir, mebibytes(self.policy.compile.cache_mb.into()) as u64)
                .inspect_err(|error| {
                    tracing::warn!("no cache for compiled code in {}: {error}", dir.display())
                })
                .ok()
        });
        let most_unused_bytes = mebibytes(self.policy.compile.unused_mb.into());
        let compiler = Compiler::new(self.compiler.clone());
        let made = Arc::new(Loader::new(engine, cache, compiler, most_unused_bytes));
        *loader = Some(Arc::clone(&made));
        Ok(made)
    }

    /// What a component runs in that is only asked what it is.
    fn describing(&self) -> Sandbox {
        self.sandbox_of(self.tenants.get(None))
    }

    fn sandbox_of(&self, tenant: Arc<Tenant>) -> Sandbox {
        Sandbox {
            policy: Arc::clone(&self.policy),
            node_limits: NodeLimits::new(&self.policy),
            granted: Arc::new(Granted::nothing(&self.policy)),
            disk: Arc::new(Disk::new(&self.policy.limits, Arc::clone(&tenant))),
            tenant,
            counters: Arc::clone(&self.counters),
            coredumps: self.coredumps.clone(),
        }
    }

    /// What `node` runs in.
    ///
    /// # Errors
    /// Everything that its manifest asks for and the operator's policy does not allow.
    pub(crate) fn sandbox(&self, node: &NodeManifest) -> Result<Sandbox, Vec<ManifestError>> {
        let granted = Granted::new(node, &self.policy, &self.env, self.cache_dir.as_deref());
        match (NodeLimits::of(node, &self.policy), granted) {
            (Ok(node_limits), Ok(granted)) => Ok(Sandbox {
                node_limits,
                granted: Arc::new(granted),
                ..self.sandbox_of(self.tenants.get(node.tenant.as_deref()))
            }),
            (limits, granted) => {
                let faults = limits.err().into_iter().chain(granted.err());
                Err(faults.flatten().collect())
            }
        }
    }

    /// What makes the parts of a node like `made_of` out of `file` as it is then, under the same policy and pin.
    fn remaking(
        &self,
        made_of: &MadeOf,
        file: PathBuf,
        node: &NodeManifest,
    ) -> impl Fn() -> Result<MadeOf, NodeError> + Send + use<> {
        let (loader, sandbox) = (Arc::clone(&made_of.loader), made_of.sandbox.clone());
        let (params_json, id) = (made_of.params_json.clone(), made_of.id.clone());
        let (describing, descriptor) = (self.describing(), made_of.loaded.descriptor.clone());
        let pin = node.component.as_ref().and_then(ComponentRef::pin).cloned();
        move || {
            let loaded = loader.load(&file, pin.as_ref(), describing.clone())?;
            fits_in_place_of(&descriptor, &loaded.descriptor)?;
            Ok(MadeOf {
                loader: Arc::clone(&loader),
                loaded,
                sandbox: sandbox.clone(),
                params_json: params_json.clone(),
                id: id.clone(),
            })
        }
    }

    /// A component of the host's own, which no manifest names.
    pub(crate) fn load_own(&self, file: &Path) -> Result<(Arc<Loader>, Arc<Loaded>), NodeError> {
        let loader = self.loader()?;
        let loaded = loader.load(file, None, self.describing())?;
        Ok((loader, loaded))
    }

    /// The component of `node`, with all that its manifest asks for checked; `None` when it has none.
    fn load(&self, node: &NodeManifest) -> Result<Option<Accepted>, NodeError> {
        let Some(file) = node.component_path() else { return Ok(None) };
        let sandbox = self.sandbox(node).map_err(denied)?;
        let pin = node.component.as_ref().and_then(ComponentRef::pin);
        trust::check_locked(&self.policy.trust, &file, pin)?;
        let loader = self.loader()?;
        let loaded = loader.load(&file, pin, self.describing())?;
        let declared = &loaded.descriptor.node_type;
        if *declared != node.node_type {
            return Err(NodeError::invalid_params(format!(
                "`node_type` is `{}`, but {} is a `{declared}`: write `{declared}`, or name another component",
                node.node_type,
                file.display()
            )));
        }
        Ok(Some(Accepted { loader, loaded, sandbox }))
    }
}

/// A graph is built on node type and ports: they cannot change while it runs.
fn fits_in_place_of(old: &NodeDescriptor, new: &NodeDescriptor) -> Result<(), NodeError> {
    if new.node_type != old.node_type {
        let message = format!("it is a `{}` now, and was a `{}`", new.node_type, old.node_type);
        return Err(NodeError::invalid_params(message));
    }
    if (&new.inputs, &new.outputs) != (&old.inputs, &old.outputs) {
        return Err(NodeError::invalid_params("its ports are others now: start the pipeline again"));
    }
    Ok(())
}

/// What the policy does not allow, as one error.
pub(crate) fn denied(faults: Vec<ManifestError>) -> NodeError {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    NodeError::new(ErrorKind::PermissionDenied, faults.join("; "))
}

/// A node's component, with everything that its manifest asks for found to be allowed.
struct Accepted {
    loader: Arc<Loader>,
    loaded: Arc<Loaded>,
    sandbox: Sandbox,
}

impl Runtime for WasmRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Wasm
    }

    fn refusals(&self, node: &NodeManifest) -> Vec<ManifestError> {
        self.sandbox(node).err().unwrap_or_default()
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        Ok(self.load(node)?.map(|accepted| accepted.loaded.descriptor.clone()))
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let Some(Accepted { loader, loaded, sandbox }) = self.load(node)? else {
            return Err(NodeError::new(
                ErrorKind::Unavailable,
                format!("`{}` names no `component`, so there is nothing to run as wasm", node.node_type),
            ));
        };
        if let Some(coredumps) = &self.coredumps {
            coredumps.prepare().map_err(|why| {
                let message = format!(
                    "no core dumps can be kept, as --coredump-dir or REMOTEMEDIA_COREDUMP_DIR asks: {why}"
                );
                NodeError::new(ErrorKind::Unavailable, message)
            })?;
        }
        let params_json = serde_json::to_string(&node.params)
            .map_err(|error| NodeError::invalid_params(format!("params: {error}")))?
            .into();
        let id = node.id.as_str().into();
        let made_of = MadeOf { loader, loaded, sandbox, params_json, id };
        match (&self.watcher, node.component_path()) {
            (Some(watcher), Some(file)) => {
                let remake = self.remaking(&made_of, file.clone(), node);
                Ok(Box::new(watcher.watch(WasmNode::new(made_of)?, &file, remake)?))
            }
            _ => Ok(Box::new(WasmNode::new(made_of)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_the_users_and_never_relative() {
        let dir = |xdg: Option<&str>, home: Option<&str>| {
            WasmConfig::user_cache_dir(xdg.map(OsStr::new), home.map(OsStr::new))
        };
        assert_eq!(dir(Some("/x"), Some("/h")), Some("/x/remotemedia/wasm".into()));
        assert_eq!(dir(Some("x"), Some("/h")), Some("/h/.cache/remotemedia/wasm".into()));
        assert_eq!(dir(None, Some("/h")), Some("/h/.cache/remotemedia/wasm".into()));
        assert_eq!(dir(None, None), None);
    }

    #[test]
    fn nodes_without_a_component_build_no_engine() {
        let runtime = WasmRuntime::new(WasmConfig::default());
        assert_eq!(runtime.describe(&NodeManifest::new("n", "AudioGain")), Ok(None));
        let error = runtime.create(&NodeManifest::new("n", "AudioGain")).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(!runtime.is_engine_built());
    }
}
