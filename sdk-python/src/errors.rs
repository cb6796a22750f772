//! The host's errors as the exceptions of `remotemedia.core`.

use pyo3::prelude::*;
use remotemedia_host::core::{ManifestErrors, NodeError, Operation};

/// What a node's failure is in Python; its traceback is part of the text.
pub(crate) fn node_error(py: Python<'_>, error: &NodeError) -> PyErr {
    let operation = error.operation.map(Operation::name);
    let arguments =
        (error.kind.name(), &*error.node_id, operation, error.message.to_string(), error.trace.as_deref());
    from_python(py, if error.is_wrong_kind { "value_failure" } else { "node_failure" }, arguments)
}

/// Everything that is wrong with a manifest.
pub(crate) fn manifest_errors(py: Python<'_>, errors: &ManifestErrors) -> PyErr {
    from_python(py, "manifest_failure", (errors.to_string(),))
}

/// The exception that a function of `remotemedia.core.native` makes.
fn from_python<'py>(py: Python<'py>, maker: &str, arguments: impl pyo3::call::PyCallArgs<'py>) -> PyErr {
    let made = py
        .import("remotemedia.core.native")
        .and_then(|native| native.getattr(maker))
        .and_then(|maker| maker.call1(arguments));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
