//! Where the threads of one pipeline hand over what they recorded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use remotemedia_core::Operation;

use super::thread::ThreadTrace;
use super::{Event, Layout, ThreadEvents, ThreadOf, Trace};
use crate::control::lock;

/// Records one pipeline: hand it to [`crate::PipelineOptions`], and take the trace when the pipeline has ended.
/// Clones are the same recorder.
#[derive(Clone)]
pub struct TraceRecorder(Arc<Shared>);

struct Shared {
    began: Instant,
    began_unix_ns: u64,
    most_events: usize,
    layout: Mutex<Option<Layout>>,
    threads: Mutex<Vec<Arc<Desk>>>,
}

/// What one thread hands over, and what it is doing.
pub(super) struct Desk {
    pub(super) thread: ThreadOf,
    parcels: Mutex<Vec<Vec<Event>>>,
    /// Events that there were, handed over or not.
    pub(super) happened: AtomicU64,
    /// The call that has begun: its node's index + 1 and its verb, 0 for none.
    pub(super) calling: AtomicU64,
    pub(super) calling_since_ns: AtomicU64,
}

impl Desk {
    /// Puts a parcel down: a lock per parcel, not per event.
    pub(super) fn hand_over(&self, parcel: Vec<Event>) {
        if !parcel.is_empty() {
            lock(&self.parcels).push(parcel);
        }
    }
}

/// The verbs, to put one into a number.
const VERBS: [Operation; 5] =
    [Operation::Initialize, Operation::Process, Operation::Flush, Operation::Cleanup, Operation::Reset];

/// A call as one number that is not 0.
pub(super) fn call_number(node: usize, operation: Operation) -> u64 {
    let verb = VERBS.iter().position(|verb| *verb == operation).unwrap_or_default();
    (node as u64 + 1) * VERBS.len() as u64 + verb as u64
}

fn call_of(number: u64) -> Option<(usize, Operation)> {
    let number = usize::try_from(number).ok()?;
    let node = (number / VERBS.len()).checked_sub(1)?;
    Some((node, VERBS[number % VERBS.len()]))
}

impl TraceRecorder {
    /// A recorder that keeps the first `most_events` events of every thread, and counts the others. An event takes
    /// about 150 bytes.
    #[must_use]
    pub fn new(most_events: usize) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Arc::new(Shared {
            began: Instant::now(),
            began_unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
            most_events,
            layout: Mutex::default(),
            threads: Mutex::default(),
        }))
    }

    pub(crate) fn describe(&self, layout: Layout) {
        *lock(&self.0.layout) = Some(layout);
    }

    /// The record of one thread.
    pub(crate) fn thread(&self, thread: ThreadOf) -> Box<ThreadTrace> {
        let desk = Arc::new(Desk {
            thread,
            parcels: Mutex::default(),
            happened: AtomicU64::new(0),
            calling: AtomicU64::new(0),
            calling_since_ns: AtomicU64::new(0),
        });
        let mut threads = lock(&self.0.threads);
        threads.push(Arc::clone(&desk));
        // Ways are unique in the trace: every thread counts on from a number of its own.
        let first_flow = ((threads.len() as u64) << 40) | 1;
        Box::new(ThreadTrace::new(desk, self.0.began, self.0.most_events, first_flow))
    }

    /// Takes everything that was handed over so far: all there is once the pipeline has ended, but for threads that
    /// are still in a call.
    #[must_use]
    pub fn take(&self) -> Trace {
        let threads = lock(&self.0.threads);
        let threads = threads.iter().map(|desk| {
            let events: Vec<Event> =
                std::mem::take(&mut *lock(&desk.parcels)).into_iter().flatten().collect();
            let unfinished = call_of(desk.calling.load(Ordering::Acquire));
            let since_ns = desk.calling_since_ns.load(Ordering::Acquire);
            let happened = desk.happened.load(Ordering::Acquire);
            let kept = happened.min(self.0.most_events as u64);
            ThreadEvents {
                thread: desk.thread,
                left_out: happened - kept,
                held_back: kept.saturating_sub(events.len() as u64),
                unfinished: unfinished.map(|(node, operation)| (node, operation, since_ns)),
                events,
            }
        });
        Trace {
            threads: threads.collect(),
            layout: lock(&self.0.layout).clone(),
            taken_ns: u64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            began_unix_ns: self.0.began_unix_ns,
        }
    }
}

impl std::fmt::Debug for TraceRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceRecorder").field("most_events", &self.0.most_events).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_one_number_and_back() {
        for node in [0, 1, 7, 1 << 20] {
            for verb in VERBS {
                assert_eq!(call_of(call_number(node, verb)), Some((node, verb)));
            }
        }
        assert_eq!(call_of(0), None);
    }
}
