//! The runtimes that the functions under test run on: a whole host's. The fuzz targets have a file of that name of their
//! own, which makes them of their crates.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{Node, NodeDescriptor, NodeError, NodeManifest, Runtime, RuntimeKind};
use remotemedia_host::{Config, Host};

pub use remotemedia_host::{BinaryKind, Inspection, media};

use super::echo;
pub use crate::hostile::hand_made::HandMade;

/// What a host says about the component in a file.
pub type Describe = Box<dyn Fn(&Path) -> Result<NodeDescriptor, NodeError>>;

fn runtime(host: &Host, kind: RuntimeKind) -> Arc<dyn Runtime> {
    Arc::clone(host.runtimes().get(kind).unwrap())
}

/// The native nodes.
pub fn native() -> Arc<dyn Runtime> {
    runtime(&Host::new(Config::default()), RuntimeKind::Native)
}

/// Components, under that policy.
pub fn sandbox(policy: SandboxPolicy) -> Arc<dyn Runtime> {
    runtime(&Host::new(Config { policy: policy.into(), ..Config::default() }), RuntimeKind::Wasm)
}

/// A host under that policy, with a compiler or with a place where none is.
pub fn describe(policy: SandboxPolicy, with_compiler: bool) -> Describe {
    let nowhere = (!with_compiler).then(|| "/nonexistent/remotemedia".into());
    let host = Host::new(Config { policy: policy.into(), compiler: nowhere, ..Config::default() });
    Box::new(move |file| host.describe_component(file))
}

/// Calls `each` with the name of every echo and the echo itself.
pub fn with_echoes(each: impl FnMut(&str, &mut dyn Node)) {
    thread_local! {
        static ECHOES: RefCell<Vec<(&'static str, Box<dyn Node>)>> = RefCell::new(vec![
            ("cpython", python_echo()),
            ("wasm", echo::component(&*sandbox(echo::policy()))),
        ]);
    }
    ECHOES.with_borrow_mut(|echoes| echo::call(echoes, each));
}

fn python_echo() -> Box<dyn Node> {
    let node = NodeManifest { base_dir: crate::binary::repository().join("tests/corpora"), ..echo::class() };
    let host =
        Host::new(Config { venv: Some(crate::binary::repository().join(".venv")), ..Config::default() });
    let mut echo = runtime(&host, RuntimeKind::Cpython).create(&node).unwrap();
    echo.initialize().unwrap();
    echo
}
