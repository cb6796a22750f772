//! Why a verb of the kit cannot do its work, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use remotemedia_core::{ManifestErrors, NodeError};

use crate::media::MediaError;

/// A failure of the kit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The command line, a file of the node's folder, or a golden case asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A program that a build needs is not there.
    #[error("{what}. To install it: {install}")]
    ToolMissing {
        /// Which one, and what for.
        what: String,
        /// The command.
        install: String,
    },
    /// A program of the build said no; it has printed why.
    #[error("`{command}` failed ({status}); what it printed above says why")]
    CommandFailed {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
    },
    /// The system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write` …
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An input or expected file.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node's params, most often.
    #[error("`{}` cannot run like that:\n  {}", file.display(), errors.to_string().replace('\n', "\n  "))]
    Plan {
        /// The component.
        file: PathBuf,
        /// What is wrong.
        errors: ManifestErrors,
    },
}

impl KitError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}
