//! `timeout_ms` for nodes that nobody can stop: a call that takes longer ends its pipeline, and its thread is left
//! behind with it. The sandbox stops its guests itself, so their timeout is not here.
//!
//! A call costs two readings of the clock and two atomic writes. One thread watches all of them: between two looks it
//! sleeps no longer than the shortest time in which any call, or one that begins now, could become overdue.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use remotemedia_core::{
    ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Operation, Outputs, Packet, Port, Runtime,
    RuntimeKind,
};
use tracing::Span;

use super::breaker::Breaker;
use super::clock::Clock;
use super::counts::{Counts, add_one};
use crate::control::{Control, lock};
use crate::life::StageLife;

/// No call is running.
const IDLE: u64 = 0;
/// The running call was given up.
const GIVEN_UP: u64 = u64::MAX;

/// True when `timeout_ms` of the node is this file's business: its thread can be left behind. A native node says so
/// by declaring itself heavy; other native nodes are trusted to return.
pub(crate) fn applies(node: &NodeManifest, descriptor: &NodeDescriptor, runtime: &dyn Runtime) -> bool {
    node.timeout_ms.is_some()
        && match runtime.kind() {
            RuntimeKind::Cpython => runtime.wants_own_thread(),
            RuntimeKind::Native => descriptor.heavy,
            RuntimeKind::Wasm | RuntimeKind::CpythonWasm => false,
        }
}

/// Why `timeout_ms` of `node` is not applied, when it is set.
pub(super) fn notice(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    runtime: &dyn Runtime,
) -> Option<String> {
    let (kind, applied) = (runtime.kind(), applies(node, descriptor, runtime));
    (node.timeout_ms.is_some() && !applied && !kind.is_sandboxed()).then(|| {
        format!("`timeout_ms` is not applied, because nobody can stop a call of this {kind} node or leave it behind")
    })
}

/// The call of one node, as the node's thread and the watching one see it.
pub(crate) struct Watch {
    id: Arc<str>,
    limit: Duration,
    control: Arc<Control>,
    breaker: Option<(Arc<Breaker>, Arc<dyn Clock>)>,
    counts: Arc<Counts>,
    epoch: Instant,
    /// When the running call began, in nanoseconds since `epoch` and at least 1; or `IDLE`, or `GIVEN_UP`.
    began: AtomicU64,
    /// The running call is a flush.
    flushes: AtomicBool,
    /// The stage whose thread makes the calls.
    life: OnceLock<Arc<StageLife>>,
    /// What is logged of it belongs to the pipeline.
    span: Span,
}

impl Watch {
    pub(crate) fn new(
        id: Arc<str>,
        limit: Duration,
        control: Arc<Control>,
        breaker: Option<(Arc<Breaker>, Arc<dyn Clock>)>,
        counts: Arc<Counts>,
    ) -> Self {
        let epoch = Instant::now();
        let (began, flushes) = (AtomicU64::new(IDLE), AtomicBool::new(false));
        let (life, span) = (OnceLock::new(), Span::current());
        Self { id, limit, control, breaker, counts, epoch, began, flushes, life, span }
    }

    /// Names the stage whose thread makes the calls.
    pub(crate) fn attach(&self, life: &Arc<StageLife>) {
        let _ = self.life.set(Arc::clone(life));
    }

    pub(super) fn begin(&self, now: Duration) {
        self.began.store(nanoseconds(now), Ordering::Release);
    }

    /// False when the call was given up meanwhile.
    pub(super) fn end(&self) -> bool {
        self.began.swap(IDLE, Ordering::AcqRel) != GIVEN_UP
    }

    /// How long nothing can become overdue; `None` when the running call just did, and is given up.
    pub(super) fn look(&self, now: Duration) -> Option<Duration> {
        let began = self.began.load(Ordering::Acquire);
        if began == IDLE || began == GIVEN_UP {
            return Some(self.limit);
        }
        let left = (Duration::from_nanos(began) + self.limit).saturating_sub(now);
        if !left.is_zero() {
            return Some(left);
        }
        match self.began.compare_exchange(began, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => None,
            // It returned in the last moment; what runs now began after that.
            Err(_) => Some(self.limit),
        }
    }

    /// The running call was given up: ends its pipeline and leaves its thread behind.
    fn give_up(&self) {
        // Before the pipeline ends: whoever sees the end sees why.
        add_one(&self.counts.timeouts);
        if !self.flushes.load(Ordering::Relaxed) {
            self.counts.unreturned.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((breaker, clock)) = &self.breaker {
            breaker.fail(&self.id, clock.now());
        }
        let message = format!(
            "the call did not return within {} ms (`timeout_ms`); its thread is left behind until it does",
            self.limit.as_millis()
        );
        self.span.in_scope(|| {
            tracing::error!(target: "remotemedia::policy", node = &*self.id, "{message}");
        });
        self.control.fail(NodeError::new(ErrorKind::Timeout, message).at(&self.id, Operation::Process));
        if let Some(life) = self.life.get() {
            life.abandon();
        }
    }
}

fn nanoseconds(now: Duration) -> u64 {
    u64::try_from(now.as_nanos()).unwrap_or(GIVEN_UP - 1).clamp(IDLE + 1, GIVEN_UP - 1)
}

/// The thread that watches, while there is something to watch.
#[derive(Default)]
pub(crate) struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    watches: Vec<Weak<Watch>>,
    running: bool,
}

impl Watchdog {
    /// Watches the calls of `watch` until it is dropped.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn watch(self: &Arc<Self>, watch: &Arc<Watch>) -> Result<(), NodeError> {
        let mut state = lock(&self.state);
        if !state.running {
            let watchdog = Arc::clone(self);
            std::thread::Builder::new().name("timeouts".into()).spawn(move || watchdog.run()).map_err(
                |error| {
                    NodeError::internal(format!("cannot start the thread that watches timeouts: {error}"))
                },
            )?;
            state.running = true;
        }
        state.watches.push(Arc::downgrade(watch));
        self.changed.notify_one();
        Ok(())
    }

    fn run(&self) {
        let mut state = lock(&self.state);
        loop {
            let watches: Vec<Arc<Watch>> = state.watches.iter().filter_map(Weak::upgrade).collect();
            state.watches.retain(|watch| watch.strong_count() > 0);
            if watches.is_empty() {
                state.running = false;
                return;
            }
            let mut sleep = Duration::MAX;
            let mut overdue = Vec::new();
            for watch in watches {
                match watch.look(watch.epoch.elapsed()) {
                    Some(left) => sleep = sleep.min(left),
                    None => overdue.push(watch),
                }
            }
            if overdue.is_empty() {
                state = self.changed.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0;
            } else {
                drop(state);
                overdue.iter().for_each(|watch| watch.give_up());
                drop(overdue);
                state = lock(&self.state);
            }
        }
    }
}

/// A node whose calls are watched.
pub(crate) struct Timed {
    pub(crate) inner: Box<dyn Node>,
    pub(crate) watch: Arc<Watch>,
}

impl Timed {
    fn call(
        &mut self,
        flushes: bool,
        call: impl FnOnce(&mut dyn Node) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        self.watch.flushes.store(flushes, Ordering::Relaxed);
        self.watch.begin(self.watch.epoch.elapsed());
        let result = call(&mut *self.inner);
        if self.watch.end() {
            return result;
        }
        if !flushes {
            self.watch.counts.unreturned.fetch_sub(1, Ordering::Relaxed);
        }
        // The pipeline ended with the timeout long ago.
        Err(NodeError::new(ErrorKind::Cancelled, "the call returned after its timeout"))
    }
}

impl Node for Timed {
    /// Not watched: loading a model is no call.
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.inner.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(false, |node| node.process(port, packet, out))
    }

    /// Not watched: forgetting is no work.
    fn reset(&mut self) -> Result<bool, NodeError> {
        self.inner.reset()
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(true, |node| node.flush(out))
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.inner.memory_bytes()
    }
}
