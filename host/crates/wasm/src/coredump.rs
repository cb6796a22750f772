//! Core dumps: what a component that was stopped had in its memories and globals, and where it was, in a file of the
//! format that debuggers of WebAssembly read. It holds the guest's own state and nothing of the host's.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use remotemedia_core::policy::CrashLimits;
use wasmtime::{Store, WasmCoreDump};

use crate::guest::Guest;
use crate::limits::mebibytes;

/// What core dumps end in, and are counted by.
const EXTENSION: &str = "coredump";
/// A node's id may be as long as it likes, a file name not.
const MOST_ID_CHARS: usize = 80;

/// The folder that core dumps are written to.
#[derive(Debug)]
pub(crate) struct Coredumps {
    dir: PathBuf,
    /// How many this process wrote. Locked while one is.
    written: Mutex<u64>,
    /// The folder is there, and files can be made in it.
    prepared: OnceLock<()>,
}

/// Why there is no core dump. Reads on after "no core dump: ".
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCoredump {
    #[error("the node's memory is larger than the {limit_mb} MiB that the policy allows (crash.coredump_mb)")]
    TooLarge { limit_mb: u32 },
    #[error("{} holds {most} already, as many as the policy allows (crash.coredumps): remove some", dir.display())]
    TooMany { dir: PathBuf, most: u32 },
    #[error("it cannot be written to {}: {error}", dir.display())]
    Io { dir: PathBuf, error: io::Error },
    #[error("wasmtime could not make it")]
    Failed,
}

impl Coredumps {
    /// They go to `dir`, which is made when it is needed.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, written: Mutex::default(), prepared: OnceLock::new() }
    }

    /// Makes the folder, and sees whether files can be: better told before a component runs than after it crashed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn prepare(&self) -> Result<(), NoCoredump> {
        if self.prepared.get().is_none() {
            make_private_dir(&self.dir)
                .and_then(|()| tempfile::tempfile_in(&self.dir))
                .map_err(|error| NoCoredump::Io { dir: self.dir.clone(), error })?;
            let _ = self.prepared.set(());
        }
        Ok(())
    }

    /// Writes the core dump of the guest in `store` that `error` carries; `None` when it carries none. The file is there
    /// whole or not at all, and readable by its owner only.
    pub fn keep(
        &self,
        error: &wasmtime::Error,
        store: &mut Store<Guest>,
        component: &Path,
        limits: &CrashLimits,
    ) -> Option<Result<PathBuf, NoCoredump>> {
        let dump = error.downcast_ref::<WasmCoreDump>()?;
        let most_bytes = mebibytes(limits.coredump_mb.into());
        let too_large = || NoCoredump::TooLarge { limit_mb: limits.coredump_mb };
        // Asked first: the dump is put together in the host's memory.
        if store.data().meter.memory_bytes() > most_bytes {
            return Some(Err(too_large()));
        }
        let node_id = store.data().log.node_id();
        // Where the host keeps it is no business of who gets the dump.
        let name = component.file_name().unwrap_or_default().to_string_lossy();
        let Ok(bytes) = catch_unwind(AssertUnwindSafe(|| dump.serialize(store, &name))) else {
            return Some(Err(NoCoredump::Failed));
        };
        if bytes.len() > most_bytes {
            return Some(Err(too_large()));
        }
        Some(self.write(&node_id, &bytes, limits.coredumps))
    }

    fn write(&self, node_id: &str, bytes: &[u8], most: u32) -> Result<PathBuf, NoCoredump> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error| NoCoredump::Io { dir: self.dir.clone(), error };
        make_private_dir(&self.dir).map_err(failed)?;
        if count(&self.dir).map_err(failed)? >= most as usize {
            return Err(NoCoredump::TooMany { dir: self.dir.clone(), most });
        }
        *written += 1;
        let path = self.dir.join(file_name(node_id, SystemTime::now(), *written));
        // Temporary files are made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist_noclobber(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }
}

fn make_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn count(dir: &Path) -> io::Result<usize> {
    let is_one = |entry: &io::Result<std::fs::DirEntry>| {
        entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|is| is == EXTENSION))
    };
    Ok(std::fs::read_dir(dir)?.filter(is_one).count())
}

/// Node id, milliseconds since 1970, process and number: `gain-1700000000000-4242-1.coredump`.
fn file_name(node_id: &str, now: SystemTime, number: u64) -> String {
    let plain =
        |character: char| if character.is_alphanumeric() || character == '_' { character } else { '-' };
    let id: String = node_id.chars().take(MOST_ID_CHARS).map(plain).collect();
    let ms = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    format!("{id}-{ms}-{}-{number}.{EXTENSION}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_tells_node_time_and_process_and_stays_in_the_folder() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let pid = std::process::id();
        assert_eq!(file_name("a_gain", now, 2), format!("a_gain-1700000000123-{pid}-2.coredump"));
        assert_eq!(
            file_name("../../etc/p w\0", now, 1),
            format!("------etc-p-w--1700000000123-{pid}-1.coredump")
        );
        assert!(file_name(&"ü".repeat(500), now, 1).len() < 255);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_whole_private_and_not_more_than_allowed() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let dumps = Coredumps::new(parent.path().join("made/when needed"));
        let paths = [dumps.write("n", b"one", 2).unwrap(), dumps.write("n", b"two", 2).unwrap()];
        assert_eq!(paths.each_ref().map(|path| std::fs::read(path).unwrap()), [b"one", b"two"]);
        let modes =
            paths.each_ref().map(|path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o600; 2]);
        assert!(matches!(dumps.write("n", b"three", 2), Err(NoCoredump::TooMany { most: 2, .. })));
        std::fs::remove_file(&paths[0]).unwrap();
        assert_eq!(std::fs::read(dumps.write("n", b"four", 2).unwrap()).unwrap(), b"four");
        // Nothing half-written lies beside them.
        assert_eq!(std::fs::read_dir(&dumps.dir).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Coredumps::new(file.path().join("in a file")).write("n", b"", 1).unwrap_err().to_string();
        assert!(error.starts_with("it cannot be written to ") && error.contains("in a file"), "{error}");
    }
}
