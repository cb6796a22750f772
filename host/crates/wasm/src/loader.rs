//! From a `.wasm` file to a component that can be instantiated and its checked descriptor: once per content and
//! process. Every way a file can be wrong has its own message.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use remotemedia_core::manifest::ComponentPin;
use remotemedia_core::{ErrorKind, NodeError};
use wasmtime::component::Component;

use crate::bindings::{Prepared, WORLD};
use crate::cache::{CompileCache, Digest, Found};
use crate::compile::{CompileFailure, Compiler};
use crate::counters::Counters;
use crate::engine::SandboxEngine;
use crate::instance::{Instance, Sandbox};
use crate::known_files::{KnownFiles, Stamp};
use crate::limits::mebibytes;
use crate::loaded::{Loaded, LoadedComponents};
use crate::places::{Origin, PlaceFinder};
use crate::trust::{self, Sha256};
use crate::wit_version;

pub(crate) struct Loader {
    pub engine: SandboxEngine,
    cache: Option<CompileCache>,
    compiler: Compiler,
    finder: Arc<PlaceFinder>,
    known_files: KnownFiles,
    loaded: LoadedComponents,
}

impl Loader {
    /// Machine code that no node uses is kept up to `most_unused_bytes`.
    pub fn new(
        engine: SandboxEngine,
        cache: Option<CompileCache>,
        compiler: Compiler,
        most_unused_bytes: usize,
    ) -> Self {
        let loaded = LoadedComponents::new(most_unused_bytes);
        let finder = Arc::new(PlaceFinder::new(compiler.program().cloned()));
        Self { engine, cache, compiler, finder, known_files: KnownFiles::default(), loaded }
    }

    /// The component in `file`, which must be the one that `pin` means.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be read, `PermissionDenied` when it is not trusted, `InvalidParams` when it
    /// is not a node, or what compiling it or its `describe` did wrong.
    pub fn load(
        &self,
        file: &Path,
        pin: Option<&ComponentPin>,
        sandbox: Sandbox,
    ) -> Result<Arc<Loaded>, NodeError> {
        if let Some(known) = self.known(file, pin) {
            return known;
        }
        let stamp = Stamp::of(file);
        if let Some(stamp) = &stamp
            && pin.is_none()
            && let Some(loaded) = self.load_unread(file, stamp, &sandbox)
        {
            return loaded;
        }
        let bytes = read(file, mebibytes(sandbox.policy.compile.component_mb.into()) as u64)?;
        let digest = blake3::hash(&bytes);
        let stamp = stamp.and_then(|stamp| stamp.settled(file, SystemTime::now()));
        if let Some(stamp) = stamp {
            if let Some(Err(error)) = self.cache.as_ref().map(|cache| cache.note(file, &stamp, &digest)) {
                tracing::debug!("what {} holds cannot be noted: {error}", file.display());
            }
            self.known_files.remember(file, stamp, digest);
        }
        self.load_bytes(file, &bytes, digest, pin, sandbox)
    }

    /// The component in `file`, which another process has read and compiled, and nobody has touched since; `None` when
    /// it must be read all the same. Reading and hashing an interpreter takes longer than starting it.
    fn load_unread(
        &self,
        file: &Path,
        stamp: &Stamp,
        sandbox: &Sandbox,
    ) -> Option<Result<Arc<Loaded>, NodeError>> {
        // A signature is about every byte, and the limit of a file's size may be another one now.
        let most_bytes = mebibytes(sandbox.policy.compile.component_mb.into()) as u64;
        if sandbox.policy.trust.require_signature || stamp.bytes() > most_bytes {
            return None;
        }
        let cache = self.cache.as_ref()?;
        let digest = cache.known(file, stamp)?;
        let slot = self.loaded.slot(digest);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match &*slot {
            Some(loaded) => Arc::clone(loaded),
            None => {
                let Found::Code(component) = cache.load(&self.engine.engine, &digest) else { return None };
                match self.describe(file, digest, &component, None, sandbox.clone()) {
                    Ok(loaded) => slot.insert(loaded).clone(),
                    Err(error) => return Some(Err(error)),
                }
            }
        };
        self.known_files.remember(file, stamp.clone(), digest);
        Some(Ok(loaded))
    }

    /// The component in `file` without reading it again; `None` when it is not known well enough for that.
    fn known(&self, file: &Path, pin: Option<&ComponentPin>) -> Option<Result<Arc<Loaded>, NodeError>> {
        let slot = self.loaded.slot(self.known_files.digest(file)?);
        let loaded = slot.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let Some(pin) = pin else { return Some(Ok(loaded)) };
        let checked = trust::check_pin(file, loaded.known_sha256()?, pin);
        Some(checked.map(|()| loaded))
    }

    /// As [`Loader::load`], with the digest of exactly what was loaded.
    pub fn load_with_digest(
        &self,
        file: &Path,
        sandbox: Sandbox,
    ) -> Result<(Arc<Loaded>, Sha256), NodeError> {
        let bytes = read(file, mebibytes(sandbox.policy.compile.component_mb.into()) as u64)?;
        let loaded = self.load_bytes(file, &bytes, blake3::hash(&bytes), None, sandbox)?;
        let sha256 = loaded.sha256(&bytes);
        Ok((loaded, sha256))
    }

    /// From here on the file is not looked at again: what was checked is what runs. `digest` is that of `bytes`.
    fn load_bytes(
        &self,
        file: &Path,
        bytes: &[u8],
        digest: Digest,
        pin: Option<&ComponentPin>,
        sandbox: Sandbox,
    ) -> Result<Arc<Loaded>, NodeError> {
        let slot = self.loaded.slot(digest);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*slot {
            if let Some(pin) = pin {
                trust::check_pin(file, loaded.sha256(bytes), pin)?;
            }
            return Ok(Arc::clone(loaded));
        }
        let sha256 = pin.map(|_| trust::sha256(bytes));
        if let (Some(pin), Some(sha256)) = (pin, sha256) {
            trust::check_pin(file, sha256, pin)?;
        }
        let content = trust::approve(&sandbox.policy.trust, file, bytes)?;
        // Signing a component changes nothing of its code.
        let content_digest = if content.len() == bytes.len() { digest } else { blake3::hash(content) };
        let component = self.compile(file, content, &content_digest, &sandbox)?;
        Ok(slot.insert(self.describe(file, digest, &component, sha256, sandbox)?).clone())
    }

    /// The component with what it says about itself.
    fn describe(
        &self,
        file: &Path,
        digest: Digest,
        component: &Component,
        sha256: Option<Sha256>,
        sandbox: Sandbox,
    ) -> Result<Arc<Loaded>, NodeError> {
        let origin = Origin::new(file, digest, &self.finder);
        let prepared = self.prepare(file, component, origin)?;
        let mut instance = Instance::start(&self.engine, &prepared, "describe", sandbox)
            .map_err(|error| about(file, error))?;
        let descriptor = instance.describe().map_err(|error| about(file, error))?;
        Ok(Arc::new(Loaded::new(prepared, descriptor, sha256)))
    }

    fn compile(
        &self,
        file: &Path,
        content: &[u8],
        digest: &Digest,
        sandbox: &Sandbox,
    ) -> Result<Component, NodeError> {
        let engine = &self.engine.engine;
        let counters = &sandbox.counters;
        match self.cache.as_ref().map(|cache| cache.load(engine, digest)) {
            Some(Found::Code(component)) => return Ok(component),
            Some(Found::Refused) => {
                Counters::add_one(&counters.cache_entries_refused);
                tracing::warn!(
                    "the cached code of {} was not written by this host or is damaged: compiling it again",
                    file.display()
                );
            }
            Some(Found::Nothing) | None => {}
        }
        Counters::add_one(&counters.compilations);
        let (code, component) = self
            .compiler
            .compile(engine, content, &sandbox.policy.compile)
            .map_err(|failure| not_compiled(file, &failure))?;
        if let Some(Err(error)) = self.cache.as_ref().map(|cache| cache.store(engine, digest, &code)) {
            tracing::warn!("the compiled code of {} cannot be kept: {error}", file.display());
        }
        Ok(component)
    }

    fn prepare(&self, file: &Path, component: &Component, origin: Origin) -> Result<Prepared, NodeError> {
        let ours = wit_version::version_of(WORLD).unwrap_or_default();
        if let Some(version) = wit_version::foreign(&self.engine.engine, component, ours) {
            let what = format!(
                "was made for remotemedia:node@{version}, and this host knows remotemedia:node@{ours}: take a host of \
                 that version, or build the node against wit/v{ours}"
            );
            return Err(invalid(file, &what));
        }
        let instance = self.engine.linker.instantiate_pre(component).map_err(|error| {
            invalid(
                file,
                &format!(
                    "imports what no node may use: {error:#}. A node may import the interfaces of {WORLD} and WASI 0.2 \
                     without sockets and HTTP"
                ),
            )
        })?;
        Prepared::new(instance, origin).map_err(|error| {
            invalid(
                file,
                &format!(
                    "is a component, but not a node: {error:#}. It must export the world {WORLD} (wit/v0.1.0)"
                ),
            )
        })
    }
}

fn invalid(file: &Path, what: &str) -> NodeError {
    NodeError::invalid_params(format!("{} {what}", file.display()))
}

fn not_compiled(file: &Path, failure: &CompileFailure) -> NodeError {
    NodeError::new(failure.kind(), format!("{} {failure}", file.display()))
}

fn about(file: &Path, error: NodeError) -> NodeError {
    NodeError { message: format!("{}: {}", file.display(), error.message).into(), ..error }
}

const MAGIC: &[u8] = b"\0asm";
/// Version 13, layer 1: a component. A core module has version 1, layer 0.
const COMPONENT_VERSION: [u8; 4] = [0x0d, 0, 1, 0];
const MODULE_VERSION: [u8; 4] = [1, 0, 0, 0];

/// The bytes of a component's file.
///
/// # Errors
/// `Unavailable` when it cannot be read, `LimitExceeded` when it is larger, `InvalidParams` when it is no component.
pub(crate) fn read(file: &Path, most_bytes: u64) -> Result<Vec<u8>, NodeError> {
    let unavailable = |error: std::io::Error| {
        NodeError::new(
            ErrorKind::Unavailable,
            format!(
                "the component {} cannot be read: {error}. Check the node's `component` path",
                file.display()
            ),
        )
    };
    // Opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(file).map_err(unavailable)?;
    if !metadata.is_file() {
        return Err(unavailable(std::io::Error::other("is not a file")));
    }
    // One more, in which its end is found.
    let mut bytes = Vec::with_capacity(metadata.len().min(most_bytes) as usize + 1);
    File::open(file)
        .and_then(|open| open.take(most_bytes + 1).read_to_end(&mut bytes))
        .map_err(unavailable)?;
    if bytes.len() as u64 > most_bytes {
        let message = format!(
            "{} is larger than this host's limit of {} MiB: have the operator raise `compile.component_mb` of the \
             policy",
            file.display(),
            most_bytes >> 20
        );
        return Err(NodeError::new(ErrorKind::LimitExceeded, message));
    }
    match bytes.split_first_chunk::<4>() {
        Some((magic, rest)) if magic == MAGIC && rest.starts_with(&COMPONENT_VERSION) => Ok(bytes),
        Some((magic, rest)) if magic == MAGIC && rest.starts_with(&MODULE_VERSION) => Err(invalid(
            file,
            "is a core WebAssembly module, not a component: build it for the target wasm32-wasip2, or wrap it with \
             `wasm-tools component new`",
        )),
        _ => Err(invalid(
            file,
            "is not a WebAssembly component: its first bytes are not those of one. Name the .wasm file that the \
             build of the node made",
        )),
    }
}
