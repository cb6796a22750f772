//! `node`: the author's kit, one file per verb.

mod args;
mod conform;
mod keygen;
mod sign;
mod verify;

use remotemedia_host::Host;
use remotemedia_host::trust::{KeyFailure, SignFailure};

use super::failure::Failure;

pub use args::NodeCommand;

pub fn node(host: &Host, command: &NodeCommand, as_json: bool) -> Result<(), Failure> {
    match command {
        NodeCommand::Conform(args) => conform::conform_node(host, args, as_json),
        NodeCommand::Keygen(args) => keygen::keygen(args, as_json),
        NodeCommand::Sign(args) => sign::sign(args, as_json),
        NodeCommand::Verify(args) => verify::verify(host, args, as_json),
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
