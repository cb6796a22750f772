//! What the operator's key opens. A node gets what its manifest asks for and what is granted here.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a manifest may ask for in `permissions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Directories that nodes may read, with all below them. Relative ones are relative to the policy file.
    #[serde(rename = "fs.read")]
    pub fs_read: Vec<PathBuf>,
    /// Directories that nodes may read and write, with all below them. Relative ones are relative to the policy
    /// file.
    #[serde(rename = "fs.write")]
    pub fs_write: Vec<PathBuf>,
    /// Names of environment variables of the host that nodes may see.
    pub env: Vec<String>,
    /// The finest clock that nodes may see: `coarse` (whole milliseconds) or `fine` (the real one).
    pub clock: Clock,
    /// Where random numbers come from: `real` (the system) or `seeded` (the same in every run).
    pub random: Random,
    /// What seeded random numbers begin with, together with the node's id.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub random_seed: u64,
    /// Hosts that nodes may reach by HTTP. Not supported by this version: must be empty.
    #[serde(rename = "net.http")]
    pub net_http: Vec<String>,
}

/// How exact a node's clocks are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Rounded down to whole milliseconds: too coarse to measure what other programs do to the caches.
    #[default]
    Coarse,
    /// The real ones.
    Fine,
}

/// Where a node's random numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Random {
    /// The system.
    #[default]
    Real,
    /// A generator that begins with the node's id and the policy's seed: the same in every run.
    Seeded,
}
