//! Starts CPython in this process, once, with the installation that belongs to the linked libpython and the virtual
//! environment found by [`crate::venv`]. Inside a Python process it joins the interpreter that is there. Built with the
//! stable ABI, which extension modules use, it can only join.
//!
//! It never ends the interpreter: nodes of other threads may still hold objects.
//!
//! The standard output of the host is the host's: in an interpreter that this module started, `sys.stdout` is
//! `sys.stderr`, so `print()` in a node shows up there. Signals stay the host's too.
#![expect(unsafe_code, reason = "only CPython's C API tells whether there is an interpreter")]

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;
use remotemedia_core::{ErrorKind, NodeError};

use crate::config::CpythonConfig;
use crate::errors::{Verb, to_node_error};
use crate::logs;
use crate::shim;
use crate::venv::Venv;

/// What was decided when the interpreter started.
#[derive(Debug)]
pub(crate) struct Interpreter {
    /// False when the process was a Python process already.
    pub(crate) embedded: bool,
    /// The environment whose packages are used; `None` for a plain installation or a joined interpreter.
    pub(crate) venv: Option<Venv>,
}

static STARTED: OnceLock<Interpreter> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// The running interpreter, if this crate has started or joined one.
pub(crate) fn running() -> Option<&'static Interpreter> {
    STARTED.get()
}

/// Whether this process is a Python process of somebody else's, and so has its packages.
pub(crate) fn joins() -> bool {
    running().map_or_else(is_there, |interpreter| !interpreter.embedded)
}

fn is_there() -> bool {
    // SAFETY: may be called at any time.
    unsafe { ffi::Py_IsInitialized() != 0 }
}

/// The interpreter, started now if need be. `base_dir` is the manifest's folder. The calling thread must not be
/// attached to an interpreter that another thread is starting.
pub(crate) fn start(config: &CpythonConfig, base_dir: &Path) -> Result<&'static Interpreter, NodeError> {
    if let Some(interpreter) = STARTED.get() {
        return Ok(interpreter);
    }
    let _only_one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(interpreter) = STARTED.get() {
        return Ok(interpreter);
    }
    let interpreter =
        if is_there() { Interpreter { embedded: false, venv: None } } else { embedded(config, base_dir)? };
    Python::attach(|py| {
        let site_packages = interpreter.venv.as_ref().map(|venv| venv.site_packages.as_os_str());
        let module_paths: Vec<_> = config.module_paths.iter().map(|path| path.as_os_str()).collect();
        shim::lookup(py)?.call_method1("settle", (site_packages, module_paths, interpreter.embedded))?;
        if !interpreter.embedded {
            return Ok(());
        }
        shim::lookup(py)?.call_method1("set_environment", (config.environment.clone(),))?;
        logs::join(py)
    })
    .map_err(|error: PyErr| Python::attach(|py| to_node_error(py, &error, Verb::Start)))?;
    Ok(STARTED.get_or_init(|| interpreter))
}

#[cfg(not(Py_LIMITED_API))]
fn embedded(config: &CpythonConfig, base_dir: &Path) -> Result<Interpreter, NodeError> {
    let venv = crate::venv::find(config, base_dir)?;
    let executable = venv.as_ref().map_or_else(|| crate::config::BUILD_EXECUTABLE.into(), Venv::executable);
    crate::embed::initialize(&executable)
        .map_err(|why| NodeError::new(ErrorKind::Unavailable, format!("CPython does not start: {why}")))?;
    Ok(Interpreter { embedded: true, venv })
}

#[cfg(Py_LIMITED_API)]
fn embedded(_: &CpythonConfig, _: &Path) -> Result<Interpreter, NodeError> {
    let message = "this build of the host is a Python module: it runs nodes in the Python that imports it";
    Err(NodeError::new(ErrorKind::Unavailable, message))
}

/// Runs `body` with this thread attached to the interpreter around it but the GIL released inside, which makes every
/// attach in `body` about 80 times cheaper. Without an interpreter it just runs `body`.
pub(crate) fn keep_attached(body: &mut dyn FnMut()) {
    struct OnThisThread<'a>(&'a mut dyn FnMut());
    // SAFETY: `Python::detach` asks for `Send` to keep Python tokens out of the closure, not to move it: it calls it
    // on this very thread. `body` comes from the engine, which knows no Python and so holds no token.
    unsafe impl Send for OnThisThread<'_> {}
    impl OnThisThread<'_> {
        fn call(self) {
            (self.0)();
        }
    }
    if running().is_none() {
        return body();
    }
    let body = OnThisThread(body);
    Python::attach(|py| py.detach(move || body.call()));
}
