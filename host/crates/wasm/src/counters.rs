//! Counts what the sandbox had to do, for metrics. It holds no policy.

use std::sync::atomic::{AtomicU64, Ordering};

/// What guests did since the process began, over all nodes of a runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SandboxCounts {
    /// Nodes that ended in a trap or broke the rules of the boundary.
    pub traps: u64,
    /// Calls that ran into their deadline.
    pub timeouts: u64,
    /// Nodes that ran into a limit.
    pub limits_exceeded: u64,
    /// Nodes that were made anew after they were stopped.
    pub restarts: u64,
    /// Packets that stopped a node which was then made anew: they are not tried again.
    pub packets_lost: u64,
    /// Calls that were not begun because nobody would have ended them at their deadline.
    pub unguarded_calls_refused: u64,
    /// Nodes that took over a changed component while they ran.
    pub reloads: u64,
    /// Changed components that a running node did not take over: this host would not run them there.
    pub reloads_refused: u64,
    /// Log lines that were dropped because a node wrote too much.
    pub log_lines_dropped: u64,
    /// Samples that guests returned and that were no numbers: they became silence.
    pub non_finite_samples: u64,
    /// Components that were compiled, that is, not found in a cache.
    pub compilations: u64,
    /// Compiled components that were found in the disk cache but refused: not written by this host, or damaged.
    pub cache_entries_refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub traps: AtomicU64,
    pub timeouts: AtomicU64,
    pub limits_exceeded: AtomicU64,
    pub restarts: AtomicU64,
    pub packets_lost: AtomicU64,
    pub unguarded_calls_refused: AtomicU64,
    pub reloads: AtomicU64,
    pub reloads_refused: AtomicU64,
    pub log_lines_dropped: AtomicU64,
    pub non_finite_samples: AtomicU64,
    pub compilations: AtomicU64,
    pub cache_entries_refused: AtomicU64,
}

impl Counters {
    pub fn add_one(counter: &AtomicU64) {
        Self::add(counter, 1);
    }

    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub fn snapshot(&self) -> SandboxCounts {
        SandboxCounts {
            traps: self.traps.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            limits_exceeded: self.limits_exceeded.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            packets_lost: self.packets_lost.load(Ordering::Relaxed),
            unguarded_calls_refused: self.unguarded_calls_refused.load(Ordering::Relaxed),
            reloads: self.reloads.load(Ordering::Relaxed),
            reloads_refused: self.reloads_refused.load(Ordering::Relaxed),
            log_lines_dropped: self.log_lines_dropped.load(Ordering::Relaxed),
            non_finite_samples: self.non_finite_samples.load(Ordering::Relaxed),
            compilations: self.compilations.load(Ordering::Relaxed),
            cache_entries_refused: self.cache_entries_refused.load(Ordering::Relaxed),
        }
    }
}
