//! What a call tells about itself beside its packets, for whoever counts.

use std::time::Instant;

/// Notes of the calls of one node. The engine says when a call began, and only while somebody counts; the node writes
/// down what nobody else sees; the engine takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallNotes {
    began: Option<Instant>,
    written: bool,
    /// Time that calls waited for a lock which their runtime needs (an interpreter's), in nanoseconds.
    pub waited_ns: u64,
    /// How often the node was made anew.
    pub restarts: u64,
    /// The memory that the node holds, in bytes; `None` when nobody noted it.
    pub memory_bytes: Option<u64>,
}

impl CallNotes {
    /// A call begins, and somebody counts.
    pub fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// When the call began; `None` when nobody counts, and notes are not worth their time.
    #[must_use]
    pub fn began(&self) -> Option<Instant> {
        self.began
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
        self.written.then(|| std::mem::take(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_taken_once_and_only_when_something_was_written() {
        let mut notes = CallNotes::default();
        assert_eq!(notes.began(), None);
        let now = Instant::now();
        notes.begin(now);
        assert_eq!((notes.began(), notes.take()), (Some(now), None));
        notes.restarted();
        notes.restarted();
        notes.holds(Some(65_536));
        let taken = notes.take().unwrap();
        assert_eq!((taken.restarts, taken.memory_bytes, taken.waited_ns), (2, Some(65_536), 0));
        assert_eq!(notes.take(), None);
    }
}
