//! Signatures of files: where they are written, and where they are looked for: in the component, and in
//! `FILE.wasm.sig` beside it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::envelope;
use super::failure::TrustFailure;
use super::key::{PrivateKey, PublicKey};
use super::signature::{MOST_TEXT_BYTES, Signatures, SignedBy};

/// No component is larger, in bytes.
const MOST_FILE_BYTES: u64 = 1 << 30;
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// What signing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFile {
    /// The file that was written: the component, or the one beside it.
    pub written: PathBuf,
    /// Whose signatures it carries now.
    pub keys: Vec<PublicKey>,
}

/// Why a file was not signed or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignFailure {
    /// The system refused.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no component.
    #[error("{} is no WebAssembly component: name the .wasm file that the build of the node made", path.display())]
    NotAComponent {
        /// Which file.
        path: PathBuf,
    },
    /// Its signature does not count.
    #[error("{} {failure}", path.display())]
    Untrusted {
        /// Which file.
        path: PathBuf,
        /// Why not.
        failure: TrustFailure,
    },
}

/// Where the detached signature of `file` is: `FILE.wasm.sig`.
#[must_use]
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// Signs the component in `file`: into the file itself, or beside it. What other keys signed stays, as long as it is
/// still true.
///
/// # Errors
/// When the file is no component, or cannot be read or written; then nothing has changed.
pub fn sign_file(file: &Path, key: &PrivateKey, detached: bool) -> Result<SignedFile, SignFailure> {
    let bytes = read_component(file)?;
    let untrusted = |failure| SignFailure::Untrusted { path: file.into(), failure };
    let (content, embedded) = envelope::split(&bytes)
        .map_err(|error| untrusted(TrustFailure::Malformed { reason: error.to_string() }))?;
    let target = if detached { signature_path(file) } else { file.to_owned() };
    let beside = if detached { read_detached(file).map_err(untrusted)? } else { None };
    let earlier = if detached { beside.as_deref() } else { embedded };
    // An unreadable signature is replaced: that is what signing again is for.
    let mut signatures = earlier.and_then(|text| Signatures::parse(text).ok()).unwrap_or_default();
    signatures.sign(content, key);
    let text = signatures.to_text();
    let written = if detached { text.into_bytes() } else { envelope::join(content, text.as_bytes()) };
    replace(&target, &written).map_err(|source| SignFailure::Io { path: target.clone(), source })?;
    Ok(SignedFile { written: target, keys: signatures.keys() })
}

/// Which of `trusted` signed the component in `file`.
///
/// # Errors
/// When none did, or the file is no component.
pub fn verify_file(file: &Path, trusted: &[PublicKey]) -> Result<PublicKey, SignFailure> {
    let bytes = read_component(file)?;
    let verified = verify_bytes(file, &bytes, trusted);
    verified.map(|(_, key)| key).map_err(|failure| SignFailure::Untrusted { path: file.into(), failure })
}

/// Everybody who signed the component in `file`, in it and beside it, trusted or not. Nobody when it is not signed.
///
/// # Errors
/// When the file is no component, or has a signature that cannot be read.
pub fn signatures_of(file: &Path) -> Result<Vec<SignedBy>, SignFailure> {
    let bytes = read_component(file)?;
    let signed = signatures(file, &bytes).map(|(content, signatures)| signatures.judge(content));
    signed.map_err(|failure| SignFailure::Untrusted { path: file.into(), failure })
}

/// The content of the component in `bytes`, which were read from `file`, and who signed it.
pub(super) fn verify_bytes<'a>(
    file: &Path,
    bytes: &'a [u8],
    trusted: &[PublicKey],
) -> Result<(&'a [u8], PublicKey), TrustFailure> {
    if trusted.is_empty() {
        return Err(TrustFailure::NoTrustedKey);
    }
    let (content, signatures) = signatures(file, bytes)?;
    if signatures.is_empty() {
        return Err(TrustFailure::Unsigned);
    }
    Ok((content, signatures.verify(content, trusted)?))
}

/// The content of the component in `bytes`, and the signatures in it and beside `file`.
fn signatures<'a>(file: &Path, bytes: &'a [u8]) -> Result<(&'a [u8], Signatures), TrustFailure> {
    let (content, embedded) =
        envelope::split(bytes).map_err(|error| TrustFailure::Malformed { reason: error.to_string() })?;
    let detached = read_detached(file)?;
    let mut signatures = Signatures::default();
    for text in [embedded, detached.as_deref()].into_iter().flatten() {
        signatures.extend(Signatures::parse(text)?);
    }
    Ok((content, signatures))
}

fn read_detached(file: &Path) -> Result<Option<Vec<u8>>, TrustFailure> {
    let path = signature_path(file);
    let mut text = Vec::new();
    let read =
        File::open(&path).and_then(|open| open.take(MOST_TEXT_BYTES as u64 + 1).read_to_end(&mut text));
    match read {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(TrustFailure::Malformed { reason: format!("{} cannot be read: {error}", path.display()) })
        }
    }
}

fn read_component(file: &Path) -> Result<Vec<u8>, SignFailure> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(MOST_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|source| SignFailure::Io { path: file.into(), source })?;
    if bytes.starts_with(COMPONENT) {
        Ok(bytes)
    } else {
        Err(SignFailure::NotAComponent { path: file.into() })
    }
}

/// Writes a file that appears whole or not at all, as readable as the one that it replaces, or as any new file.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Through a symbolic link the file behind it is written, as every other program does.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new();
    #[cfg(unix)]
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = file.tempfile_in(folder)?;
    if let Ok(before) = fs::metadata(path) {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        dir: tempfile::TempDir,
        author: PrivateKey,
    }

    impl Case {
        fn new() -> Self {
            let case = Self { dir: tempfile::tempdir().unwrap(), author: PrivateKey::generate().unwrap() };
            fs::write(case.file(), wat::parse_str("(component (core module (func)))").unwrap()).unwrap();
            case
        }

        fn file(&self) -> PathBuf {
            self.dir.path().join("node.wasm")
        }

        fn verify(&self) -> Result<PublicKey, TrustFailure> {
            match verify_file(&self.file(), &[self.author.public()]) {
                Ok(key) => Ok(key),
                Err(SignFailure::Untrusted { failure, .. }) => Err(failure),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn both_kinds_of_signature_verify_and_any_changed_byte_of_the_component_does_not() {
        for detached in [false, true] {
            let case = Case::new();
            let unsigned = fs::read(case.file()).unwrap();
            assert_eq!(case.verify(), Err(TrustFailure::Unsigned));
            let signed = sign_file(&case.file(), &case.author, detached).unwrap();
            assert_eq!(signed.keys, [case.author.public()]);
            assert_eq!(case.verify(), Ok(case.author.public()));
            let whole = fs::read(case.file()).unwrap();
            assert_eq!(whole == unsigned, detached, "a detached signature leaves the file alone");
            // The header is not the signature's to guard: without it this is no component.
            for position in COMPONENT.len()..unsigned.len() {
                let mut changed = whole.clone();
                changed[position] ^= 0x20;
                fs::write(case.file(), changed).unwrap();
                assert!(case.verify().is_err(), "byte {position} was not noticed");
            }
        }
    }

    #[test]
    fn signing_twice_leaves_one_signature_and_a_second_key_adds_one() {
        let case = Case::new();
        sign_file(&case.file(), &case.author, false).unwrap();
        let once = fs::read(case.file()).unwrap();
        sign_file(&case.file(), &case.author, false).unwrap();
        assert_eq!(fs::read(case.file()).unwrap(), once);
        let reviewer = PrivateKey::generate().unwrap();
        let signed = sign_file(&case.file(), &reviewer, false).unwrap();
        assert_eq!(signed.keys, [case.author.public(), reviewer.public()]);
        assert_eq!(case.verify(), Ok(case.author.public()));
    }

    #[test]
    fn everybody_who_signed_is_told_and_whether_it_was_this_content() {
        let case = Case::new();
        assert_eq!(signatures_of(&case.file()).unwrap(), []);
        let reviewer = PrivateKey::generate().unwrap();
        sign_file(&case.file(), &case.author, false).unwrap();
        sign_file(&case.file(), &reviewer, true).unwrap();
        let both =
            |is_of_this| [&case.author, &reviewer].map(|key| SignedBy { key: key.public(), is_of_this });
        assert_eq!(signatures_of(&case.file()).unwrap(), both(true));
        // Another custom section's content: still a component, but another one.
        let mut altered = fs::read(case.file()).unwrap();
        let end_of_header = COMPONENT.len();
        altered.splice(end_of_header..end_of_header, [0, 2, 1, b'x']);
        fs::write(case.file(), altered).unwrap();
        assert_eq!(signatures_of(&case.file()).unwrap(), both(false));
        fs::write(signature_path(&case.file()), "none").unwrap();
        assert!(matches!(signatures_of(&case.file()), Err(SignFailure::Untrusted { .. })));
    }

    #[test]
    fn a_detached_signature_that_is_none_is_malformed_and_nobody_to_trust_is_told() {
        let case = Case::new();
        fs::write(signature_path(&case.file()), "-----BEGIN SIGNATURE-----").unwrap();
        assert!(matches!(case.verify(), Err(TrustFailure::Malformed { .. })));
        let error = verify_file(&case.file(), &[]).unwrap_err();
        assert!(error.to_string().contains("`trust.trusted_keys`"), "{error}");
        sign_file(&case.file(), &case.author, true).unwrap();
        assert_eq!(case.verify(), Ok(case.author.public()), "it was replaced");
    }

    #[test]
    fn what_is_no_component_is_not_signed() {
        let case = Case::new();
        fs::write(case.file(), b"\0asm\x01\0\0\0").unwrap();
        let error = sign_file(&case.file(), &case.author, false).unwrap_err();
        assert!(matches!(error, SignFailure::NotAComponent { .. }), "{error}");
    }
}
