//! What the policies of one node count. The node's thread writes, whoever asks for metrics reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use remotemedia_core::ErrorKind;

use super::breaker::Breaker;
use crate::control::lock;
use crate::metrics::PolicyMetrics;

/// The counters of one node that has policies.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) retries: AtomicU64,
    /// Packets that came to a node which skips.
    pub(crate) came: AtomicU64,
    pub(crate) skipped: AtomicU64,
    /// The same by kind of error.
    pub(crate) skipped_by_kind: Mutex<BTreeMap<&'static str, u64>>,
    /// Calls and flushes that were given up after `timeout_ms`.
    pub(crate) timeouts: AtomicU64,
    /// Calls that were given up and have not returned since, so that nothing else counts them. Less than none for a moment
    /// when one returns just then.
    pub(crate) unreturned: AtomicI64,
    /// By reason.
    pub(crate) fallbacks: Mutex<BTreeMap<&'static str, u64>>,
    /// The breaker that the node shares with others of its type and params.
    pub(crate) breaker: Option<Arc<Breaker>>,
}

impl Counts {
    pub(crate) fn snapshot(&self) -> PolicyMetrics {
        let fallbacks = lock(&self.fallbacks);
        PolicyMetrics {
            retries: self.retries.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            fallback_counts: fallbacks.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
            breaker: self.breaker.as_ref().map(|breaker| breaker.state()),
        }
    }

    /// Counts a packet that was left out because of an error of `kind`.
    pub(crate) fn skip(&self, kind: ErrorKind) {
        add_one(&self.skipped);
        *lock(&self.skipped_by_kind).entry(kind.name()).or_default() += 1;
    }

    /// How many packets were left out, by kind of error.
    pub(crate) fn skipped_by_kind(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.skipped_by_kind).clone()
    }

    /// How many calls and flushes were given up, and how many of the calls have not returned.
    pub(crate) fn given_up(&self) -> (u64, u64) {
        let unreturned = self.unreturned.load(Ordering::Relaxed).max(0).cast_unsigned();
        (self.timeouts.load(Ordering::Relaxed), unreturned)
    }

    /// Counts one fallback.
    pub(crate) fn fell_back(&self, reason: &'static str) {
        *lock(&self.fallbacks).entry(reason).or_default() += 1;
    }
}

/// Counts one.
pub(crate) fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
