//! `remotemedia.lock`: what each component of the manifests in a folder must hold. It is written once, by the operator
//! who has looked at the components, and checked whenever one of the manifests is loaded.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use remotemedia_core::manifest::{ComponentPin, ComponentRef, PinnedBy};
use remotemedia_core::{Manifest, ManifestError, ManifestErrors, NodeError};
use remotemedia_wasm::ComponentFacts;
use serde::{Deserialize, Serialize};

use crate::load::LoadError;
use crate::media::{MediaError, OutputFile};

/// The file's name; its folder is the manifest's.
pub const LOCK_FILE: &str = "remotemedia.lock";

const FORMAT: u32 = 1;
const HEADING: &str =
    "# What the components of the pipelines in this folder must hold. Written by `remotemedia lock`.\n";

/// A lock file that was written.
#[derive(Clone, Debug)]
pub struct Locked {
    /// Where it is.
    pub path: PathBuf,
    /// The components of the manifest, in the order of their paths.
    pub components: Vec<LockedComponent>,
}

/// What a component must hold, and what it was when it was locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedComponent {
    /// As the manifest writes it: relative to its folder.
    pub path: String,
    /// The SHA-256 of the file. This alone is compared; the rest is for people.
    pub sha256: String,
    /// The type that the component declares.
    pub node_type: String,
    /// Its version, as it declares it.
    pub version: String,
    /// The version of the WIT package that it implements.
    pub wit: String,
}

/// Why no lock file was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockFailure {
    /// The manifest, or the lock file that is there, cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A component cannot be used.
    #[error("nothing was locked: {0}")]
    Component(#[from] NodeError),
    /// The file cannot be written.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The lock cannot be put into words.
    #[error("nothing was locked: {0}")]
    Unwritable(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: u32,
    #[serde(default)]
    component: Vec<LockedComponent>,
}

impl LockFile {
    /// The lock file beside `manifest`; `None` when there is none.
    fn read(manifest: &Path) -> Result<Option<Self>, LoadError> {
        let path = path_beside(manifest);
        let unusable =
            |reason: String| LoadError::Lock { path: path.clone(), manifest: manifest.into(), reason };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let lock: Self =
            toml::from_str(&text).map_err(|error| unusable(error.to_string().trim_end().into()))?;
        if lock.version != FORMAT {
            let reason = format!("its version is {}, and this host reads version {FORMAT}", lock.version);
            return Err(unusable(reason));
        }
        Ok(Some(lock))
    }

    fn find(&self, path: &Path) -> Option<&LockedComponent> {
        self.component.iter().find(|component| Path::new(&component.path) == path)
    }
}

fn path_beside(manifest: &Path) -> PathBuf {
    manifest.with_file_name(LOCK_FILE)
}

/// Pins the components of `manifest`, which was read from `path`, to what the lock file beside it lists. What they
/// hold is compared when they are loaded, in the same step.
pub(crate) fn apply(path: &Path, manifest: &mut Manifest) -> Result<(), LoadError> {
    let Some(lock) = LockFile::read(path)? else { return Ok(()) };
    let mut faults = Vec::new();
    for (index, node) in manifest.nodes.iter_mut().enumerate() {
        let Some(component) = &node.component else { continue };
        let file = component.path().to_owned();
        match (lock.find(&file), component.pin()) {
            (None, _) => faults.push(not_listed(index, &file, path)),
            (Some(listed), Some(pin)) if pin.sha256 != listed.sha256 => {
                faults.push(contradiction(index, pin, &listed.sha256, path));
            }
            (Some(listed), _) => {
                let sha256 = listed.sha256.clone();
                node.component = Some(ComponentRef::Pinned(ComponentPin {
                    path: file,
                    sha256,
                    pinned_by: PinnedBy::Lock,
                }));
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(LoadError::Invalid { path: path.into(), errors: ManifestErrors(faults) })
}

fn not_listed(index: usize, file: &Path, manifest: &Path) -> ManifestError {
    let text = format!("`{}` is not in {LOCK_FILE}, which lists what may run here", file.display());
    ManifestError::new(format!("$.nodes[{index}].component"), text)
        .suggest(format!("look at it, then run `remotemedia lock {}`", manifest.display()))
}

fn contradiction(index: usize, pin: &ComponentPin, listed: &str, manifest: &Path) -> ManifestError {
    let text = format!("the manifest wants sha256 {}, but {LOCK_FILE} lists {listed}", pin.sha256);
    ManifestError::new(format!("$.nodes[{index}].component.sha256"), text).suggest(format!(
        "correct the one that is wrong; `remotemedia lock {}` writes {LOCK_FILE} again",
        manifest.display()
    ))
}

/// Writes the lock file beside the manifest that was read from `path`. What other manifests of the folder locked stays,
/// as long as it is there.
pub(crate) fn write(
    path: &Path,
    manifest: &Manifest,
    inspect: impl Fn(&Path) -> Result<ComponentFacts, NodeError>,
) -> Result<Locked, LockFailure> {
    let target = path_beside(path);
    let mut components: Vec<LockedComponent> = Vec::new();
    for node in &manifest.nodes {
        let (Some(component), Some(file)) = (&node.component, node.component_path()) else { continue };
        if !components.iter().any(|known| Path::new(&known.path) == component.path()) {
            components.push(describe(component.path(), inspect(&file)?)?);
        }
    }
    components.sort_by(|one, other| one.path.cmp(&other.path));
    let mut all = components.clone();
    // A lock file that cannot be read is what this verb mends.
    let before = LockFile::read(path).ok().flatten();
    all.extend(before.into_iter().flat_map(|lock| lock.component).filter(|other| {
        let is_there = path.with_file_name(&other.path).is_file();
        is_there && components.iter().all(|known| known.path != other.path)
    }));
    all.sort_by(|one, other| one.path.cmp(&other.path));
    let text = toml::to_string(&LockFile { version: FORMAT, component: all })
        .map_err(|error| LockFailure::Unwritable(error.to_string()))?;
    let mut file = OutputFile::create(&target)?;
    file.write_all(format!("{HEADING}{text}").as_bytes())
        .map_err(|error| LockFailure::Unwritable(format!("{}: {error}", target.display())))?;
    file.commit()?;
    Ok(Locked { path: target, components })
}

fn describe(path: &Path, facts: ComponentFacts) -> Result<LockedComponent, LockFailure> {
    let Some(path) = path.to_str() else {
        return Err(LockFailure::Unwritable(format!("the path {} is not text", path.display())));
    };
    Ok(LockedComponent {
        path: path.into(),
        sha256: facts.sha256.to_string(),
        node_type: facts.descriptor.node_type,
        version: facts.descriptor.version,
        wit: facts.wit.into(),
    })
}
