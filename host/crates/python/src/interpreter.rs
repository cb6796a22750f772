//! Starts CPython in this process, once, with the installation that belongs to the linked libpython and the virtual
//! environment found by [`crate::venv`]. Inside a Python process it joins the interpreter that is there.
//!
//! It never ends the interpreter: nodes of other threads may still hold objects.
//!
//! The standard output of the host is the host's: in an interpreter that this module started, `sys.stdout` is
//! `sys.stderr`, so `print()` in a node shows up there. Signals stay the host's too.
#![expect(
    unsafe_code,
    reason = "an interpreter with chosen paths can be started through CPython's C API only"
)]

use std::ffi::{CStr, CString, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;
use remotemedia_core::{ErrorKind, NodeError};

use crate::config::{BASE_PREFIX, BUILD_EXECUTABLE, CpythonConfig};
use crate::errors::{Verb, to_node_error};
use crate::shim;
use crate::venv::{self, Venv};

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
    // SAFETY: may be called at any time.
    let interpreter = if unsafe { ffi::Py_IsInitialized() } == 0 {
        let venv = venv::find(config, base_dir)?;
        let executable = venv.as_ref().map_or_else(|| BUILD_EXECUTABLE.into(), Venv::executable);
        initialize(&executable).map_err(|why| {
            NodeError::new(ErrorKind::Unavailable, format!("CPython does not start: {why}"))
        })?;
        Interpreter { embedded: true, venv }
    } else {
        Interpreter { embedded: false, venv: None }
    };
    Python::attach(|py| {
        let site_packages = interpreter.venv.as_ref().map(|venv| venv.site_packages.as_os_str());
        let module_paths: Vec<_> = config.module_paths.iter().map(|path| path.as_os_str()).collect();
        shim::lookup(py)?
            .call_method1("settle", (site_packages, module_paths, interpreter.embedded))
            .map(drop)
    })
    .map_err(|error: PyErr| Python::attach(|py| to_node_error(py, &error, Verb::Start)))?;
    Ok(STARTED.get_or_init(|| interpreter))
}

/// Starts CPython with `executable` as `sys.executable`; `site` then uses the environment around it. Nothing of the
/// PATH takes part, and `PYTHONHOME` is overruled; `PYTHONPATH` works as usual.
fn initialize(executable: &Path) -> Result<(), String> {
    let home = CString::new(BASE_PREFIX).map_err(|error| error.to_string())?;
    let executable = CString::new(executable.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: called under STARTING and only while no interpreter runs, so nobody else uses the runtime. Both
    // configurations are filled by their own initialisers before they are read, the strings outlive the calls that
    // copy them, and PyConfig_Clear runs on every path. This thread holds the GIL after Py_InitializeFromConfig
    // and gives it up with PyEval_SaveThread, so that any thread may attach.
    unsafe {
        let mut preconfig = MaybeUninit::<ffi::PyPreConfig>::zeroed();
        ffi::PyPreConfig_InitPythonConfig(preconfig.as_mut_ptr());
        let preconfig = preconfig.assume_init_mut();
        preconfig.configure_locale = 0;
        preconfig.coerce_c_locale = 0;
        preconfig.utf8_mode = 1;
        preconfig.parse_argv = 0;
        check(ffi::Py_PreInitialize(preconfig))?;

        let mut config = MaybeUninit::<ffi::PyConfig>::zeroed();
        ffi::PyConfig_InitPythonConfig(config.as_mut_ptr());
        let config = config.assume_init_mut();
        config.install_signal_handlers = 0;
        config.parse_argv = 0;
        let texts = [
            (&raw mut config.home, &home),
            (&raw mut config.program_name, &executable),
            (&raw mut config.executable, &executable),
        ];
        let outcome = texts
            .into_iter()
            .try_for_each(|(field, text)| check(ffi::PyConfig_SetBytesString(config, field, text.as_ptr())))
            .and_then(|()| check(ffi::Py_InitializeFromConfig(config)));
        ffi::PyConfig_Clear(config);
        outcome?;
        ffi::PyEval_SaveThread();
    }
    Ok(())
}

fn check(status: ffi::PyStatus) -> Result<(), String> {
    // SAFETY: takes the status by value.
    if unsafe { ffi::PyStatus_Exception(status) } == 0 {
        return Ok(());
    }
    Err(text(status.err_msg).unwrap_or_else(|| format!("exit status {}", status.exitcode)))
}

fn text(message: *const c_char) -> Option<String> {
    // SAFETY: CPython's status messages are static C strings or null.
    (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned())
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
