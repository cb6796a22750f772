//! The wasm `Runtime`: describes and creates nodes out of components. Builds its engine when the first node with a
//! component is asked about, never before.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use remotemedia_core::{
    ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Runtime, RuntimeKind, SandboxPolicy,
};

use crate::cache::CompileCache;
use crate::counters::{Counters, SandboxCounts};
use crate::engine::SandboxEngine;
use crate::instance::{Instance, Sandbox};
use crate::limits::NodeLimits;
use crate::loader::{Loaded, Loader};
use crate::node::WasmNode;

/// How the sandbox is set up.
#[derive(Clone, Debug, Default)]
pub struct WasmConfig {
    /// What guests may use and reach.
    pub policy: Arc<SandboxPolicy>,
    /// Where compiled code is kept; nowhere when `None`. See [`WasmConfig::user_cache_dir`].
    pub cache_dir: Option<PathBuf>,
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
    cache_dir: Option<PathBuf>,
    counters: Arc<Counters>,
    loader: Mutex<Option<Arc<Loader>>>,
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
            policy: config.policy,
            cache_dir: config.cache_dir,
            counters: Arc::default(),
            loader: Mutex::default(),
        }
    }

    /// Where compiled code is kept.
    #[must_use]
    pub fn cache_dir(&self) -> Option<&Path> {
        self.cache_dir.as_deref()
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
        let loaded = self.loader()?.load(file, self.sandbox(NodeLimits::new(&self.policy)))?;
        Ok(loaded.descriptor.clone())
    }

    fn loader(&self) -> Result<Arc<Loader>, NodeError> {
        let mut loader = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loader) = &*loader {
            return Ok(Arc::clone(loader));
        }
        let engine = SandboxEngine::new(&self.policy).map_err(|error| {
            NodeError::new(
                ErrorKind::Unavailable,
                format!("no WebAssembly engine on this machine: {error:#}"),
            )
        })?;
        let cache = self.cache_dir.as_deref().and_then(|dir| {
            CompileCache::open(dir)
                .inspect_err(|error| {
                    tracing::warn!("no cache for compiled code in {}: {error}", dir.display())
                })
                .ok()
        });
        let made = Arc::new(Loader::new(engine, cache));
        *loader = Some(Arc::clone(&made));
        Ok(made)
    }

    fn sandbox(&self, node_limits: NodeLimits) -> Sandbox {
        Sandbox { policy: Arc::clone(&self.policy), node_limits, counters: Arc::clone(&self.counters) }
    }

    /// The component of `node`, with all that its manifest asks for checked; `None` when it has none.
    fn load(&self, node: &NodeManifest) -> Result<Option<Accepted>, NodeError> {
        let Some(file) = node.component_path() else { return Ok(None) };
        if let Some(asked) = node.permissions.as_ref().and_then(|permissions| permissions.first_asked()) {
            return Err(NodeError::new(
                ErrorKind::PermissionDenied,
                format!(
                    "asks for `{asked}`, and this host grants components nothing yet: remove it from `permissions`"
                ),
            ));
        }
        let node_limits = NodeLimits::of(node, &self.policy)?;
        let loader = self.loader()?;
        let loaded = loader.load(&file, self.sandbox(NodeLimits::new(&self.policy)))?;
        let declared = &loaded.descriptor.node_type;
        if *declared != node.node_type {
            return Err(NodeError::invalid_params(format!(
                "`node_type` is `{}`, but {} is a `{declared}`: write `{declared}`, or name another component",
                node.node_type,
                file.display()
            )));
        }
        Ok(Some(Accepted { loader, loaded, node_limits }))
    }
}

/// A node's component, with everything that its manifest asks for found to be allowed.
struct Accepted {
    loader: Arc<Loader>,
    loaded: Arc<Loaded>,
    node_limits: NodeLimits,
}

impl Runtime for WasmRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Wasm
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        Ok(self.load(node)?.map(|accepted| accepted.loaded.descriptor.clone()))
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        let Some(Accepted { loader, loaded, node_limits }) = self.load(node)? else {
            return Err(NodeError::new(
                ErrorKind::Unavailable,
                format!("`{}` names no `component`, so there is nothing to run as wasm", node.node_type),
            ));
        };
        let params_json = serde_json::to_string(&node.params)
            .map_err(|error| NodeError::invalid_params(format!("params: {error}")))?;
        let instance =
            Instance::start(&loader.engine, &loaded.prepared, &node.id, self.sandbox(node_limits))?;
        Ok(Box::new(WasmNode { instance, loaded, params_json, id: node.id.as_str().into() }))
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
