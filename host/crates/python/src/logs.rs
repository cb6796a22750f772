//! Python's `logging` joins the host's log, in an interpreter that the host started: as events of the target
//! `remotemedia::python`, inside the span of the node that logs.

use pyo3::prelude::*;
use tracing::Level;

use crate::shim;

/// The numbers of Python's levels.
const LEVELS: [(i32, Level); 4] =
    [(40, Level::ERROR), (30, Level::WARN), (20, Level::INFO), (10, Level::DEBUG)];

/// From now on records of Python's root logger are events.
pub(crate) fn join(py: Python<'_>) -> PyResult<()> {
    let send = wrap_pyfunction!(send, py)?;
    shim::logs(py)?.call_method1("install", (send, lowest_level())).map(drop)
}

/// The lowest level that the host logs of Python.
fn lowest_level() -> i32 {
    let enabled = [
        tracing::enabled!(target: "remotemedia::python", Level::ERROR).then_some(40),
        tracing::enabled!(target: "remotemedia::python", Level::WARN).then_some(30),
        tracing::enabled!(target: "remotemedia::python", Level::INFO).then_some(20),
        tracing::enabled!(target: "remotemedia::python", Level::DEBUG).then_some(10),
        tracing::enabled!(target: "remotemedia::python", Level::TRACE).then_some(1),
    ];
    // Where nobody listens, what Python's own default is.
    enabled.into_iter().flatten().min().unwrap_or(30)
}

/// One record. `traceback` is empty when there is none. Whoever reads the log may be slow: meanwhile other Python nodes
/// go on.
#[pyfunction]
fn send(py: Python<'_>, level: i32, logger: &str, message: &str, traceback: &str) {
    py.detach(|| tell(level, logger, message, traceback));
}

fn tell(level: i32, logger: &str, message: &str, traceback: &str) {
    let trace = (!traceback.is_empty()).then_some(traceback);
    match LEVELS.iter().find(|(least, _)| level >= *least).map(|(_, level)| *level) {
        Some(Level::ERROR) => {
            tracing::error!(target: "remotemedia::python", logger, traceback = trace, "{message}");
        }
        Some(Level::WARN) => {
            tracing::warn!(target: "remotemedia::python", logger, traceback = trace, "{message}");
        }
        Some(Level::INFO) => {
            tracing::info!(target: "remotemedia::python", logger, traceback = trace, "{message}");
        }
        Some(Level::DEBUG) => {
            tracing::debug!(target: "remotemedia::python", logger, traceback = trace, "{message}");
        }
        _ => tracing::trace!(target: "remotemedia::python", logger, traceback = trace, "{message}"),
    }
}
