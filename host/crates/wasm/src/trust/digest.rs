//! Digests that people compare: SHA-256, as `sha256sum` prints it.

use std::fmt;
use std::path::Path;

use remotemedia_core::manifest::{ComponentPin, PinnedBy};
use remotemedia_core::{ErrorKind, NodeError};
use sha2::Digest;

/// A SHA-256. Shown in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

/// Compares what a file holds with what it must hold.
///
/// # Errors
/// `PermissionDenied` when they differ: names the file, both digests and what to do.
pub(crate) fn check_pin(file: &Path, found: Sha256, pin: &ComponentPin) -> Result<(), NodeError> {
    if found.to_string() == pin.sha256 {
        return Ok(());
    }
    let (who, mend) = match pin.pinned_by {
        PinnedBy::Manifest => ("the manifest", "write the found one as `component.sha256`"),
        PinnedBy::Lock => ("remotemedia.lock", "run `remotemedia lock PIPELINE`"),
    };
    Err(NodeError::new(
        ErrorKind::PermissionDenied,
        format!(
            "{} is not the file that {who} pins: wanted sha256 {}, found {found}. Put the right file there; if the change \
             is meant, {mend}",
            file.display(),
            pin.sha256
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_fips_180() {
        // The examples of FIPS 180-4.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((sha256(b"").to_string(), sha256(b"abc").to_string()), (empty.into(), abc.into()));
    }

    #[test]
    fn a_wrong_file_is_told_with_both_digests_and_where_to_mend_it() {
        let mut pin = ComponentPin {
            path: "a.wasm".into(),
            sha256: sha256(b"a").to_string(),
            pinned_by: PinnedBy::Manifest,
        };
        assert_eq!(check_pin(Path::new("a.wasm"), sha256(b"a"), &pin), Ok(()));
        let error = check_pin(Path::new("a.wasm"), sha256(b"b"), &pin).unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        for part in ["a.wasm", &sha256(b"a").to_string(), &sha256(b"b").to_string(), "`component.sha256`"] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
        pin.pinned_by = PinnedBy::Lock;
        let error = check_pin(Path::new("a.wasm"), sha256(b"b"), &pin).unwrap_err();
        assert!(error.message.contains("`remotemedia lock PIPELINE`"), "{error}");
    }
}
