//! The time that policies go by. The engine's own clock is the system's; tests have one that they move themselves.

use std::time::{Duration, Instant};

use crate::control::Control;
use crate::epochs::Epoch;

/// A clock that only goes forward, and a way to wait for it.
pub(crate) trait Clock: Send + Sync {
    /// The time since some moment that stays the same.
    fn now(&self) -> Duration;

    /// Waits on this thread for `time`, or until the pipeline stops or was interrupted later than at `cut`: then false.
    fn wait(&self, time: Duration, pipeline: &Control, cut: Epoch) -> bool;
}

/// The system's monotonic clock.
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, time: Duration, pipeline: &Control, cut: Epoch) -> bool {
        !pipeline.wait_ended_early(time, cut)
    }
}
