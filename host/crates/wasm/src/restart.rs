//! How often a node that was stopped may be made anew: so many times within a window that moves with the clock,
//! which the caller reads. It makes nothing itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use remotemedia_core::policy::RestartBudget;

/// The restarts of one node.
#[derive(Debug)]
pub(crate) struct Restarts {
    attempts: usize,
    within: Duration,
    /// When the last ones were, oldest first.
    taken: VecDeque<Instant>,
}

impl Restarts {
    pub fn new(budget: &RestartBudget) -> Self {
        Self {
            attempts: budget.attempts as usize,
            within: Duration::from_millis(budget.within_ms),
            taken: VecDeque::new(),
        }
    }

    /// Takes one restart: which one of how many within the window it is. `None` when all are taken.
    pub fn take(&mut self, now: Instant) -> Option<Restart> {
        while self.taken.front().is_some_and(|taken| now.saturating_duration_since(*taken) >= self.within) {
            self.taken.pop_front();
        }
        if self.taken.len() >= self.attempts {
            return None;
        }
        self.taken.push_back(now);
        Some(Restart { number: self.taken.len(), of: self.attempts })
    }

    /// How many there are within how long.
    pub fn budget(&self) -> (usize, Duration) {
        (self.attempts, self.within)
    }
}

/// One restart of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restart {
    pub number: usize,
    pub of: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restarts(attempts: u32, within_ms: u64) -> Restarts {
        Restarts::new(&RestartBudget { attempts, within_ms })
    }

    #[test]
    fn by_default_nothing_is_made_anew() {
        let mut restarts = Restarts::new(&RestartBudget::default());
        assert_eq!(restarts.take(Instant::now()), None);
    }

    #[test]
    fn attempts_come_back_when_they_leave_the_window() {
        let mut restarts = restarts(2, 1_000);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(restarts.take(at(0)), Some(Restart { number: 1, of: 2 }));
        assert_eq!(restarts.take(at(600)), Some(Restart { number: 2, of: 2 }));
        assert_eq!(restarts.take(at(999)), None);
        assert_eq!(
            restarts.take(at(1_000)),
            Some(Restart { number: 2, of: 2 }),
            "the first has left the window"
        );
        assert_eq!(restarts.take(at(1_599)), None);
        assert_eq!(restarts.take(at(9_000)), Some(Restart { number: 1, of: 2 }));
    }

    #[test]
    fn a_node_that_falls_more_rarely_than_the_window_runs_for_ever() {
        let mut restarts = restarts(1, 1_000);
        let start = Instant::now();
        for hour in 0..1_000 {
            let now = start + Duration::from_secs(3_600 * hour);
            assert_eq!(restarts.take(now), Some(Restart { number: 1, of: 1 }));
        }
        assert_eq!(restarts.taken.len(), 1, "old ones are forgotten");
    }
}
