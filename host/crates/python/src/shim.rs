//! The crate's own Python modules, compiled into the binary. They do what is easier said in Python (imports,
//! signatures, event loops); none of them runs in the path of a synchronous call.

use std::ffi::{CStr, CString};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

fn module<'py>(
    py: Python<'py>,
    slot: &'static PyOnceLock<Py<PyModule>>,
    source: &str,
    file: &CStr,
    name: &CStr,
) -> PyResult<Bound<'py, PyModule>> {
    let module = slot.get_or_try_init(py, || {
        let source = CString::new(source).map_err(|error| PyValueError::new_err(error.to_string()))?;
        PyModule::from_code(py, &source, file, name).map(Bound::unbind)
    })?;
    Ok(module.bind(py).clone())
}

macro_rules! shims {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
            static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
            const FILE: &str = concat!("<remotemedia ", stringify!($name), ">\0");
            const NAME: &str = concat!("_remotemedia_host_", stringify!($name), "\0");
            let c_str = |text: &'static str| {
                CStr::from_bytes_with_nul(text.as_bytes())
                    .map_err(|error| PyValueError::new_err(error.to_string()))
            };
            let source = include_str!($file);
            module(py, &MODULE, source, c_str(FILE)?, c_str(NAME)?)
        }
    )*};
}

shims! {
    /// Finds classes; owns `sys.path`.
    lookup = "shim/lookup.py";
    /// Reads ports and params off a class.
    describe = "shim/describe.py";
    /// Event loops and streams: the Python package's own.
    drive = "shim/drive.py";
    /// Python's logging as events of the host.
    logs = "shim/logs.py";
    /// Exceptions and objects in words.
    report = "shim/report.py";
    /// What objects have for nodes that are not Python's.
    enter = "shim/enter.py";
}
