//! What is counted of one node, by the thread that calls it; anybody may read meanwhile.
//!
//! One writer needs no locked instructions: every count is a relaxed load and a store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use remotemedia_core::{CallNotes, ErrorKind};

use super::snapshot::{NodeCounts, TimeMetrics};
use super::times::{Times, add};

/// The counts of one node. Its stage's thread writes them, but for what was fed: that the feeding thread counts.
pub(crate) struct NodeCounters {
    times: Times,
    packets_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    failed_calls: AtomicU64,
    /// Failed calls that have no time, because they ended in a panic.
    panics: AtomicU64,
    /// Failed flushes and calls, by [`ErrorKind`].
    errors: [AtomicU64; ErrorKind::ALL.len()],
    /// Audio that was fed to the node from outside, in nanoseconds.
    fed_ns: AtomicU64,
    /// How long packets waited in the queues that lead to the node; `None` when none does.
    queue_waits: Option<Box<Times>>,
    /// What the node noted of its calls.
    waited_ns: AtomicU64,
    restarts: AtomicU64,
    memory_bytes: AtomicU64,
    peak_memory_bytes: AtomicU64,
}

/// That of a node which noted no memory.
const UNKNOWN: u64 = u64::MAX;

impl NodeCounters {
    /// `is_queued`: a queue leads to the node.
    pub(crate) fn new(is_queued: bool) -> Self {
        Self {
            times: Times::new(),
            packets_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            failed_calls: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            errors: [const { AtomicU64::new(0) }; ErrorKind::ALL.len()],
            fed_ns: AtomicU64::new(0),
            queue_waits: is_queued.then(|| Box::new(Times::new())),
            waited_ns: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(UNKNOWN),
            peak_memory_bytes: AtomicU64::new(0),
        }
    }

    /// Records one `process` call that returned.
    pub(crate) fn record(&self, elapsed_ns: u64, bytes_in: usize, packets_out: usize, bytes_out: usize) {
        self.times.record(elapsed_ns);
        add(&self.bytes_in, bytes_in as u64);
        self.record_out(packets_out, bytes_out);
    }

    /// Adds what a call or a flush emitted.
    pub(crate) fn record_out(&self, packets: usize, bytes: usize) {
        add(&self.packets_out, packets as u64);
        add(&self.bytes_out, bytes as u64);
    }

    /// The call that was recorded last failed.
    #[cold]
    pub(crate) fn record_failed_call(&self, kind: ErrorKind) {
        add(&self.failed_calls, 1);
        self.record_error(kind);
    }

    /// The call that was recorded last failed, and that is counted as an error elsewhere.
    #[cold]
    pub(crate) fn record_returned_late(&self) {
        add(&self.failed_calls, 1);
    }

    /// A flush failed, which is no call.
    #[cold]
    pub(crate) fn record_error(&self, kind: ErrorKind) {
        add(&self.errors[kind as usize], 1);
    }

    /// A call panicked; nobody knows when it began.
    #[cold]
    pub(crate) fn record_panicked_call(&self) {
        add(&self.panics, 1);
        self.record_failed_call(ErrorKind::Internal);
    }

    /// A packet left the queue in which it was since `queued_at`.
    pub(crate) fn record_queue_wait(&self, queued_at: Instant) {
        if let Some(waits) = &self.queue_waits {
            waits.record(queued_at.elapsed().as_nanos() as u64);
        }
    }

    /// The call that was recorded last noted something.
    pub(crate) fn record_notes(&self, notes: &CallNotes) {
        add(&self.waited_ns, notes.waited_ns);
        add(&self.restarts, notes.restarts);
        if let Some(bytes) = notes.memory_bytes {
            self.memory_bytes.store(bytes, Relaxed);
            if bytes > self.peak_memory_bytes.load(Relaxed) {
                self.peak_memory_bytes.store(bytes, Relaxed);
            }
        }
    }

    /// The feeding thread fed `ns` of audio.
    pub(crate) fn record_fed(&self, ns: i64) {
        add(&self.fed_ns, ns.max(0).cast_unsigned());
    }

    pub(super) fn fed_ns(&self) -> u64 {
        self.fed_ns.load(Relaxed)
    }

    /// Time that the node's calls waited for an interpreter so far.
    pub(crate) fn waited_ns(&self) -> u64 {
        self.waited_ns.load(Relaxed)
    }

    pub(super) fn queue_waits(&self) -> Option<TimeMetrics> {
        self.queue_waits.as_ref().map(|waits| waits.snapshot())
    }

    /// The counts so far, and the times of the calls.
    pub(super) fn snapshot(&self) -> (NodeCounts, TimeMetrics) {
        let times = self.times.snapshot();
        let execution_count = times.count + self.panics.load(Relaxed);
        let errors: BTreeMap<String, u64> = ErrorKind::ALL
            .iter()
            .map(|kind| (kind.name().to_owned(), self.errors[*kind as usize].load(Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let counts = NodeCounts {
            execution_count,
            success_count: execution_count.saturating_sub(self.failed_calls.load(Relaxed)),
            errors_by_kind: errors,
            packets_out: self.packets_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            waited_ns: self.waited_ns.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            memory_bytes: Some(self.memory_bytes.load(Relaxed)).filter(|bytes| *bytes != UNKNOWN),
            peak_memory_bytes: self.peak_memory_bytes.load(Relaxed),
        };
        (counts, times)
    }
}
