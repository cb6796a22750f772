//! The clock that calls are timed by. It is read once per hop, and is most of what counting costs.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use quanta::Clock;

/// The processor's own counter, when somebody has calibrated it.
static COUNTER: OnceLock<Clock> = OnceLock::new();

/// Finds out how fast the processor's own counter runs, whose reading takes a third of the time of the system's clock:
/// from then on calls are timed by it. Takes a few milliseconds and on a busy machine up to 200, so it is for a thread that
/// has time. Without it, and on processors whose counter is none to trust, the system's clock serves.
pub fn calibrate() {
    if COUNTER.get().is_some() || !is_trusted() {
        return;
    }
    let counter = Clock::new();
    if agrees(&counter) {
        // Another thread can only have been as right.
        let _ = COUNTER.set(counter);
    }
}

/// Whether the system reads the counter itself: it watches whether the processors agree, and gives it up otherwise.
fn is_trusted() -> bool {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(not(target_os = "linux"))
        || std::fs::read_to_string(source)
            .is_ok_and(|name| ["tsc", "arch_sys_counter"].contains(&name.trim()))
}

/// For how long both clocks are compared, and how far they may be apart after it: less than the percentiles are.
const COMPARED: Duration = Duration::from_millis(2);
const MOST_APART: f64 = 0.005;

/// A calibration that was interrupted at the wrong moment is wrong.
fn agrees(counter: &Clock) -> bool {
    let begin = both(counter);
    std::thread::sleep(COMPARED);
    let end = both(counter);
    let system_ns = (end.0 - begin.0).as_nanos() as f64;
    (counter.delta_as_nanos(begin.1, end.1) as f64 / system_ns - 1.0).abs() < MOST_APART
}

/// Both clocks at once: of several readings the one that nothing came between.
fn both(counter: &Clock) -> (Instant, u64) {
    let readings = (0..8).map(|_| {
        let now = Instant::now();
        let raw = counter.raw();
        (now.elapsed(), (now, raw))
    });
    readings.min_by_key(|(took, _)| *took).map_or_else(|| (Instant::now(), counter.raw()), |(_, both)| both)
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

    /// Begins this lap anew: what took time since is nobody's.
    pub fn restart(&mut self) {
        self.began = self.clock.now();
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

    /// Runs `body` in up to three processes of their own: a process calibrates the counter once, and on a busy machine
    /// badly where it was put aside meanwhile, which the engine finds out and these tests must not be about.
    fn in_a_process_of_its_own(body: fn()) {
        if std::env::args().any(|arg| arg == "--exact") {
            return body();
        }
        let test = std::thread::current().name().unwrap().to_owned();
        let told: Vec<_> = (0..3)
            .map_while(|_| {
                let mut again = std::process::Command::new(std::env::current_exe().unwrap());
                let done = again.args([&test, "--exact", "--nocapture"]).output().unwrap();
                let told = String::from_utf8_lossy(&done.stdout).into_owned();
                let passed = done.status.success() && told.contains("1 passed");
                (!passed).then(|| told + &String::from_utf8_lossy(&done.stderr))
            })
            .collect();
        assert!(told.len() < 3, "{}", told.concat());
    }

    #[test]
    fn laps_leave_nothing_out_and_agree_with_the_systems_clock() {
        in_a_process_of_its_own(laps_agree);
    }

    fn laps_agree() {
        // Not kept: which clock the other tests of this process use is not for this one to say.
        let counter: &'static Clock = Box::leak(Box::new(Clock::new()));
        for clock in [LapClock::Counter(counter), LapClock::System(Instant::now())] {
            // The thread may be put aside between two readings of different clocks, so the best of some tries.
            let ratios: Vec<f64> = (0..10).map(|_| sum_beside_the_system(clock)).collect();
            assert!(ratios.iter().any(|ratio| (ratio - 1.0).abs() < 0.01), "{clock:?}: {ratios:?}");
        }
        assert_eq!(LapClock::Counter(counter).start().began_ns(), None);
        let origin = Instant::now();
        let began_ns = LapClock::System(origin).start().began_ns().unwrap();
        assert!(u128::from(began_ns) <= origin.elapsed().as_nanos());
    }

    #[test]
    fn a_counter_that_was_calibrated_well_agrees_and_a_wrong_one_does_not() {
        in_a_process_of_its_own(only_the_right_one_agrees);
    }

    fn only_the_right_one_agrees() {
        // The process has one calibration; of several comparisons a busy machine does not spoil all.
        let calibrated = Clock::new();
        assert!((0..10).any(|_| agrees(&calibrated)));
        // One that stands still.
        let (stopped, _) = Clock::mock();
        assert!(!agrees(&stopped));
    }
}
