//! Which component a node names, and which content it must have. Reading the file and comparing is not done here.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a SHA-256 looks like in a manifest.
pub(crate) const SHA256_PATTERN: &str = "^[0-9a-f]{64}$";

/// A `.wasm` component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ComponentRef {
    /// A path relative to the manifest, whatever the file holds.
    Path(PathBuf),
    /// A path and what the file must hold.
    Pinned(ComponentPin),
}

/// A file that must have exactly one content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentPin {
    /// A path relative to the manifest.
    pub path: PathBuf,
    /// The SHA-256 of the file, as `sha256sum` prints it: any other file is refused.
    #[schemars(regex(pattern = SHA256_PATTERN))]
    pub sha256: String,
    /// Who says so.
    #[serde(skip)]
    pub pinned_by: PinnedBy,
}

/// Where a pin was written, which is where it is mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PinnedBy {
    /// The manifest itself.
    #[default]
    Manifest,
    /// The lock file beside it.
    Lock,
}

impl ComponentRef {
    /// Where the file is, as it is written in the manifest.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Path(path) | Self::Pinned(ComponentPin { path, .. }) => path,
        }
    }

    /// What the file must hold; `None` when anything will do.
    #[must_use]
    pub const fn pin(&self) -> Option<&ComponentPin> {
        match self {
            Self::Path(_) => None,
            Self::Pinned(pin) => Some(pin),
        }
    }
}

impl<P: Into<PathBuf>> From<P> for ComponentRef {
    fn from(path: P) -> Self {
        Self::Path(path.into())
    }
}
