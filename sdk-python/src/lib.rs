//! The native module `remotemedia._remotemedia_runtime`: pipelines of the host for the Python package. It converts
//! arguments and results; what a pipeline means is the host's, how Python sees it is `remotemedia.core`'s.

mod cli;
mod errors;
mod session;

use pyo3::pymodule;

/// The native engine of the package remotemedia.
#[pymodule]
mod _remotemedia_runtime {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::session::Session;

    /// The names of the native node types.
    #[pyfunction]
    fn native_node_types() -> Vec<String> {
        crate::session::native_node_types()
    }

    /// Runs the command line with `arguments`, which begin after the program's name, and returns the exit code. Once per
    /// process, which is the command line's from then on.
    #[pyfunction]
    fn main(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
        crate::cli::run(py, arguments)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
