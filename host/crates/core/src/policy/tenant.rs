//! What all nodes of one tenant may use together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What all nodes of one tenant get together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantLimits {
    /// Linear memory of all running nodes of a tenant together, in MiB.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub memory_mb: u32,
    /// Wasm nodes of a tenant that may run at once.
    #[schemars(range(min = 1, max = 100_000))]
    pub running_nodes: u32,
    /// Files and directories that all nodes of a tenant together may have open at once.
    #[schemars(range(min = 8, max = 1_000_000))]
    pub open_files: u32,
    /// What all nodes of a tenant together may write to files as long as the host runs, in MiB.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub written_mb: u32,
    /// Files, directories and links that all nodes of a tenant together may create as long as the host runs.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub created_files: u32,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            memory_mb: 2_048,
            running_nodes: 1_000,
            open_files: 512,
            written_mb: 1_024,
            created_files: 10_000,
        }
    }
}
