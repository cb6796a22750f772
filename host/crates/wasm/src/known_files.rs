//! Which content a file held when it was last read, so that a thousand nodes of one component do not read and hash
//! its file a thousand times. A file counts as the same while its size, its times and its place on disk are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::cache::Digest;

/// How coarse the times of a file system may be: a file younger than that may change again without showing it.
const YOUNG: Duration = Duration::from_secs(3);

/// Files with what they held.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles(Mutex<HashMap<PathBuf, (Stamp, Digest)>>);

/// What changes whenever a file's content does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: SystemTime,
    #[cfg(unix)]
    on_disk: (u64, u64, i64, i64),
}

impl Stamp {
    /// The stamp of `file` now; `None` when it cannot be had or proves nothing.
    pub fn of(file: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(file).ok()?;
        let modified = metadata.modified().ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified,
            #[cfg(unix)]
            on_disk: on_disk(&metadata),
        })
    }

    /// The size of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// This stamp, which `file` had before it was read, if it still has it `now` and any later change would show.
    pub fn settled(self, file: &Path, now: SystemTime) -> Option<Self> {
        let is_old = now.duration_since(self.changed()).is_ok_and(|age| age >= YOUNG);
        (is_old && Self::of(file).as_ref() == Some(&self)).then_some(self)
    }

    /// Feeds all of it to a hash.
    pub fn hash(&self, hasher: &mut blake3::Hasher) {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        hasher.update(&self.bytes.to_le_bytes()).update(&since.as_nanos().to_le_bytes());
        #[cfg(unix)]
        {
            let (device, number, seconds, nanoseconds) = self.on_disk;
            hasher.update(&device.to_le_bytes()).update(&number.to_le_bytes());
            hasher.update(&seconds.to_le_bytes()).update(&nanoseconds.to_le_bytes());
        }
    }

    /// When the file last changed in any way.
    fn changed(&self) -> SystemTime {
        #[cfg(unix)]
        if let Ok(seconds) = u64::try_from(self.on_disk.2) {
            return self.modified.max(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        }
        self.modified
    }
}

/// Device, file number and time of the last change, which no program can set.
#[cfg(unix)]
fn on_disk(metadata: &std::fs::Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

impl KnownFiles {
    /// What `file` holds, if it was read before and did not change.
    pub fn digest(&self, file: &Path) -> Option<Digest> {
        let stamp = Stamp::of(file)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(file).filter(|(seen, _)| *seen == stamp).map(|(_, digest)| *digest)
    }

    /// `file` holds `digest` as long as it has this stamp, which is settled.
    pub fn remember(&self, file: &Path, stamp: Stamp, digest: Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), (stamp, digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn later() -> SystemTime {
        SystemTime::now() + 2 * YOUNG
    }

    fn remembered(known: &KnownFiles, file: &Path, now: SystemTime) -> Option<Digest> {
        let stamp = Stamp::of(file).unwrap().settled(file, now)?;
        known.remember(file, stamp, blake3::hash(&fs::read(file).unwrap()));
        known.digest(file)
    }

    #[test]
    fn a_file_that_did_not_change_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("node.wasm");
        fs::write(&file, "one").unwrap();
        let known = KnownFiles::default();
        assert_eq!(known.digest(&file), None);
        assert_eq!(remembered(&known, &file, later()), Some(blake3::hash(b"one")));
    }

    #[test]
    fn a_young_file_is_read_again_because_its_times_may_not_show_the_next_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("node.wasm");
        fs::write(&file, "one").unwrap();
        assert_eq!(remembered(&KnownFiles::default(), &file, SystemTime::now()), None);
    }

    #[test]
    fn a_file_of_the_same_size_and_forged_times_is_not_taken_for_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("node.wasm"), dir.path().join("other.wasm"));
        fs::write(&file, "one").unwrap();
        fs::write(&other, "two").unwrap();
        let known = KnownFiles::default();
        assert!(remembered(&known, &file, later()).is_some());
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        fs::rename(&other, &file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), modified);
        assert_eq!(known.digest(&file), None);
    }

    #[test]
    fn a_file_that_changed_while_it_was_read_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("node.wasm");
        fs::write(&file, "one").unwrap();
        let before = Stamp::of(&file).unwrap();
        fs::write(&file, "longer").unwrap();
        assert_eq!(before.settled(&file, later()), None);
    }
}
