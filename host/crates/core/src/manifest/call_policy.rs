//! What a manifest asks for around the calls of a node: retries, a circuit breaker, what an error means. Plain data;
//! the engine applies it, in the order that `policies/mod.rs` there gives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A failed call is tried again when its error is one that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySpec {
    /// How often a call is tried again after it failed first.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// The wait before the first retry, in milliseconds.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub base_ms: u64,
    /// What every further wait is multiplied by.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub factor: f64,
    /// The longest wait, in milliseconds.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub max_ms: u64,
    /// Wait a random time between half of that and all of it, so that many sessions do not come back at once.
    pub jitter: bool,
}

impl Default for RetrySpec {
    fn default() -> Self {
        Self { attempts: 3, base_ms: 100, factor: 2.0, max_ms: 10_000, jitter: false }
    }
}

/// Keeps calls away from a node that fails and fails. All pipelines that run this node type with these params share
/// one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSpec {
    /// How many calls must fail in a row, each with its retries, for the circuit to open.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub failures: u32,
    /// How long it stays open before one call may try again, in milliseconds.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub cooldown_ms: u64,
    /// What happens to a call while the circuit is open.
    pub on_open: OnOpen,
}

impl Default for BreakerSpec {
    fn default() -> Self {
        Self { failures: 5, cooldown_ms: 30_000, on_open: OnOpen::Fail }
    }
}

/// What happens to a call while the circuit is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnOpen {
    /// It fails with `circuit_open`.
    #[default]
    Fail,
    /// Another runtime of equal or stricter isolation serves it. For stateless nodes only.
    Fallback,
}

/// What an error of a node means for its pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The pipeline fails.
    #[default]
    Fail,
    /// The packet is skipped, counted and logged with its time; the pipeline goes on.
    Skip,
}

impl OnError {
    pub(super) fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}
