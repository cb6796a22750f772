//! The operator's policy: what sandboxed nodes may use and reach, as plain data. One file of the operator holds it.
//!
//! Nothing here reads a file or enforces anything. Every value has a safe default and a range, and none can be
//! switched off. The doc comments are what `remotemedia policy show` prints.

mod check;
mod compile;
mod crash;
mod grants;
mod limits;
mod restart;
mod tenant;
mod trust;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{PolicyKey, keys};
pub use compile::CompileLimits;
pub use crash::CrashLimits;
pub use grants::{Clock, Grants, Random};
pub use limits::{Maximum, NonFinite, Pool, SandboxLimits};
pub use restart::RestartBudget;
pub use tenant::TenantLimits;
pub use trust::Trust;

/// What sandboxed nodes may use and reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxPolicy {
    /// What a node gets whose manifest says nothing.
    pub limits: SandboxLimits,
    /// What a manifest may raise its node's limits to.
    pub maximum: Maximum,
    /// What all nodes of one tenant get together.
    pub tenant: TenantLimits,
    /// What compiling a component may take.
    pub compile: CompileLimits,
    /// What a manifest may ask for in `permissions`. Granting gives nothing to a node that does not ask.
    pub grants: Grants,
    /// Which components may run.
    pub trust: Trust,
    /// What happens to a node that was stopped.
    pub restart: RestartBudget,
    /// What is read and kept of a node that was stopped.
    pub crash: CrashLimits,
    /// The file that the policy was read from; `None` for the built-in defaults.
    #[serde(skip)]
    #[schemars(skip)]
    pub source: Option<PathBuf>,
}

impl SandboxPolicy {
    /// Where an operator changes it, for error messages.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.source {
            Some(file) => format!("`{}`", file.display()),
            None => "a policy file (`--policy FILE`)".into(),
        }
    }
}
