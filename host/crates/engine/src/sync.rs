//! The locks of this crate. The queues, the outputs and the count of feeds take theirs from nowhere else: `tests/schedules`
//! compiles these files once more with locks of its own, so that it decides which thread goes on.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks `mutex`; a panic of another holder is no reason to stop, since every critical section of this crate
/// leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
