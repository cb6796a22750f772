//! A source that is fed as things happen, by a microphone or a call: nobody can make it wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::{OnFull, QueueSpec};

/// Whether a source is live: true, false, or how much of it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Live {
    /// `true`: up to a second of audio waits, then the oldest is dropped.
    Switch(bool),
    /// How much waits, and what is dropped then.
    Queue(LiveSpec),
}

/// How much of a live source may wait. Whichever bound is reached first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LiveSpec {
    /// Most audio that waits, in milliseconds of play-back time.
    #[schemars(range(min = 1))]
    pub max_ms: u64,
    /// Most packets that wait.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_packets: usize,
    /// What is dropped when it is full: `drop_oldest` or `drop_newest`.
    pub on_full: OnFull,
}

impl Default for LiveSpec {
    fn default() -> Self {
        Self { max_ms: 1_000, max_packets: 1_024, on_full: OnFull::DropOldest }
    }
}

impl Live {
    /// The queue of a live source; `None` for one that is not live.
    #[must_use]
    pub fn queue(&self) -> Option<QueueSpec> {
        let spec = match self {
            Self::Switch(false) => return None,
            Self::Switch(true) => LiveSpec::default(),
            Self::Queue(spec) => *spec,
        };
        Some(QueueSpec { max_packets: spec.max_packets, max_ms: Some(spec.max_ms), on_full: spec.on_full })
    }
}
