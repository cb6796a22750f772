//! Rust: cargo, for the target wasm32-wasip2.

use std::path::Path;
use std::process::Command;

use crate::Config;
use crate::kit::tool::{answer, command, find, run};
use crate::kit::{KitError, Project};

const TARGET: &str = "wasm32-wasip2";
/// What `.ci/wasm-target.sh` makes where rustup cannot download.
const OWN_TOOLCHAIN: &str = "+remotemedia-wasm";
const MISSING: (&str, &str) =
    ("nodes in Rust are built with it", "https://rustup.rs, then `rustup target add wasm32-wasip2`");

pub(super) fn build(config: &Config, project: &Project) -> Result<(), KitError> {
    let toolchain = toolchain(config, &project.folder)?;
    let mut cargo = cargo(config, project, toolchain);
    cargo.args(["build", "--release", "--target", TARGET, "--target-dir", "target"]);
    run(cargo, MISSING)
}

/// In the release profile, whose macros and build scripts the component's build has already made, but without its
/// optimizations: they would take longer than the tests.
pub(super) fn unit_tests(config: &Config, project: &Project) -> Result<(), KitError> {
    let mut cargo = cargo(config, project, None);
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    cargo.args(["test", "--release", "--target-dir", "target", "--", "--quiet"]);
    run(cargo, MISSING)
}

fn cargo(config: &Config, project: &Project, toolchain: Option<&str>) -> Command {
    let mut cargo = command(find(config, "cargo"), &project.folder);
    // Flags that are meant for the author's machine would be used for the sandbox's, too.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.args(toolchain);
    cargo
}

/// The toolchain argument that has the target's standard library.
fn toolchain(config: &Config, folder: &Path) -> Result<Option<&'static str>, KitError> {
    for toolchain in [None, Some(OWN_TOOLCHAIN)] {
        let mut rustc = command(find(config, "rustc"), folder);
        rustc.args(toolchain).args(["--print", "target-libdir", "--target", TARGET]);
        let libraries = answer(rustc, MISSING)?;
        if libraries.is_some_and(|folder| Path::new(&folder).is_dir()) {
            return Ok(toolchain);
        }
    }
    Err(KitError::ToolMissing {
        what: format!("Rust's standard library for {TARGET} is not installed"),
        install: format!("rustup target add {TARGET}"),
    })
}
