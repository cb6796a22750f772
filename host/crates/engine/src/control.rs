//! What the threads of one pipeline share: the first error, cancellation, and who is still running.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use remotemedia_core::{ErrorKind, NodeError};

use crate::inbox::Inbox;
use crate::outbox::Outbox;

/// Locks `mutex`; a panic of another holder is no reason to stop, since every critical section of this crate
/// leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a pipeline from any thread.
#[derive(Clone)]
pub struct Canceller(Arc<Control>);

impl Canceller {
    /// Asks the pipeline to end: waiting threads wake up, a call that is running finishes (or meets its
    /// deadline), every node's cleanup runs. Calls after the first do nothing.
    pub fn cancel(&self) {
        self.0.fail(NodeError::new(ErrorKind::Cancelled, "the pipeline was cancelled"));
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canceller").field("cancelled", &self.0.is_stopped()).finish()
    }
}

#[derive(Default)]
pub(crate) struct Control {
    stopped: AtomicBool,
    error: Mutex<Option<NodeError>>,
    inboxes: Mutex<Vec<Arc<Inbox>>>,
    outbox: Arc<Outbox>,
    running: Mutex<usize>,
    ended: Condvar,
    pause: Mutex<()>,
    resume: Condvar,
}

impl Control {
    pub(crate) fn new(outbox: Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self { outbox, ..Self::default() })
    }

    pub(crate) fn canceller(self: &Arc<Self>) -> Canceller {
        Canceller(Arc::clone(self))
    }

    /// Wakes `inbox` when the pipeline stops.
    pub(crate) fn watch(&self, inbox: &Arc<Inbox>) {
        lock(&self.inboxes).push(Arc::clone(inbox));
    }

    /// Records the first error and stops everything. Later errors are consequences and are dropped.
    pub(crate) fn fail(&self, error: NodeError) {
        lock(&self.error).get_or_insert(error);
        self.stop();
    }

    /// Wakes every thread that waits, to end.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        for inbox in lock(&self.inboxes).iter() {
            inbox.stop();
        }
        self.outbox.end();
        // Whoever checked before the flag was set holds the lock until it waits.
        drop(lock(&self.pause));
        self.resume.notify_all();
    }

    /// Waits for `time`, or until the pipeline stops: then true.
    pub(crate) fn wait_stopped(&self, time: Duration) -> bool {
        let paused = self.resume.wait_timeout_while(lock(&self.pause), time, |()| !self.is_stopped());
        drop(paused);
        self.is_stopped()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn error(&self) -> Option<NodeError> {
        lock(&self.error).clone()
    }

    pub(crate) fn stage_started(&self) {
        *lock(&self.running) += 1;
    }

    /// Called by a stage when its nodes are cleaned up; the last one ends the stream of outputs.
    pub(crate) fn stage_ended(&self) {
        let mut running = lock(&self.running);
        *running -= 1;
        if *running == 0 {
            self.outbox.end();
            self.ended.notify_all();
        }
    }

    /// Waits until every stage has ended, at most `limit`. False when one still runs.
    pub(crate) fn wait_ended(&self, limit: Duration) -> bool {
        let (running, _) = self
            .ended
            .wait_timeout_while(lock(&self.running), limit, |running| *running > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *running == 0
    }
}
