//! The entries of directories that this host keeps for a guest: wasmtime reads a directory as a whole, however large it is,
//! and keeps it until the guest has let go of it.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use rustix::fs::Dir;

use crate::failure::LimitReached;

/// Those of one guest, by the number of the resource that holds them.
#[derive(Debug)]
pub(crate) struct Listings {
    most: usize,
    entries: HashMap<u32, usize>,
}

impl Listings {
    /// None yet, and at most so many entries.
    pub fn new(most: usize) -> Self {
        Self { most, entries: HashMap::new() }
    }

    /// How many entries `directory` has; reads no more of it than may be kept.
    ///
    /// # Errors
    /// When they are too many, or the directory cannot be read.
    pub fn measure(&self, directory: &File) -> io::Result<Result<usize, LimitReached>> {
        let left = self.most - self.entries.values().sum::<usize>().min(self.most);
        let mut count = 0;
        for entry in Dir::read_from(directory)? {
            // The directory itself and the one above it are no entries.
            count += usize::from(!matches!(entry?.file_name().to_bytes(), b"." | b".."));
            if count > left {
                return Ok(Err(LimitReached(format!(
                    "wanted to list a directory with more than {left} entries, and may list {} at once \
                     (limits.directory_entries)",
                    self.most
                ))));
            }
        }
        Ok(Ok(count))
    }

    /// The guest has a resource with so many.
    pub fn keep(&mut self, resource: u32, entries: usize) {
        self.entries.insert(resource, entries);
    }

    /// It has it no longer.
    pub fn let_go(&mut self, resource: u32) {
        self.entries.remove(&resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_directories_that_are_listed_at_once_count_together() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let directory = File::open(folder.path()).unwrap();
        let mut listings = Listings::new(7);
        for resource in [1, 2] {
            assert_eq!(listings.measure(&directory).unwrap().unwrap(), 3);
            listings.keep(resource, 3);
        }
        assert_eq!(
            listings.measure(&directory).unwrap().unwrap_err().to_string(),
            "the component wanted to list a directory with more than 1 entries, and may list 7 at once \
             (limits.directory_entries)"
        );
        listings.let_go(1);
        assert_eq!(listings.measure(&directory).unwrap().unwrap(), 3);
    }
}
