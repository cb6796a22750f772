//! Advances the engine's epoch from an OS thread, which no busy guest and no starved task can hold up. Sleeps
//! without waking up while no guest is called, and is itself watched: a call that nobody could end is not begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wasmtime::Engine;

/// For how long nothing may have called a guest before the thread goes to sleep: longer than the blocks of any
/// stream, so that it is not woken for each of them.
const LINGERS: Duration = Duration::from_millis(200);
/// How long the thread may be late before calls are refused. Not less: a machine may be busy.
const STALLED: Duration = Duration::from_secs(2);
/// So many calls of a node in a row may find the thread not to have looked; then the clock is asked. A thread that
/// ticks looks every few milliseconds.
const UNNOTICED: u32 = 64;

/// The thread. It ends when this is dropped: when neither an engine nor a node holds it any more.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    stalled: Duration,
}

/// On a cache line of its own: every call of every thread reads it.
#[derive(Debug)]
#[repr(align(128))]
struct Shared {
    /// A guest was called, or saw a tick, since the thread last looked.
    wanted: AtomicBool,
    asleep: AtomicBool,
    stop: AtomicBool,
    began: Instant,
    /// When the epoch last advanced or the thread was woken, in nanoseconds since `began`.
    ticked_ns: AtomicU64,
}

/// Nobody would end a call that begins now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the thread that ends calls at their deadline has not run for {} ms, so this call is not begun: the machine is \
     out of processor time, or that thread is gone. Lighten the load or restart the host",
    .0.as_millis()
)]
pub(crate) struct Stalled(Duration);

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: &Engine, period: Duration) -> std::io::Result<Arc<Self>> {
        Self::start_watched(engine, period, STALLED)
    }

    fn start_watched(engine: &Engine, period: Duration, stalled: Duration) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            wanted: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            began: Instant::now(),
            ticked_ns: AtomicU64::new(0),
        });
        let (engine, seen) = (engine.clone(), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("wasm-deadlines".into())
            .spawn(move || tick(&engine, &seen, period))?;
        Ok(Arc::new(Self { shared, thread: Some(thread), stalled }))
    }

    /// A call begins whose epoch deadline was set just before. `unnoticed` is the node's own.
    ///
    /// # Errors
    /// When the thread does not tick.
    pub fn call_begins(&self, unnoticed: &mut u32) -> Result<(), Stalled> {
        // The deadline was read from the epoch before this look at `wanted`. If it is still set here, the thread
        // clears it later, and ticks several times more before it goes to sleep: the call sees a tick, and then
        // wants the next one itself.
        fence(Ordering::Acquire);
        if !self.shared.wanted.load(Ordering::Relaxed) {
            *unnoticed = 0;
            self.want();
            return Ok(());
        }
        *unnoticed += 1;
        if *unnoticed < UNNOTICED {
            return Ok(());
        }
        *unnoticed = 0;
        self.look_after_the_thread()
    }

    /// Another tick must come.
    pub fn want(&self) {
        self.shared.wanted.store(true, Ordering::SeqCst);
        // Either this sees that the thread has gone to sleep, or the thread sees before it sleeps that it is wanted.
        if self.shared.asleep.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            self.shared.note_time();
            thread.thread().unpark();
        }
    }

    #[cold]
    fn look_after_the_thread(&self) -> Result<(), Stalled> {
        if self.shared.late() < self.stalled {
            return Ok(());
        }
        // The whole process may have been stopped, and this thread runs first: let that one run too.
        let until = Instant::now() + self.stalled;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
            if self.shared.late() < self.stalled {
                return Ok(());
            }
        }
        Err(Stalled(self.shared.late()))
    }
}

impl Shared {
    fn note_time(&self) {
        self.ticked_ns.store(self.began.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    fn late(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_nanos(self.ticked_ns.load(Ordering::Relaxed)))
    }
}

fn tick(engine: &Engine, shared: &Shared, period: Duration) {
    let patience = (LINGERS.as_nanos() / period.as_nanos().max(1)).max(2) as u32;
    let mut unwanted = patience;
    while !shared.stop.load(Ordering::Acquire) {
        if unwanted >= patience {
            shared.asleep.store(true, Ordering::SeqCst);
            while !shared.wanted.load(Ordering::SeqCst) && !shared.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            unwanted = 0;
        }
        // Not `park_timeout`: a wake-up from the park above must not cut a tick short.
        std::thread::sleep(period);
        engine.increment_epoch();
        shared.note_time();
        unwanted = if shared.wanted.swap(false, Ordering::SeqCst) { 0 } else { unwanted + 1 };
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread holds nothing but its engine and ends within one period; it cannot have panicked.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until the thread sleeps after it has ticked for so long.
    fn until_asleep(ticker: &Ticker, after: Duration) {
        let began = Instant::now();
        while !ticker.shared.asleep.load(Ordering::SeqCst) || u128::from(ticked_ns(ticker)) < after.as_nanos()
        {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not go to sleep");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn ticked_ns(ticker: &Ticker) -> u64 {
        ticker.shared.ticked_ns.load(Ordering::Relaxed)
    }

    #[test]
    fn the_thread_sleeps_until_a_call_begins_and_goes_to_sleep_after_the_last_one() {
        let ticker = Ticker::start(&Engine::default(), Duration::from_millis(1)).unwrap();
        until_asleep(&ticker, Duration::ZERO);
        assert_eq!(ticked_ns(&ticker), 0, "nothing was called, and it ticked");
        ticker.call_begins(&mut 0).unwrap();
        let woken = Duration::from_nanos(ticked_ns(&ticker));
        until_asleep(&ticker, woken + LINGERS);
        let ticked = ticked_ns(&ticker);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(ticked_ns(&ticker), ticked, "it ticks in its sleep");
    }

    #[test]
    fn a_thread_that_stopped_ticking_is_noticed_before_the_next_calls() {
        // A first tick after an hour: as good as none.
        let hour = Duration::from_secs(3_600);
        let ticker = Ticker::start_watched(&Engine::default(), hour, Duration::from_millis(20)).unwrap();
        let mut unnoticed = 0;
        let refused = (0..UNNOTICED * 100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            ticker.call_begins(&mut unnoticed).err()
        });
        assert!(refused.unwrap().0 >= Duration::from_millis(20));
        // Its thread sleeps for an hour, and dropping it would wait.
        std::mem::forget(ticker);
    }

    #[test]
    fn a_thread_that_ticks_is_never_suspected() {
        let ticker = Ticker::start(&Engine::default(), Duration::from_millis(1)).unwrap();
        let mut unnoticed = 0;
        for _ in 0..100_000 {
            ticker.call_begins(&mut unnoticed).unwrap();
        }
    }
}
