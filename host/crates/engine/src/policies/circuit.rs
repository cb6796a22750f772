//! The states of a circuit breaker and what leads from one to the other. Pure: it is told the time, and waits for
//! nothing.
//!
//! ```text
//!           `failures` in a row                cooldown over: one call may try
//!  closed ──────────────────────▶ open ──────────────────────────────▶ half-open
//!     ▲                             ▲  ◀── the try fails ───────────────┘  │
//!     └──────────────────────── the try succeeds ──────────────────────────┘
//! ```

use std::time::Duration;

use remotemedia_core::manifest::BreakerSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a circuit does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are kept away.
    Open,
    /// One call is trying.
    HalfOpen,
}

impl BreakerState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// What metrics and events call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How a call went, as far as the circuit is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// The node is to blame.
    Failure,
    /// Says nothing about the node: a packet that it does not take, a cancellation.
    Unknown,
}

/// Allows one call, whose outcome is to be reported with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    generation: u64,
    /// True for the one call that tries a circuit which was open.
    pub(crate) tries: bool,
}

/// A circuit.
#[derive(Debug)]
pub(crate) struct Circuit {
    spec: BreakerSpec,
    state: BreakerState,
    /// Failures in a row, while closed.
    failures: u32,
    /// When it opened, or when the try began.
    since: Duration,
    /// Counts changes of the state: a call that began before the last one says nothing about now.
    generation: u64,
}

impl Circuit {
    pub(crate) fn new(spec: BreakerSpec) -> Self {
        Self { spec, state: BreakerState::Closed, failures: 0, since: Duration::ZERO, generation: 0 }
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.state
    }

    /// True when nothing is remembered that a new circuit would not know.
    pub(crate) fn is_untouched(&self) -> bool {
        self.state == BreakerState::Closed && self.failures == 0
    }

    /// May a call be made at `now`? If not, after how long one may.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<Ticket, Duration> {
        if self.state != BreakerState::Closed {
            // A try that has not come back after a whole cooldown is lost: the next one may.
            let waited = now.saturating_sub(self.since);
            let left = Duration::from_millis(self.spec.cooldown_ms).saturating_sub(waited);
            if !left.is_zero() {
                return Err(left);
            }
            self.become_at(BreakerState::HalfOpen, now);
        }
        Ok(Ticket { generation: self.generation, tries: self.state == BreakerState::HalfOpen })
    }

    /// A call failed that will not come back to report it. True when that changed the state.
    pub(crate) fn fail(&mut self, now: Duration) -> bool {
        self.report(Ticket { generation: self.generation, tries: false }, Outcome::Failure, now)
    }

    /// The call of `ticket` ended. True when that changed the state.
    pub(crate) fn report(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) -> bool {
        if ticket.generation != self.generation {
            return false;
        }
        let next = match (self.state, outcome) {
            (BreakerState::Closed, Outcome::Failure) => {
                self.failures += 1;
                if self.failures < self.spec.failures {
                    return false;
                }
                BreakerState::Open
            }
            (BreakerState::Closed, Outcome::Success) => {
                self.failures = 0;
                return false;
            }
            (BreakerState::HalfOpen, Outcome::Success) => BreakerState::Closed,
            (BreakerState::HalfOpen, Outcome::Failure) => BreakerState::Open,
            (BreakerState::HalfOpen, Outcome::Unknown) => {
                // The try proved nothing: the next call may try at once.
                let cooled = now.saturating_sub(Duration::from_millis(self.spec.cooldown_ms));
                self.become_at(BreakerState::Open, cooled);
                return true;
            }
            (BreakerState::Closed, Outcome::Unknown) | (BreakerState::Open, _) => return false,
        };
        self.become_at(next, now);
        true
    }

    fn become_at(&mut self, state: BreakerState, now: Duration) {
        self.state = state;
        self.since = now;
        self.failures = 0;
        self.generation += 1;
    }
}
