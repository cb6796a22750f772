//! The command line of the host, as `python -m remotemedia`, and the process that compiles components for it.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use pyo3::prelude::*;
use remotemedia_host::{CompilerProgram, cli};

/// What the host's own program exits with after a bug of its own.
const PANICKED: u8 = 101;

/// Runs the command line with `arguments`, which begin after the program's name, and returns the exit code.
pub(crate) fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let compiler = own_compiler(py);
    let arguments: Vec<OsString> = std::iter::once("remotemedia".into()).chain(arguments).collect();
    // Python would make it a traceback and the exit code 1.
    py.detach(|| catch_unwind(AssertUnwindSafe(|| cli::run(&arguments, compiler))).unwrap_or(PANICKED))
}

/// How to start this Python so that it compiles a component: without its environment's packages and settings, with
/// nothing but this module. `None` where Python does not know its own program, or the package is no folder.
pub(crate) fn own_compiler(py: Python<'_>) -> Option<CompilerProgram> {
    let program: PathBuf = py.import("sys").ok()?.getattr("executable").ok()?.extract().ok()?;
    let module = py.import("remotemedia._remotemedia_runtime").ok()?;
    let module: PathBuf = module.getattr("__file__").ok()?.extract().ok()?;
    let script = module.with_file_name("_compiler.py");
    let usable = program.is_absolute() && script.is_absolute() && script.is_file();
    let arguments = ["-I".into(), "-S".into(), "-B".into(), script.into(), module.into()];
    usable.then(|| CompilerProgram { program, arguments: arguments.into() })
}
