//! Keeps the compile cache below its size: what was not used for longest goes first. Another process that reads an
//! entry meanwhile still gets all of it: removing a file takes only its name away.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a process that ended while it wrote left behind is removed after that time.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// What notes about files end in. They are small, and a file that changed leaves its note behind.
pub(crate) const NOTE: &str = "note";
/// Notes are made anew after that time.
const OLD_NOTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Notes that an entry is in use. Its time of modification says so, because many systems keep no other.
pub(crate) fn mark_used(entry: &Path) {
    let marked = File::open(entry).and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = marked {
        tracing::debug!("{} cannot be marked as used: {error}", entry.display());
    }
}

/// Removes entries of the cache in `dir` until they are `most_bytes` together, but never the one called `newest`.
///
/// # Errors
/// When the folder cannot be read. An entry that another process removed first is no error.
pub(crate) fn shrink(dir: &Path, most_bytes: u64, newest: &str) -> io::Result<()> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if path.extension().is_some_and(|extension| extension == "cwasm") {
            bytes += metadata.len();
            entries.push((modified, metadata.len(), path));
        } else if is_abandoned(&path, modified) || is_old_note(&path, modified) {
            remove(&path);
        }
    }
    entries.sort();
    for (_, length, path) in entries {
        if bytes <= most_bytes {
            break;
        }
        if !path.ends_with(newest) {
            remove(&path);
            bytes -= length;
        }
    }
    Ok(())
}

fn is_abandoned(path: &Path, modified: SystemTime) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(".tmp") && modified.elapsed().is_ok_and(|age| age > ABANDONED)
}

fn is_old_note(path: &Path, modified: SystemTime) -> bool {
    let is_note = path.extension().is_some_and(|extension| extension == NOTE);
    is_note && modified.elapsed().is_ok_and(|age| age > OLD_NOTE)
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("{} cannot be removed from the cache: {error}", path.display());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::PathBuf;

    use super::*;

    /// An entry of `bytes` that was last used `hours` ago.
    fn entry(dir: &Path, name: &str, bytes: usize, hours: u64) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, vec![7; bytes]).unwrap();
        let used = SystemTime::now() - Duration::from_secs(hours * 3_600);
        File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
        path
    }

    #[test]
    fn what_was_not_used_for_longest_goes_until_the_rest_fits() {
        let dir = tempfile::tempdir().unwrap();
        let oldest = entry(dir.path(), "a.cwasm", 100, 3);
        let old = entry(dir.path(), "b.cwasm", 100, 2);
        let new = entry(dir.path(), "c.cwasm", 100, 1);
        mark_used(&oldest);
        shrink(dir.path(), 300, "c.cwasm").unwrap();
        assert!(oldest.exists() && old.exists() && new.exists());
        shrink(dir.path(), 299, "c.cwasm").unwrap();
        assert!(oldest.exists() && !old.exists() && new.exists());
        shrink(dir.path(), 0, "c.cwasm").unwrap();
        assert!(!oldest.exists() && new.exists(), "the newest stays however little room there is");
    }

    #[test]
    fn only_entries_abandoned_parts_of_them_and_old_notes_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let key = entry(dir.path(), "key", 32, 1_000);
        let abandoned = entry(dir.path(), ".tmpAbCd", 100, 25);
        let being_written = entry(dir.path(), ".tmpEfGh", 100, 1);
        let (old_note, note) =
            (entry(dir.path(), "a.note", 64, 31 * 24), entry(dir.path(), "b.note", 64, 24));
        shrink(dir.path(), 0, "x.cwasm").unwrap();
        assert!(key.exists() && !abandoned.exists() && being_written.exists());
        assert!(!old_note.exists() && note.exists());
    }

    #[test]
    fn a_reader_gets_all_of_an_entry_that_is_removed_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = entry(dir.path(), "a.cwasm", 100_000, 1);
        let mut reader = File::open(&path).unwrap();
        let mut head = [0; 10];
        reader.read_exact(&mut head).unwrap();
        shrink(dir.path(), 0, "x.cwasm").unwrap();
        assert!(!path.exists());
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), 99_990);
    }
}
