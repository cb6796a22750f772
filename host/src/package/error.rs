//! Why a package cannot be read, written, pushed or pulled.

use std::io;
use std::path::{Path, PathBuf};

/// Packing, pushing or pulling failed. Nothing was written where it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: "read" or "write".
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not a node's package.
    #[error("{what} is not a node's package: {why}")]
    NotAPackage {
        /// The file or the reference.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A digest does not match what it stands for.
    #[error(
        "{what} was altered: {part} is {found}, and its manifest says {expected}. Get it again from its author"
    )]
    Altered {
        /// The file or the reference.
        what: String,
        /// Which part of it.
        part: &'static str,
        /// The digest that its manifest names.
        expected: String,
        /// The digest of what is there.
        found: String,
    },
    /// The component is larger than this host allows.
    #[error("{what} holds {bytes} bytes of component, and this host allows {most}")]
    TooLarge {
        /// The file or the reference.
        what: String,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        most: u64,
    },
    /// The name of a package is not one.
    #[error(
        "`{reference}` names no package: {why}. A name looks like registry.example.com/nodes/gain:0.1.0 or \
         127.0.0.1:5000/gain@sha256:…"
    )]
    Reference {
        /// What was given.
        reference: String,
        /// What is wrong with it.
        why: String,
    },
    /// The registry wants to know who asks, or does not let them.
    #[error(
        "{registry} refuses to {action} `{reference}` {as_whom}. Log in with `docker login {registry}`, or set \
         REMOTEMEDIA_REGISTRY_USER and REMOTEMEDIA_REGISTRY_PASSWORD"
    )]
    Unauthorized {
        /// Which registry.
        registry: String,
        /// "push" or "pull".
        action: &'static str,
        /// The package.
        reference: String,
        /// "anonymously" or "as NAME".
        as_whom: String,
    },
    /// There is no such package.
    #[error("{registry} has no `{reference}`: check the name and the tag")]
    NotFound {
        /// Which registry.
        registry: String,
        /// The package.
        reference: String,
    },
    /// The registry cannot be reached, or answers what it should not.
    #[error("cannot {action} `{reference}`: {why}")]
    Registry {
        /// "push" or "pull".
        action: &'static str,
        /// The package.
        reference: String,
        /// What happened.
        why: String,
    },
}

impl PackageError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(super) fn no_package(what: &str, why: impl Into<String>) -> Self {
        Self::NotAPackage { what: what.into(), why: why.into() }
    }
}
