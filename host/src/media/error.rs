//! What is wrong with a file, in words a user can act on. One paragraph each.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The system refused.
    #[error("cannot {action} {}: {source}{}", place(action, path), what_to_do(source))]
    Io {
        /// What was tried: `open`, `read`, `write` …
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file has no bytes, or holds no frame.
    #[error("`{}` is empty: {what}", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// The file's first bytes belong to no format that is read here.
    #[error(
        "`{}` is not audio that can be read here: {reason}. Audio inputs are wav, flac, mp3 and ogg/vorbis files; \
         values come from .jsonl files",
        path.display()
    )]
    NotAudio {
        /// Which file.
        path: PathBuf,
        /// What it looks like instead.
        reason: String,
    },
    /// The file ends before its header says it does.
    #[error("`{}` is truncated: {detail}. Copy or record it again", path.display())]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// How much is there and how much should be.
        detail: String,
    },
    /// The file contradicts its own format.
    #[error("`{}` is damaged: {detail}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where and how.
        detail: String,
    },
    /// The format is known, but not this use of it.
    #[error("`{}`: {detail}", path.display())]
    Unsupported {
        /// Which file.
        path: PathBuf,
        /// What is not supported and what to do instead.
        detail: String,
    },
}

fn place(action: &str, path: &Path) -> String {
    match (path == Path::new("-"), action) {
        (false, _) => format!("`{}`", path.display()),
        (true, "write") => "to standard output".into(),
        (true, _) => "standard input".into(),
    }
}

/// What a user can do about what the system said; empty when that says itself what is wrong.
pub(crate) fn what_to_do(error: &io::Error) -> &'static str {
    let too_many_open_files = matches!(Errno::from_io_error(error), Some(Errno::MFILE) | Some(Errno::NFILE));
    match error.kind() {
        ErrorKind::StorageFull => ". The disk is full: free some space on it, or write elsewhere",
        ErrorKind::QuotaExceeded => {
            ". Your share of the disk is used up: free some space, or write elsewhere"
        }
        ErrorKind::FileTooLarge => {
            ". The file would be larger than the process (`ulimit -f`) or the file system allows: raise the limit, or \
             write elsewhere"
        }
        ErrorKind::ReadOnlyFilesystem => ". Write elsewhere",
        _ if too_many_open_files => ". Raise the limit of open files (`ulimit -n`)",
        _ => "",
    }
}

impl MediaError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        // The library of temporary files adds the hidden name that the file has while it is written.
        let source = match source.kind() {
            kind @ (ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge) => {
                kind.into()
            }
            _ => source,
        };
        Self::Io { action, path: path.into(), source }
    }

    pub(crate) fn damaged(path: &Path, detail: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), detail: detail.into() }
    }

    pub(crate) fn truncated(path: &Path, detail: impl Into<String>) -> Self {
        Self::Truncated { path: path.into(), detail: detail.into() }
    }

    pub(crate) fn unsupported(path: &Path, detail: impl Into<String>) -> Self {
        Self::Unsupported { path: path.into(), detail: detail.into() }
    }
}
