//! The queues, the outputs and the count of feeds under random schedules: the same files, compiled with locks that give
//! every choice of who goes on to `shuttle`. It fails when no thread can go on any more, which is what a hang is.

#[path = "../../epochs.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once more, with other locks")]
#[expect(dead_code, reason = "not everything is part of the protocol")]
mod epochs;
#[path = "../../inbox.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once more, with other locks")]
#[expect(dead_code, reason = "stopping and counting are tested with real threads")]
mod inbox;
#[path = "../../outbox.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled once more, with other locks")]
#[expect(dead_code, reason = "counting is tested with real threads")]
mod outbox;

mod protocol;

mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
