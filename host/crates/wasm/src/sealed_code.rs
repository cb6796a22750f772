//! Where cached machine code goes on its way from the disk: into memory that nobody can change any more, in the form of a
//! file without a name. Only what is used of it is ever mapped, and nothing is copied again, which for an interpreter of
//! 35 MB is most of what loading it costs. Where the system has no such files, the code goes into ordinary memory.

use std::fs::File;
use std::io::{self, Write};

/// Code that is being written.
pub(crate) enum UnsealedCode {
    File(File),
    Bytes(Vec<u8>),
}

/// Code that stays as it is.
pub(crate) enum SealedCode {
    /// A file without a name that nobody can write to.
    File(File),
    /// Memory of this process.
    Bytes(Vec<u8>),
}

impl UnsealedCode {
    pub fn new() -> Self {
        sealable_file().map_or_else(|| Self::Bytes(Vec::new()), Self::File)
    }

    /// Ends the writing, for everybody.
    ///
    /// # Errors
    /// When the system does not do that.
    pub fn seal(self) -> io::Result<SealedCode> {
        match self {
            Self::File(file) => {
                seal(&file)?;
                Ok(SealedCode::File(file))
            }
            Self::Bytes(bytes) => Ok(SealedCode::Bytes(bytes)),
        }
    }
}

impl Write for UnsealedCode {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Bytes(all) => all.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The name under which this process can open `file` again.
pub(crate) fn name_of(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(target_os = "linux")]
fn sealable_file() -> Option<File> {
    use rustix::fs::MemfdFlags;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create("remotemedia-code", flags).ok()?);
    File::open(name_of(&file)).is_ok().then_some(file)
}

#[cfg(target_os = "linux")]
fn seal(file: &File) -> io::Result<()> {
    use rustix::fs::SealFlags;
    let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    Ok(rustix::fs::fcntl_add_seals(file, all)?)
}

#[cfg(not(target_os = "linux"))]
fn sealable_file() -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn seal(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_sealed_cannot_be_changed_under_any_name() {
        let mut code = UnsealedCode::new();
        code.write_all(b"code").unwrap();
        let SealedCode::File(file) = code.seal().unwrap() else { panic!("it went into ordinary memory") };
        assert_eq!(std::fs::read(name_of(&file)).unwrap(), b"code");
        assert!((&file).write_all(b"more").is_err());
        assert!(file.set_len(0).is_err() && file.set_len(8).is_err());
        let again = std::fs::OpenOptions::new().write(true).open(name_of(&file));
        assert!(again.and_then(|mut again| again.write_all(b"evil")).is_err());
        assert!(rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::empty()).is_err());
        assert_eq!(std::fs::read(name_of(&file)).unwrap(), b"code");
    }

    #[test]
    fn without_such_files_memory_holds_the_same() {
        let mut code = UnsealedCode::Bytes(Vec::new());
        code.write_all(b"co").unwrap();
        code.write_all(b"de").unwrap();
        assert!(matches!(code.seal().unwrap(), SealedCode::Bytes(bytes) if bytes == b"code"));
    }
}
