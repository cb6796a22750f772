//! Reading a manifest from a file. What is in it is core's to judge.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use remotemedia_core::manifest::ManifestFormat;
use remotemedia_core::{Manifest, ManifestError, ManifestErrors};

/// A larger file is no manifest: 10,000 nodes with params take about 2 MiB.
pub const MOST_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// Why a manifest could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The system refused.
    #[error("cannot read the manifest `{}`: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is far too large.
    #[error(
        "`{}` is no manifest: it is larger than {} MiB. Give media files with -i, the manifest first",
        path.display(),
        MOST_MANIFEST_BYTES / (1024 * 1024)
    )]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// The lock file beside it cannot be used.
    #[error("the lock file `{}` cannot be used: {reason}. Write it again with `remotemedia lock {}`", path.display(), manifest.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The manifest that it is beside of.
        manifest: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file says something wrong.
    #[error("the manifest `{}` has {} fault(s):\n{errors}", path.display(), errors.0.len())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Everything that is wrong.
        errors: ManifestErrors,
    },
}

/// Reads and parses `path`; `.json`, `.yaml` and `.yml` say their format, other names show it by their first
/// character. Relative paths in the manifest are relative to its folder. `look_further` finds what else is wrong
/// with a manifest that has faults, so that all of them are told at once.
pub(crate) fn load_manifest(
    path: &Path,
    look_further: impl FnOnce(&Manifest) -> Vec<ManifestError>,
) -> Result<Manifest, LoadError> {
    let io = |source| LoadError::Io { path: path.into(), source };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_MANIFEST_BYTES + 1).read_to_end(&mut text))
        .map_err(io)?;
    if text.len() as u64 > MOST_MANIFEST_BYTES {
        return Err(LoadError::TooLarge { path: path.into() });
    }
    let (mut manifest, mut faults) = Manifest::parse_despite_faults(&text, format_of(path, &text));
    let base_dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for node in manifest.iter_mut().flat_map(|manifest| &mut manifest.nodes) {
        node.base_dir = base_dir.into();
    }
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        manifest => {
            let mut more = manifest.as_ref().map(look_further).unwrap_or_default();
            // The same place twice is one fault: the first message is the closer one.
            more.retain(|fault| faults.iter().all(|known| known.path != fault.path));
            faults.extend(more);
            Err(LoadError::Invalid { path: path.into(), errors: ManifestErrors(faults) })
        }
    }
}

fn format_of(path: &Path, text: &[u8]) -> ManifestFormat {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("json") => ManifestFormat::Json,
        Some("yaml" | "yml") => ManifestFormat::Yaml,
        _ => match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => ManifestFormat::Json,
            _ => ManifestFormat::Yaml,
        },
    }
}
