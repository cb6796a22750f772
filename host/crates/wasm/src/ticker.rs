//! Advances the engine's epoch from an OS thread, which no busy guest and no starved task can hold up. Sleeps
//! without waking up while no node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// The thread. It ends when this is dropped: when neither an engine nor a node holds it any more.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running_nodes: AtomicUsize,
    stop: AtomicBool,
}

/// Keeps the epoch advancing. Held by every node that runs: one that outlives its runtime still has deadlines.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<Ticker>);

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: &Engine, period: Duration) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.clone(), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("wasm-deadlines".into())
            .spawn(move || tick(&engine, &seen, period))?;
        Ok(Arc::new(Self { shared, thread: Some(thread) }))
    }

    /// Makes the epoch advance at least as long as the result lives.
    pub fn ticking(self: &Arc<Self>) -> Ticking {
        if self.shared.running_nodes.fetch_add(1, Ordering::AcqRel) == 0
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Ticking(Arc::clone(self))
    }
}

fn tick(engine: &Engine, shared: &Shared, period: Duration) {
    while !shared.stop.load(Ordering::Acquire) {
        if shared.running_nodes.load(Ordering::Acquire) == 0 {
            std::thread::park();
        } else {
            // Not `park_timeout`: a wake-up from the park above must not cut a tick short.
            std::thread::sleep(period);
            engine.increment_epoch();
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.shared.running_nodes.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread holds nothing but its engine and ends within one period; it cannot have panicked.
            drop(thread.join());
        }
    }
}
