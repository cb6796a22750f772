//! The files and directories that the nodes of a tenant hold open. Descriptors and streams of a guest share one, and it
//! is closed with the last of them: so nobody counts down, but whoever opens one more asks which are still there.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// All of them, and how many there may be.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Not longer than `most`.
    open: Vec<Weak<File>>,
    being_opened: usize,
}

/// The right to open one, until it is dropped.
#[derive(Debug)]
pub(crate) struct Opening<'a>(&'a OpenFiles);

impl OpenFiles {
    pub fn new(most: u32) -> Self {
        Self { most: most as usize, held: Mutex::default() }
    }

    pub fn most(&self) -> usize {
        self.most
    }

    /// Room for one more; `None` when there is none.
    pub fn room(&self) -> Option<Opening<'_>> {
        let mut held = self.held();
        if held.open.len() + held.being_opened >= self.most {
            held.open.retain(|file| file.strong_count() > 0);
        }
        if held.open.len() + held.being_opened >= self.most {
            return None;
        }
        held.being_opened += 1;
        Some(Opening(self))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening<'_> {
    /// It is open now.
    pub fn done(self, file: &Arc<File>) {
        self.0.held().open.push(Arc::downgrade(file));
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.held().being_opened -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(files: &OpenFiles) -> Option<Arc<File>> {
        let opening = files.room()?;
        let file = Arc::new(tempfile::tempfile().unwrap());
        opening.done(&file);
        Some(file)
    }

    #[test]
    fn what_is_open_counts_until_the_last_who_holds_it_lets_go() {
        let files = OpenFiles::new(2);
        let (first, _second) = (open(&files).unwrap(), open(&files).unwrap());
        let stream = Arc::clone(&first);
        assert!(open(&files).is_none());
        drop(first);
        assert!(open(&files).is_none(), "a stream holds it");
        drop(stream);
        assert!(open(&files).is_some());
    }

    #[test]
    fn what_is_being_opened_counts_and_what_failed_to_open_does_not() {
        let files = OpenFiles::new(1);
        let opening = files.room().unwrap();
        assert!(files.room().is_none());
        drop(opening);
        assert!(open(&files).is_some());
    }

    #[test]
    fn opening_and_closing_for_ever_keeps_no_list() {
        let files = OpenFiles::new(3);
        for _ in 0..1_000 {
            drop(open(&files).unwrap());
        }
        assert!(files.held().open.len() <= 3);
    }
}
