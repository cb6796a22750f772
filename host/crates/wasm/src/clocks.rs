//! The clocks of a guest that has no need of exact ones: whole milliseconds, too coarse to measure what other programs
//! do to the processor's caches.

use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

const STEP: Duration = Duration::from_millis(1);

/// Both clocks, rounded down.
pub(crate) struct CoarseClock {
    began: Instant,
}

impl CoarseClock {
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl HostWallClock for CoarseClock {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_millis(since_epoch.as_millis() as u64)
    }
}

impl HostMonotonicClock for CoarseClock {
    fn resolution(&self) -> u64 {
        STEP.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 * STEP.as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_shows_whole_milliseconds_and_goes_on() {
        let clock = CoarseClock::new();
        let first = HostMonotonicClock::now(&clock);
        let mut turns = 0;
        while HostMonotonicClock::now(&clock) < first + 2_000_000 {
            assert_eq!(HostMonotonicClock::now(&clock) % 1_000_000, 0);
            assert_eq!(HostWallClock::now(&clock).subsec_nanos() % 1_000_000, 0);
            turns += 1;
        }
        assert!(turns > 0);
    }
}
