//! The start of an interpreter in a process that has none.
#![expect(
    unsafe_code,
    reason = "an interpreter with chosen paths can be started through CPython's C API only"
)]

use std::ffi::{CStr, CString, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pyo3::ffi;

use crate::config::BASE_PREFIX;

/// Starts CPython with `executable` as `sys.executable`; `site` then uses the environment around it. Nothing of the
/// PATH takes part, and `PYTHONHOME` is overruled; `PYTHONPATH` works as usual.
pub(crate) fn initialize(executable: &Path) -> Result<(), String> {
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
