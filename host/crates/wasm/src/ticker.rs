//! Advances the engine's epoch from an OS thread, which no busy guest and no starved task can hold up. Sleeps
//! without waking up while no node runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// The thread; it ends when this is dropped.
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

/// Keeps the epoch advancing. Held by every node that runs.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<Shared>);

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: &Engine, period: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.clone(), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("wasm-deadlines".into())
            .spawn(move || tick(&engine, &seen, period))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Makes the epoch advance at least as long as the result lives.
    pub fn ticking(&self) -> Ticking {
        if self.shared.running_nodes.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread().inspect(|thread| thread.unpark());
        }
        Ticking(Arc::clone(&self.shared))
    }

    fn thread(&self) -> Option<&Thread> {
        self.thread.as_ref().map(JoinHandle::thread)
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
        self.0.running_nodes.fetch_sub(1, Ordering::AcqRel);
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
