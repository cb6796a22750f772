//! What the threads of one pipeline share: the first error, cancellation, and who is still running.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use remotemedia_core::{ErrorKind, NodeError};

use crate::epochs::{Epoch, Epochs};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
pub(crate) use crate::sync::lock;

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

/// Interrupts a pipeline from any thread: what was fed so far is forgotten, and the stream goes on. It is what a voice
/// assistant does when it is interrupted: it stops talking, and listens.
#[derive(Clone)]
pub struct Interrupter(Arc<Control>);

impl Interrupter {
    /// Discards every packet that waits, in any queue and among the outputs, and everything that will still come of what
    /// was fed before. When it returns, nothing of that can be taken any more.
    ///
    /// It waits for no node. A call that is running finishes, and what it emits is discarded; nodes that are
    /// inside the same stage are not called with it. A wait before a retry ends at once. Before its next packet every node gets
    /// [`reset`](remotemedia_core::Node::reset), on its own thread. Feeds that begin after this returns are
    /// not touched, and the end of the stream never is: after [`finish`](crate::Pipeline::finish) nodes are still flushed,
    /// though what they emit is discarded too. Does nothing when nothing was fed since the last interruption.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }

    /// The number of the last feed of the pipeline, from 1; above all numbers once the stream was ended.
    #[must_use]
    pub fn last_feed(&self) -> u64 {
        self.0.epochs.last()
    }

    /// Did an interruption make void what was fed with this number?
    #[must_use]
    pub fn is_void(&self, feed: u64) -> bool {
        feed <= self.0.epochs.cut()
    }
}

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupter").field("interruptions", &self.0.interruptions()).finish()
    }
}

#[derive(Default)]
pub(crate) struct Control {
    pub(crate) epochs: Epochs,
    interruptions: AtomicU64,
    /// Packets that stages found void, or got out of void calls.
    void_packets: AtomicU64,
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

    /// Wakes `inbox` when the pipeline stops. Inboxes come in the order of their stages.
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
        self.wake_waits();
    }

    /// As [`Interrupter::interrupt`].
    pub(crate) fn interrupt(&self) {
        // Dropped last: packets may be large, and nobody should wait for that.
        let mut discarded = Vec::new();
        let mut outputs = None;
        let interrupted = self.epochs.interrupt(|cut| {
            for inbox in lock(&self.inboxes).iter() {
                discarded.extend(inbox.interrupt(cut));
            }
            outputs = Some(self.outbox.interrupt(cut));
            self.wake_waits();
        });
        self.interruptions.fetch_add(u64::from(interrupted), Ordering::Relaxed);
    }

    /// Drops every packet that waits, of a pipeline that is gone: whoever still holds a handle does not hold them.
    pub(crate) fn forget(&self) {
        let waiting: Vec<_> = lock(&self.inboxes).iter().map(|inbox| inbox.take_all()).collect();
        // Dropped where nobody waits for it.
        drop((waiting, self.outbox.take_all()));
    }

    pub(crate) fn interrupter(self: &Arc<Self>) -> Interrupter {
        Interrupter(Arc::clone(self))
    }

    /// How often it was interrupted.
    pub(crate) fn interruptions(&self) -> u64 {
        self.interruptions.load(Ordering::Relaxed)
    }

    /// Counts packets that a stage found void.
    pub(crate) fn count_void(&self, packets: usize) {
        self.void_packets.fetch_add(packets as u64, Ordering::Relaxed);
    }

    /// Packets that were discarded because they were void.
    pub(crate) fn void_packets(&self) -> u64 {
        let inboxes = lock(&self.inboxes);
        let waiting: u64 = inboxes.iter().flat_map(|inbox| inbox.counts()).map(|lane| lane.interrupted).sum();
        waiting + self.outbox.interrupted() + self.void_packets.load(Ordering::Relaxed)
    }

    fn wake_waits(&self) {
        // Whoever checked before the flag was set holds the lock until it waits.
        drop(lock(&self.pause));
        self.resume.notify_all();
    }

    /// Waits until every stage has served all that was fed. False when the pipeline stops.
    pub(crate) fn wait_idle(&self) -> bool {
        let epoch = self.epochs.last();
        // In the order of the stages every queue leads forward: one that is idle gets nothing any more.
        let inboxes = lock(&self.inboxes).clone();
        inboxes.iter().all(|inbox| inbox.wait_idle(epoch)) && !self.is_stopped()
    }

    /// Waits for `time`, or until the pipeline stops, or was interrupted later than at `cut`: then true.
    pub(crate) fn wait_ended_early(&self, time: Duration, cut: Epoch) -> bool {
        let over = || self.is_stopped() || self.epochs.cut() > cut;
        let paused = self.resume.wait_timeout_while(lock(&self.pause), time, |()| !over());
        drop(paused);
        over()
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
