//! Whether the thread of a stage still runs, has ended, or was left behind in a call that does not return.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use remotemedia_core::{ErrorKind, NodeError};

use crate::control::Control;

/// How many threads may be left behind before no more pipelines start that could leave another one.
pub(crate) const MOST_LEFT_BEHIND: usize = 16;

const RUNNING: u8 = 0;
const ENDED: u8 = 1;
const LEFT_BEHIND: u8 = 2;

/// The threads of a host that are in calls which their pipelines no longer wait for.
#[derive(Debug, Default)]
pub(crate) struct LeftBehind(AtomicUsize);

impl LeftBehind {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// May a pipeline start that could leave one more behind?
    ///
    /// # Errors
    /// `Unavailable` when there are as many as may be.
    pub(crate) fn allow_one_more(&self) -> Result<(), NodeError> {
        let count = self.count();
        if count < MOST_LEFT_BEHIND {
            return Ok(());
        }
        let message = format!(
            "{count} threads of this process are in calls that did not return in time, so no further \
             node that could leave one behind is started; find out what they wait for, and restart the host"
        );
        Err(NodeError::new(ErrorKind::Unavailable, message))
    }
}

/// The life of one stage on a thread of its own.
pub(crate) struct StageLife {
    state: AtomicU8,
    control: Arc<Control>,
    left_behind: Arc<LeftBehind>,
}

impl StageLife {
    /// Begins a life, and tells `control`.
    pub(crate) fn begin(control: &Arc<Control>, left_behind: &Arc<LeftBehind>) -> Arc<Self> {
        control.stage_started();
        let (control, left_behind) = (Arc::clone(control), Arc::clone(left_behind));
        Arc::new(Self { state: AtomicU8::new(RUNNING), control, left_behind })
    }

    /// The thread is done.
    pub(crate) fn end(&self) {
        match self.state.swap(ENDED, Ordering::AcqRel) {
            RUNNING => self.control.stage_ended(),
            LEFT_BEHIND => {
                self.left_behind.0.fetch_sub(1, Ordering::AcqRel);
            }
            _ => {}
        }
    }

    /// The pipeline goes on to its end without the thread, unless that has ended meanwhile.
    pub(crate) fn abandon(&self) {
        // Counted first: the thread may end, and count itself out, at any moment after.
        self.left_behind.0.fetch_add(1, Ordering::AcqRel);
        match self.state.compare_exchange(RUNNING, LEFT_BEHIND, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => self.control.stage_ended(),
            Err(_) => {
                self.left_behind.0.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// True when nobody should wait for the thread.
    pub(crate) fn is_left_behind(&self) -> bool {
        self.state.load(Ordering::Acquire) == LEFT_BEHIND
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_ends_while_it_is_given_up_is_counted_once_and_never_stays_counted() {
        for _ in 0..500 {
            let (control, left_behind) = (Control::new(Arc::default()), Arc::new(LeftBehind::default()));
            let life = StageLife::begin(&control, &left_behind);
            let start = Barrier::new(3);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    life.end();
                });
                for _ in 0..2 {
                    scope.spawn(|| {
                        start.wait();
                        life.abandon();
                    });
                }
            });
            assert_eq!(left_behind.count(), 0);
            // One more `stage_ended` than stages would have panicked.
            assert!(control.wait_ended(Duration::ZERO));
        }
    }
}
