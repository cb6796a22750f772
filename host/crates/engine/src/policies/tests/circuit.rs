//! The circuit against a model of its own, and under threads that come at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use proptest::prelude::*;
use remotemedia_core::manifest::BreakerSpec;

use crate::policies::BreakerState;
use crate::policies::breaker::Breaker;
use crate::policies::circuit::{Circuit, Outcome};

fn spec(failures: u32, cooldown_ms: u64) -> BreakerSpec {
    BreakerSpec { failures, cooldown_ms, ..BreakerSpec::default() }
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

proptest! {
    /// Calls one after the other. The model knows no states: it keeps what happened, and derives from that whether a
    /// call may be made.
    #[test]
    fn calls_are_kept_away_exactly_for_the_cooldown_after_enough_failures_in_a_row(
        failures in 1_u32..6,
        cooldown_ms in 1_u64..50,
        calls in proptest::collection::vec((0_u64..30, 0_u8..3), 1..200),
    ) {
        let mut circuit = Circuit::new(spec(failures, cooldown_ms));
        let mut now = 0;
        let mut in_a_row = 0;
        let mut shut_until = None;
        for (pause, outcome) in calls {
            now += pause;
            let admitted = circuit.admit(ms(now));
            let expected = match shut_until {
                Some(until) if now < until => Err(ms(until - now)),
                _ => Ok(()),
            };
            prop_assert_eq!(admitted.map(|_| ()), expected, "at {} ms", now);
            let Ok(ticket) = admitted else { continue };
            let trying = shut_until.is_some();
            let outcome = [Outcome::Success, Outcome::Failure, Outcome::Unknown][usize::from(outcome)];
            circuit.report(ticket, outcome, ms(now));
            match outcome {
                Outcome::Success => (in_a_row, shut_until) = (0, None),
                Outcome::Failure => {
                    in_a_row += 1;
                    if trying || in_a_row >= failures {
                        (in_a_row, shut_until) = (0, Some(now + cooldown_ms));
                    }
                }
                Outcome::Unknown => {}
            }
        }
    }
}

#[test]
fn of_many_threads_one_tries_a_circuit_that_has_cooled_down() {
    const THREADS: usize = 8;
    for round in 0..200 {
        let breaker = Arc::new(Breaker::new(spec(1, 10)));
        let ticket = breaker.admit(ms(0)).unwrap();
        assert_eq!(breaker.report(ticket, Outcome::Failure, ms(0)), Some(BreakerState::Open));
        let (start, admitted) = (Barrier::new(THREADS), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    if breaker.admit(ms(10)).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1, "round {round}");
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }
}

#[test]
fn a_call_that_began_before_the_circuit_opened_neither_closes_nor_opens_it() {
    let mut circuit = Circuit::new(spec(1, 10));
    let early = circuit.admit(ms(0)).unwrap();
    let failing = circuit.admit(ms(0)).unwrap();
    assert!(circuit.report(failing, Outcome::Failure, ms(1)));
    assert!(!circuit.report(early, Outcome::Success, ms(2)));
    assert_eq!(circuit.state(), BreakerState::Open);
    let trying = circuit.admit(ms(11)).unwrap();
    assert!(circuit.report(trying, Outcome::Success, ms(12)));
    assert!(!circuit.report(early, Outcome::Failure, ms(13)));
    assert_eq!(circuit.state(), BreakerState::Closed);
}

#[test]
fn a_try_that_never_comes_back_lets_another_one_go_after_a_cooldown() {
    let mut circuit = Circuit::new(spec(1, 10));
    let ticket = circuit.admit(ms(0)).unwrap();
    circuit.report(ticket, Outcome::Failure, ms(0));
    let lost = circuit.admit(ms(10)).unwrap();
    assert_eq!(circuit.admit(ms(19)), Err(ms(1)));
    let second = circuit.admit(ms(20)).unwrap();
    assert!(!circuit.report(lost, Outcome::Failure, ms(21)), "nobody waits for it any more");
    assert!(circuit.report(second, Outcome::Success, ms(22)));
    assert_eq!(circuit.state(), BreakerState::Closed);
}
