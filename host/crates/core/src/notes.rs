//! What a call tells about itself beside its packets, for whoever counts.

use std::time::Instant;

/// Notes of the calls of one node. The engine says that somebody counts; the node then writes down what nobody
/// else sees; the engine takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallNotes {
    read: bool,
    written: bool,
    /// Time that calls waited for a lock which their runtime needs (an interpreter's), in nanoseconds.
    pub waited_ns: u64,
    /// How often the node was made anew.
    pub restarts: u64,
    /// The memory that the node holds, in bytes; `None` when nobody noted it.
    pub memory_bytes: Option<u64>,
}

impl CallNotes {
    /// From now on somebody counts.
    pub fn will_be_read(&mut self) {
        self.read = true;
    }

    /// False while nobody counts, and notes are not worth their time.
    #[must_use]
    pub fn are_read(&self) -> bool {
        self.read
    }

    /// The call has just got a lock for which it waited since `since`.
    pub fn waited_since(&mut self, since: Instant) {
        self.waited_ns =
            self.waited_ns.saturating_add(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.written = true;
    }

    /// The node was stopped and made anew.
    pub fn restarted(&mut self) {
        self.restarts += 1;
        self.written = true;
    }

    /// The node holds so much memory now.
    pub fn holds(&mut self, memory_bytes: Option<u64>) {
        self.memory_bytes = memory_bytes;
        self.written = true;
    }

    /// What was written down since the last time, if anything.
    pub fn take(&mut self) -> Option<Self> {
        let read = self.read;
        self.written.then(|| std::mem::replace(self, Self { read, ..Self::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_taken_once_and_only_when_something_was_written() {
        let mut notes = CallNotes::default();
        assert!(!notes.are_read());
        notes.will_be_read();
        assert_eq!((notes.are_read(), notes.take()), (true, None));
        notes.restarted();
        notes.restarted();
        notes.holds(Some(65_536));
        let taken = notes.take().unwrap();
        assert_eq!((taken.restarts, taken.memory_bytes, taken.waited_ns), (2, Some(65_536), 0));
        assert_eq!((notes.are_read(), notes.take()), (true, None));
    }
}
