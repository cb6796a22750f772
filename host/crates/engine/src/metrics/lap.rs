//! The clock that calls are timed by. It is read once per hop, and is most of what counting costs.

use std::sync::OnceLock;
use std::time::Instant;

use quanta::Clock;

/// The processor's own counter, when somebody has calibrated it.
static COUNTER: OnceLock<Clock> = OnceLock::new();

/// Finds out how fast the processor's own counter runs, whose reading takes a third of the time of the system's clock:
/// pipelines that start later time their calls by it. Takes a millisecond and on a busy machine up to 200, so it is for
/// a thread that has time. Without it, and on processors whose counter is none to trust, the system's clock serves.
pub fn calibrate() {
    COUNTER.get_or_init(Clock::new);
}

/// What tells the time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LapClock {
    /// Nanoseconds since then, by the system.
    System(Instant),
    Counter(&'static Clock),
}

impl LapClock {
    /// The best that there is now.
    pub fn best() -> Self {
        COUNTER.get().map_or_else(|| Self::System(Instant::now()), Self::Counter)
    }

    /// Begins a lap.
    #[inline]
    pub fn start(self) -> Lap {
        Lap { clock: self, began: self.now() }
    }

    #[inline]
    fn now(self) -> u64 {
        match self {
            Self::System(origin) => origin.elapsed().as_nanos() as u64,
            Self::Counter(counter) => counter.raw(),
        }
    }
}

/// One call after the other: the end of one is the beginning of the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lap {
    clock: LapClock,
    /// In the unit of the clock.
    began: u64,
}

impl Lap {
    /// Ends this lap and begins the next; how long this one took, in nanoseconds.
    #[inline]
    pub fn next(&mut self) -> u64 {
        let now = self.clock.now();
        let began = std::mem::replace(&mut self.began, now);
        match self.clock {
            LapClock::System(_) => now.saturating_sub(began),
            LapClock::Counter(counter) => counter.delta_as_nanos(began, now),
        }
    }

    /// When this lap began, in nanoseconds since the origin of the system's clock; `None` of the counter, which has none.
    pub fn began_ns(&self) -> Option<u64> {
        match self.clock {
            LapClock::System(_) => Some(self.began),
            LapClock::Counter(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums laps for as long as the system's clock says that 20 ms passed.
    fn sum_beside_the_system(clock: LapClock) -> f64 {
        let began = Instant::now();
        let mut lap = clock.start();
        let mut sum_ns = 0;
        while began.elapsed().as_millis() < 20 {
            sum_ns += lap.next();
        }
        sum_ns += lap.next();
        sum_ns as f64 / began.elapsed().as_nanos() as f64
    }

    #[test]
    fn laps_leave_nothing_out_and_agree_with_the_systems_clock() {
        calibrate();
        let counter = LapClock::best();
        assert!(matches!(counter, LapClock::Counter(_)), "{counter:?}");
        for clock in [counter, LapClock::System(Instant::now())] {
            // The thread may be put aside between two readings of different clocks, so the best of some tries.
            let ratios: Vec<f64> = (0..10).map(|_| sum_beside_the_system(clock)).collect();
            assert!(ratios.iter().any(|ratio| (ratio - 1.0).abs() < 0.01), "{clock:?}: {ratios:?}");
        }
        assert_eq!(counter.start().began_ns(), None);
        let origin = Instant::now();
        let began_ns = LapClock::System(origin).start().began_ns().unwrap();
        assert!(u128::from(began_ns) <= origin.elapsed().as_nanos());
    }
}
