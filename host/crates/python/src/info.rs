//! Which Python this is, for people who wonder: versions, paths, environment, numpy.

use pyo3::prelude::*;
use remotemedia_core::NodeError;
use serde::Serialize;

use crate::errors::{Verb, to_node_error};
use crate::interpreter::Interpreter;
use crate::venv::Venv;

/// The interpreter in this process.
#[derive(Clone, Debug, Serialize)]
pub struct InterpreterInfo {
    /// For example `3.11.7`.
    pub version: String,
    /// The file of the loaded libpython, where that can be found out.
    pub libpython: Option<String>,
    /// `sys.executable`: what child processes of nodes run.
    pub executable: String,
    /// `sys.prefix`: the virtual environment, or the installation.
    pub prefix: String,
    /// `sys.base_prefix`: the installation whose standard library is used.
    pub base_prefix: String,
    /// The virtual environment in use and how it was found; `None` for a plain installation.
    pub venv: Option<Venv>,
    /// False when the host runs inside a Python process.
    pub embedded: bool,
    /// numpy's version, or why it cannot be imported.
    pub numpy: Result<String, String>,
}

pub(crate) fn read(interpreter: &Interpreter) -> Result<InterpreterInfo, NodeError> {
    Python::attach(|py| {
        let read = || -> PyResult<InterpreterInfo> {
            let sys = py.import("sys")?;
            let text =
                |name: &str| sys.getattr(name)?.extract::<Option<String>>().map(Option::unwrap_or_default);
            let version = py.import("platform")?.call_method0("python_version")?.extract()?;
            let numpy = py.import("numpy").and_then(|numpy| numpy.getattr("__version__")?.extract());
            Ok(InterpreterInfo {
                version,
                libpython: loaded_libpython(),
                executable: text("executable")?,
                prefix: text("prefix")?,
                base_prefix: text("base_prefix")?,
                venv: interpreter.venv.clone(),
                embedded: interpreter.embedded,
                numpy: numpy.map_err(|error| error.to_string()),
            })
        };
        read().map_err(|error| to_node_error(py, &error, Verb::Start))
    })
}

/// The mapped file whose name begins with `libpython`.
fn loaded_libpython() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.rsplit('/').next()?.starts_with("libpython").then(|| path.to_owned())
    })
}
