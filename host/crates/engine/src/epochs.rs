//! Counts the feeds of a pipeline, and says which of them an interruption made void.
//!
//! Every packet carries the epoch of the feed that caused it, so one number, the cut, tells what is void: everything of
//! that epoch and before. A feed and an interruption of two threads have an order: a feed that began while an interruption
//! was under way belongs to the time after it, and waits until that is over.

use super::sync::{AtomicU64, Mutex, Ordering, lock};

/// The number of a feed, from 1. Flushes happen in [`FLUSH_EPOCH`].
pub(crate) type Epoch = u64;

/// The epoch of everything that the end of the stream brings.
pub(crate) const FLUSH_EPOCH: Epoch = u64::MAX >> 1;

/// Set while an interruption is under way.
const UNDER_WAY: u64 = 1;

/// The feeds of one pipeline.
#[derive(Default)]
pub(crate) struct Epochs {
    /// Twice the epoch of the last feed, and `UNDER_WAY`.
    last: Apart<AtomicU64>,
    cut: AtomicU64,
    interrupting: Mutex<()>,
}

/// On cache lines of its own: every feed writes it, and every call of a node reads what would be its neighbour.
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

impl Epochs {
    /// Begins a feed.
    pub(crate) fn next(&self) -> Epoch {
        let last = self.last.0.fetch_add(2, Ordering::AcqRel) + 2;
        self.begun(last)
    }

    /// Begins the end of the stream; no feed may follow.
    pub(crate) fn finish(&self) {
        let last = self.last.0.fetch_or(FLUSH_EPOCH << 1, Ordering::AcqRel);
        self.begun(last);
    }

    fn begun(&self, last: u64) -> Epoch {
        if last & UNDER_WAY != 0 {
            drop(lock(&self.interrupting));
        }
        last >> 1
    }

    /// The last feed's, or `FLUSH_EPOCH`.
    pub(crate) fn last(&self) -> Epoch {
        self.last.0.load(Ordering::Acquire) >> 1
    }

    /// Everything of this epoch and before is void.
    pub(crate) fn cut(&self) -> Epoch {
        self.cut.load(Ordering::Acquire)
    }

    /// Makes everything void that was fed before, and calls `discard` with the new cut; feeds that begin now wait for
    /// it. False, and nothing is called, when nothing was fed since the last interruption.
    pub(crate) fn interrupt(&self, discard: impl FnOnce(Epoch)) -> bool {
        let one_at_a_time = lock(&self.interrupting);
        let cut = self.last.0.fetch_or(UNDER_WAY, Ordering::AcqRel) >> 1;
        let fed = cut > self.cut();
        if fed {
            self.cut.store(cut, Ordering::Release);
            discard(cut);
        }
        self.last.0.fetch_and(!UNDER_WAY, Ordering::Release);
        drop(one_at_a_time);
        fed
    }
}
