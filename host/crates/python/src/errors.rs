//! Python exceptions as [`NodeError`]s: which kind, which words, and the author's part of the traceback.
//!
//! An exception is `Internal` unless its type says more: a Python author promises nothing about state or about whose
//! fault a `ValueError` is. An author who does know sets `remotemedia_kind` on the exception (see
//! `remotemedia.core.exceptions`).

use pyo3::exceptions::{
    PyImportError, PyKeyboardInterrupt, PyMemoryError, PyTimeoutError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use remotemedia_core::{ErrorKind, NodeError};

use crate::shim;

/// What was being done when Python raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Starting the interpreter.
    Start,
    /// Finding the class and reading its description.
    Describe,
    /// Calling the constructor.
    Construct,
    /// Any verb of a constructed node.
    Run,
}

/// The error that `error` is to the host.
pub(crate) fn to_node_error(py: Python<'_>, error: &PyErr, verb: Verb) -> NodeError {
    let explained = shim::report(py)
        .and_then(|report| report.call_method1("explain", (error.value(py), error.traceback(py))))
        .and_then(|words| words.extract::<(String, String, String)>());
    let (message, trace, declared) =
        explained.unwrap_or_else(|_| (error.to_string(), String::new(), String::new()));
    let kind = declared_kind(&declared).unwrap_or_else(|| kind(py, error, verb));
    let node_error = NodeError::new(kind, message);
    if trace.is_empty() { node_error } else { node_error.with_trace(trace) }
}

fn kind(py: Python<'_>, error: &PyErr, verb: Verb) -> ErrorKind {
    if verb != Verb::Run && verb != Verb::Construct {
        return ErrorKind::Unavailable;
    }
    if verb == Verb::Construct
        && (error.is_instance_of::<PyTypeError>(py) || error.is_instance_of::<PyValueError>(py))
    {
        ErrorKind::InvalidParams
    } else if error.is_instance_of::<PyImportError>(py) {
        ErrorKind::Unavailable
    } else if error.is_instance_of::<PyTimeoutError>(py) {
        ErrorKind::Timeout
    } else if error.is_instance_of::<PyMemoryError>(py) {
        ErrorKind::LimitExceeded
    } else if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        ErrorKind::Cancelled
    } else {
        ErrorKind::Internal
    }
}

fn declared_kind(name: &str) -> Option<ErrorKind> {
    [
        ErrorKind::InvalidParams,
        ErrorKind::InvalidInput,
        ErrorKind::Transient,
        ErrorKind::Timeout,
        ErrorKind::Unavailable,
        ErrorKind::Internal,
    ]
    .into_iter()
    .find(|kind| kind.name() == name)
}
