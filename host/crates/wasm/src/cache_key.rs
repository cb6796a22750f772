//! The secret that authenticates cached code: 32 random bytes in a file that only its owner may read. Whoever can
//! read that file can already run code as this user.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Bytes of the key.
pub(crate) const KEY_BYTES: usize = 32;

const FILE: &str = "key";

/// The key of the cache in `dir`, made on first use. A key that others may read is replaced, which refuses all
/// that was written with it.
///
/// # Errors
/// When the file can be neither read nor made.
pub(crate) fn load_or_make(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join(FILE);
    match read(&path) {
        Ok(Some(key)) => return Ok(key),
        Ok(None) => {
            tracing::warn!("{} is damaged or readable by others: making a new one", path.display());
            fs::remove_file(&path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    make(dir, &path)?;
    // Another process may have been faster; what is there now is the key.
    read(&path)?.ok_or_else(|| io::Error::other(format!("{} is not a key", path.display())))
}

/// `None` when the file is not a private key.
fn read(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.len() != KEY_BYTES as u64 || !is_private(&metadata) {
        return Ok(None);
    }
    Ok(fs::read(path)?.try_into().ok())
}

fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    // Temporary files are made with mode 0600; linking one to its name fails when the name is taken.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let key = load_or_make(dir.path()).unwrap();
        assert_eq!(load_or_make(dir.path()).unwrap(), key);
        assert!(is_private(&fs::metadata(dir.path().join(FILE)).unwrap()));
        assert_ne!(load_or_make(tempfile::tempdir().unwrap().path()).unwrap(), key);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let key = load_or_make(dir.path()).unwrap();
        fs::set_permissions(dir.path().join(FILE), fs::Permissions::from_mode(0o644)).unwrap();
        assert_ne!(load_or_make(dir.path()).unwrap(), key);
    }

    #[test]
    fn a_key_of_the_wrong_length_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        load_or_make(dir.path()).unwrap();
        fs::OpenOptions::new().append(true).open(dir.path().join(FILE)).unwrap().write_all(b"x").unwrap();
        load_or_make(dir.path()).unwrap();
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().len(), KEY_BYTES as u64);
    }
}
