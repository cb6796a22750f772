//! A file that appears whole or not at all.
//!
//! Bytes go to a hidden file in the target's folder, which takes the target's name in one step when the writer
//! is done, and disappears when it is dropped before: after an error or Ctrl-C no half file looks whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use super::MediaError;

/// Bytes that are handed to the system at once.
const WRITE_BYTES: usize = 64 * 1024;

/// The hidden files of this process that have no name yet.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes every file that was begun and not committed, for a process that ends without unwinding.
pub fn remove_unfinished_files() {
    for path in UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // Already gone is what was wanted.
        let _ = fs::remove_file(path);
    }
}

/// A file being written. Dropping it without [`OutputFile::commit`] removes it.
#[derive(Debug)]
pub struct OutputFile {
    target: PathBuf,
    file: Target,
    /// Wait for the disk.
    durable: bool,
}

#[derive(Debug)]
enum Target {
    Temporary(BufWriter<NamedTempFile>, Unfinished),
    /// A device or named pipe, which cannot be replaced by renaming.
    Device(BufWriter<File>),
}

impl OutputFile {
    /// Begins a file that will be `target`. An existing file stays as it is until the commit.
    ///
    /// # Errors
    /// When the folder is missing or cannot be written, or `target` is a folder.
    pub fn create(target: &Path) -> Result<Self, MediaError> {
        Self::begin(target, None)
    }

    /// As [`OutputFile::create`], with the hidden file's name given: one that is there is begun anew. The commit
    /// returns when the file is on the disk.
    ///
    /// # Errors
    /// As [`OutputFile::create`].
    pub fn create_as(target: &Path, part: &str) -> Result<Self, MediaError> {
        Self::begin(target, Some(part))
    }

    fn begin(target: &Path, part: Option<&str>) -> Result<Self, MediaError> {
        // Through a symbolic link the file behind it is written, as every other program does.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
        let fail = |source| MediaError::io("write", &target, source);
        let file = match fs::metadata(&target) {
            Ok(metadata) if metadata.is_dir() => return Err(fail(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(&target).map_err(fail)?;
                Target::Device(BufWriter::with_capacity(WRITE_BYTES, file))
            }
            _ => {
                let file = hidden_file(folder_of(&target), part).map_err(fail)?;
                let unfinished = Unfinished::note(file.path());
                Target::Temporary(BufWriter::with_capacity(WRITE_BYTES, file), unfinished)
            }
        };
        Ok(Self { target, file, durable: part.is_some() })
    }

    /// Finds out whether a file can be begun, and leaves nothing. A device or named pipe is not opened for that: who
    /// reads a pipe would take the end of the try for the end of the data.
    ///
    /// # Errors
    /// As [`OutputFile::create`].
    pub fn check(target: &Path) -> Result<(), MediaError> {
        let found = fs::metadata(target);
        if found.as_ref().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Ok(());
        }
        let through_links = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
        let is_folder = found.is_ok_and(|found| found.is_dir());
        // Without a name nothing is left even if the process is killed here. Why it cannot be, the usual way tells.
        if is_folder || nameless_file(folder_of(&through_links)).is_err() {
            Self::create(target)?;
        }
        Ok(())
    }

    /// The name that the file will have.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// True when what was written can be visited again.
    #[must_use]
    pub fn is_seekable(&self) -> bool {
        matches!(self.file, Target::Temporary(..))
    }

    /// Gives the file its name: from now on it exists.
    ///
    /// # Errors
    /// When the last bytes cannot be written, or the name cannot be given.
    pub fn commit(self) -> Result<(), MediaError> {
        let target = self.target;
        let fail = |source| MediaError::io("write", &target, source);
        match self.file {
            Target::Temporary(writer, unfinished) => {
                let file = writer.into_inner().map_err(|error| fail(error.into_error()))?;
                drop(unfinished);
                if self.durable {
                    file.as_file().sync_all().map_err(fail)?;
                }
                file.persist(&target).map_err(|error| fail(error.error))?;
                if self.durable {
                    File::open(folder_of(&target)).and_then(|folder| folder.sync_all()).map_err(fail)?;
                }
            }
            Target::Device(mut writer) => writer.flush().map_err(fail)?,
        }
        Ok(())
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file in `folder` that is gone when it is closed. Not every system has such.
fn nameless_file(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::TMPFILE.bits().cast_signed());
    }
    // Elsewhere: a folder cannot be opened for writing.
    options.open(folder)
}

fn hidden_file(folder: &Path, part: Option<&str>) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".remotemedia-").suffix(".part");
    if let Some(part) = part {
        // A link would lead elsewhere: what has the name goes, whatever it is, and the file is a new one.
        match fs::remove_file(folder.join(part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => builder.prefix(part).suffix("").rand_bytes(0),
        };
    }
    // Not `tempfile_in`: it makes the file for its owner alone, and its errors do not tell what the system said.
    builder.make_in(folder, |path| OpenOptions::new().write(true).create_new(true).open(path))
}

/// A place in the list of hidden files, left when the file is dropped or committed.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Unfinished {
    fn note(path: &Path) -> Self {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(path.into());
        Self(path.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.0);
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Target::Temporary(writer, _) => writer.write(bytes),
            Target::Device(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Target::Temporary(writer, _) => writer.flush(),
            Target::Device(writer) => writer.flush(),
        }
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match &mut self.file {
            Target::Temporary(writer, _) => writer.seek(position),
            Target::Device(writer) => writer.seek(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_only_after_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.wav");
        let mut file = OutputFile::create(&target).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!target.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out.wav"]);
    }

    /// A process that is killed while it tries leaves no file, because there never is one with a name.
    #[cfg(target_os = "linux")]
    #[test]
    fn trying_whether_a_file_can_be_begun_changes_nothing_in_the_folder() {
        use std::time::SystemTime;
        let folder = tempfile::tempdir().unwrap();
        File::open(folder.path()).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        OutputFile::check(&folder.path().join("out.wav")).unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().modified().unwrap(), SystemTime::UNIX_EPOCH);
        assert!(OutputFile::check(&folder.path().join("none/out.wav")).is_err());
        assert!(OutputFile::check(folder.path()).is_err());
    }

    #[test]
    fn a_dropped_file_leaves_the_folder_and_the_older_file_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.wav");
        fs::write(&target, b"older").unwrap();
        let mut file = OutputFile::create(&target).unwrap();
        file.write_all(&[0; 200_000]).unwrap();
        drop(file);
        assert_eq!(fs::read(&target).unwrap(), b"older");
        assert_eq!(names(folder.path()), ["out.wav"]);
    }

    #[test]
    fn a_device_is_written_and_never_replaced() {
        let mut file = OutputFile::create(Path::new("/dev/null")).unwrap();
        assert!(!file.is_seekable());
        file.write_all(b"gone").unwrap();
        file.commit().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = OutputFile::create(Path::new("/no/such/folder/out.wav")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write `/no/such/folder/out.wav`"), "{error}");
    }
}
