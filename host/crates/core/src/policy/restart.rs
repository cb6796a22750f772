//! How often a node that was stopped is made anew.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a node that was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestartBudget {
    /// How often a node that trapped or hit a limit is made anew within `within_ms`; 0 ends its pipeline.
    #[schemars(range(min = 0, max = 1_000))]
    pub attempts: u32,
    /// The time over which attempts are counted, in milliseconds.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub within_ms: u64,
}

impl Default for RestartBudget {
    fn default() -> Self {
        Self { attempts: 0, within_ms: 60_000 }
    }
}
