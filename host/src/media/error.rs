//! What is wrong with a file, in words a user can act on. One paragraph each.

use std::io;
use std::path::{Path, PathBuf};

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
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

impl MediaError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
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
