//! What the policies of one node count. The node's thread writes, whoever asks for metrics reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::breaker::Breaker;
use crate::control::lock;
use crate::metrics::PolicyMetrics;

/// The counters of one node that has policies.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) retries: AtomicU64,
    pub(crate) skipped: AtomicU64,
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

    /// Counts one fallback.
    pub(crate) fn fell_back(&self, reason: &'static str) {
        *lock(&self.fallbacks).entry(reason).or_default() += 1;
    }
}

/// Counts one.
pub(crate) fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
