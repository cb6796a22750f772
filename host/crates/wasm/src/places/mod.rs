//! Where in the source a trap was: file and line of every frame, out of the component's debug info (DWARF).
//!
//! Debug info is the guest's own and may be made to exhaust its reader, so the host never reads it: the process that
//! compiles does, under limits of its own, and only after a trap. The host itself does only where the policy lets it
//! compile, too (`compile.in_process`). Nothing of it is kept in memory or in the cache of compiled code.

mod dwarf;
mod known;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use remotemedia_core::SandboxPolicy;
use serde::{Deserialize, Serialize};

use crate::cache::Digest;
use crate::compile::{CompilerProgram, find_places_in_child};
use crate::limits::mebibytes;
use crate::loader;
pub(crate) use dwarf::{MOST_INLINED, MOST_NAME_BYTES, find, readable};
use known::Known;

/// A function of the source that one frame was in. One that was inlined is followed by the one that it became a part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub function: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

/// For every offset the places that it belongs to, innermost first.
pub(crate) type Places = Vec<Vec<Place>>;

/// Why no place is known. Reads on after "no source lines: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlaces {
    #[error("the component has no debug info: build it with `debug = \"line-tables-only\"`, or `-g`")]
    NoDebugInfo,
    #[error("the operator's policy reads no debug info (crash.debug_info_mb = 0)")]
    SwitchedOff,
    #[error("{} is not what was loaded any more", file.display())]
    Changed { file: PathBuf },
    #[error(
        "the debug info is {size_mb} MiB large, and the policy reads {limit_mb} MiB (crash.debug_info_mb)"
    )]
    TooLarge { size_mb: u64, limit_mb: u32 },
    #[error("the debug info cannot be read: {reason}")]
    Unreadable { reason: String },
    #[error("the debug info of another failure is being read")]
    Busy,
}

impl NoPlaces {
    /// True when it may be otherwise the next time.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Unreadable { .. } | Self::Busy)
    }
}

/// Looks places up, and remembers the last ones: a node that is made anew often traps at the same place. One at a time:
/// guests that trap all at once must not make the host start as many readers. Whoever comes meanwhile goes without.
pub(crate) struct PlaceFinder {
    program: Option<CompilerProgram>,
    reading: Mutex<()>,
    known: Mutex<Known>,
}

impl PlaceFinder {
    /// Debug info is read by `program`.
    pub fn new(program: Option<CompilerProgram>) -> Self {
        Self { program, reading: Mutex::default(), known: Mutex::default() }
    }

    fn find(&self, origin: &Origin, offsets: &[u64], policy: &SandboxPolicy) -> Result<Places, NoPlaces> {
        let limit_mb = policy.crash.debug_info_mb;
        if limit_mb == 0 {
            return Err(NoPlaces::SwitchedOff);
        }
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&origin.digest, offsets) {
            return found;
        }
        let reading = self.reading.try_lock();
        if let Err(TryLockError::WouldBlock) = reading {
            return Err(NoPlaces::Busy);
        }
        let found = self.read(origin, offsets, policy);
        drop(reading);
        if !found.as_ref().is_err_and(NoPlaces::may_pass) {
            known().put(origin.digest, offsets, found.clone());
        }
        found
    }

    fn read(&self, origin: &Origin, offsets: &[u64], policy: &SandboxPolicy) -> Result<Places, NoPlaces> {
        let changed = || NoPlaces::Changed { file: origin.file.clone() };
        let most_bytes = mebibytes(policy.compile.component_mb.into()) as u64;
        let component = loader::read(&origin.file, most_bytes).map_err(|_| changed())?;
        if blake3::hash(&component) != origin.digest {
            return Err(changed());
        }
        let (size, limit_mb) = (dwarf::size(&component), policy.crash.debug_info_mb);
        if size == 0 {
            return Err(NoPlaces::NoDebugInfo);
        }
        if size > mebibytes(limit_mb.into()) as u64 {
            return Err(NoPlaces::TooLarge { size_mb: size.div_ceil(1 << 20), limit_mb });
        }
        let found = if policy.compile.in_process {
            catch_unwind(|| find(&component, offsets)).map_err(|_| "its reader panicked".to_owned())
        } else {
            let program = self.program.as_ref().ok_or("there is no `remotemedia` beside this program");
            program
                .map_err(str::to_owned)
                .and_then(|program| find_places_in_child(program, &component, offsets))
        };
        found.map_err(|reason| NoPlaces::Unreadable { reason })
    }
}

/// Where a component came from.
pub(crate) struct Origin {
    file: PathBuf,
    /// Of the whole file.
    digest: Digest,
    finder: Arc<PlaceFinder>,
}

impl Origin {
    pub fn new(file: &Path, digest: Digest, finder: &Arc<PlaceFinder>) -> Self {
        Self { file: file.to_owned(), digest, finder: Arc::clone(finder) }
    }

    /// The file, as it was named.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Of every offset into the component's file, where in the source that is.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn places(&self, offsets: &[u64], policy: &SandboxPolicy) -> Result<Places, NoPlaces> {
        self.finder.find(self, offsets, policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_info_is_read_once_at_a_time_and_what_may_pass_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let (file, component) = (dir.path().join("gone.wasm"), b"\0asm\x0d\0\x01\0");
        let finder = Arc::new(PlaceFinder::new(None));
        let origin = Origin::new(&file, blake3::hash(component), &finder);
        let places = || origin.places(&[7], &SandboxPolicy::default());
        assert_eq!(places(), Err(NoPlaces::Changed { file: file.clone() }));
        std::fs::write(&file, component).unwrap();
        let reading = finder.reading.lock().unwrap();
        assert_eq!(places(), Err(NoPlaces::Busy));
        drop(reading);
        assert_eq!(places(), Err(NoPlaces::NoDebugInfo));
        // That will not change, so the file is not looked at again.
        std::fs::remove_file(&file).unwrap();
        assert_eq!(places(), Err(NoPlaces::NoDebugInfo));
    }
}
