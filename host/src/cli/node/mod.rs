//! `node`: the author's kit, one file per verb. What the verbs do is in `crate::kit`; here it is printed.

mod args;
mod bench;
mod build;
mod conform;
mod inspect;
mod keygen;
mod new;
mod pack;
mod pull;
mod push;
mod run;
mod sign;
mod signatures;
mod test;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Host;
use crate::kit::{KitError, Project};
use crate::package::PackageError;
use crate::trust::{KeyFailure, SignFailure};

use super::failure::Failure;

pub use args::NodeCommand;

pub fn node(host: &Host, command: &NodeCommand, as_json: bool) -> Result<(), Failure> {
    match command {
        NodeCommand::New(args) => new::new(args, as_json),
        NodeCommand::Build { dir } => build::build(host, dir, as_json),
        NodeCommand::Test(args) => test::test(host, args, as_json),
        NodeCommand::Bench(args) => bench::bench(host, args, as_json),
        NodeCommand::Run(args) => run::run(host, args, as_json),
        NodeCommand::Inspect(args) => inspect::inspect(host, args, as_json),
        NodeCommand::Conform(args) => conform::conform_node(host, args, as_json),
        NodeCommand::Pack(args) => pack::pack(host, args, as_json),
        NodeCommand::Push(args) => push::push(host, args, as_json),
        NodeCommand::Pull(args) => pull::pull(host, args, as_json),
        NodeCommand::Keygen(args) => keygen::keygen(args, as_json),
        NodeCommand::Sign(args) => sign::sign(args, as_json),
        NodeCommand::Verify(args) => verify::verify(host, args, as_json),
    }
}

/// The component that `target` names: a file, or what was built in a node's folder.
fn component(target: &Path) -> Result<PathBuf, Failure> {
    if target.is_dir() {
        return Ok(Project::open(target)?.built_component()?.to_owned());
    }
    match fs::metadata(target) {
        Ok(_) => Ok(target.to_owned()),
        Err(error) => Err(Failure::usage(format!(
            "cannot read `{}`: {error}. Name the .wasm file that the build of a node made, or a node's folder",
            target.display()
        ))),
    }
}

impl From<KitError> for Failure {
    fn from(error: KitError) -> Self {
        match error {
            KitError::Node(error) => error.into(),
            KitError::Media(error) => Self::unreadable(&error),
            KitError::Plan { ref errors, .. } => Self::params(error.to_string(), errors),
            KitError::ToolMissing { .. } | KitError::CommandFailed { .. } | KitError::Io { .. } => {
                Self::node_check(error.to_string())
            }
            other => Self::usage(other.to_string()),
        }
    }
}

impl From<PackageError> for Failure {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::Reference { .. } => Self::usage(error.to_string()),
            _ => Self::package(error.to_string()),
        }
    }
}

impl From<KeyFailure> for Failure {
    fn from(error: KeyFailure) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<SignFailure> for Failure {
    fn from(error: SignFailure) -> Self {
        match error {
            SignFailure::Untrusted { .. } => Self::untrusted(error.to_string()),
            _ => Self::usage(error.to_string()),
        }
    }
}
