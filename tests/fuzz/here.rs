//! The runtimes, made of their crates: the whole host would be compiled for nothing.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use remotemedia_core::{Node, Runtime};
use remotemedia_nodes::NativeRuntime;
use remotemedia_python::{CpythonConfig, CpythonRuntime};

use crate::echo;
pub use crate::hand_made::HandMade;
pub use crate::media;
#[cfg(feature = "sandbox")]
pub use crate::sandboxed::{BinaryKind, Describe, Inspection, describe, sandbox};

/// The native nodes.
pub fn native() -> Arc<dyn Runtime> {
    Arc::new(NativeRuntime::new())
}

/// Calls `each` with the name of every echo and the echo itself.
pub fn with_echoes(each: impl FnMut(&str, &mut dyn Node)) {
    thread_local! {
        static ECHOES: RefCell<Vec<(&'static str, Box<dyn Node>)>> = RefCell::new(vec![
            ("cpython", python_echo()),
            #[cfg(feature = "sandbox")]
            ("wasm", echo::component(&*sandbox(echo::policy()))),
        ]);
    }
    ECHOES.with_borrow_mut(|echoes| echo::call(echoes, each));
}

fn python_echo() -> Box<dyn Node> {
    let mut node = echo::class();
    node.base_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    let mut echo = CpythonRuntime::new(CpythonConfig::default()).create(&node).unwrap();
    echo.initialize().unwrap();
    echo
}
