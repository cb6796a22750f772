//! Ed25519 keys. A private key lies in a file of its own that only its owner may read; it is never shown, logged or
//! compared, and wiped from memory when it is no longer needed.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_compact::{KeyPair, Seed, Signature};
use zeroize::{Zeroize, Zeroizing};

/// What a public key begins with in text.
const PREFIX: &str = "ed25519:";
const PRIVATE_HEADER: &str = "remotemedia-private-key v1";
/// No key file is longer, in bytes.
const MOST_FILE_BYTES: u64 = 4_096;

/// Who may have signed something. Written `ed25519:` and 32 bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_compact::PublicKey);

/// What signs.
pub struct PrivateKey(KeyPair);

impl Drop for PrivateKey {
    fn drop(&mut self) {
        (*self.0).zeroize();
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFailure {
    /// The system refused.
    #[error("the key file {} cannot be used: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others may read the private key.
    #[error("the key {} can be read by others: run `chmod 600 {0}`; if others had access, make a new one", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// It is not a private key.
    #[error("{} is no private key: `remotemedia node keygen` makes one", path.display())]
    NotPrivate {
        /// Which file.
        path: PathBuf,
    },
    /// It is not a public key. What was found is not shown: it may be a private one.
    #[error("is no public key: write `ed25519:` and 44 characters, as `remotemedia node keygen` prints it")]
    NotPublic,
}

impl PublicKey {
    /// The key in `text`, or else in the file of that name.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_text_or_file(text: &str) -> Result<Self, KeyFailure> {
        if text.trim_start().starts_with(PREFIX) {
            return text.parse();
        }
        let path = Path::new(text);
        read(path)?.parse()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify(message, &Signature::new(*signature)).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyFailure;

    fn from_str(text: &str) -> Result<Self, KeyFailure> {
        let base64 = text.trim().strip_prefix(PREFIX).ok_or(KeyFailure::NotPublic)?;
        let bytes: [u8; 32] = BASE64_STANDARD
            .decode(base64)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(KeyFailure::NotPublic)?;
        let key = ed25519_compact::PublicKey::new(bytes);
        // Also refuses weak ones: anything at all can be a signature of such a key.
        key.validate().map_err(|_| KeyFailure::NotPublic)?;
        Ok(Self(key))
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PREFIX}{}", BASE64_STANDARD.encode(*self.0))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey(of {})", self.public())
    }
}

impl PrivateKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate() -> io::Result<Self> {
        let mut seed = Zeroizing::new([0; Seed::BYTES]);
        getrandom::fill(&mut *seed).map_err(io::Error::other)?;
        Self::from_seed(&seed).ok_or_else(|| io::Error::other("it gives zeros"))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.pk)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When it cannot be read, others may read it too, or it is no private key.
    pub fn read(path: &Path) -> Result<Self, KeyFailure> {
        let text = read_private(path)?;
        let not_private = || KeyFailure::NotPrivate { path: path.into() };
        let base64 = text.trim().strip_prefix(PRIVATE_HEADER).ok_or_else(not_private)?.trim();
        // The decoder wants room for what it estimates.
        let mut seed = Zeroizing::new([0; Seed::BYTES + 4]);
        match BASE64_STANDARD.decode_slice(base64, &mut *seed) {
            Ok(Seed::BYTES) => {}
            _ => return Err(not_private()),
        }
        seed.first_chunk().and_then(Self::from_seed).ok_or_else(not_private)
    }

    fn from_seed(seed: &[u8; Seed::BYTES]) -> Option<Self> {
        KeyPair::try_from_seed(Seed::new(*seed)).ok().map(Self)
    }

    /// Writes the key into a new file that only its owner may read.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFailure> {
        let base64 = Zeroizing::new(BASE64_STANDARD.encode(&self.0[..Seed::BYTES]));
        let text = Zeroizing::new(format!("{PRIVATE_HEADER}\n{}\n", base64.as_str()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let io = |source| KeyFailure::Io { path: path.into(), source };
        let mut file = options.open(path).map_err(io)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|source| {
            // Half a key is none.
            drop(fs::remove_file(path));
            io(source)
        })
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        *self.0.sk.sign(message, None)
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyFailure> {
    let io = |source| KeyFailure::Io { path: path.into(), source };
    read_open(fs::File::open(path).map_err(io)?).map_err(io)
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyFailure> {
    let io = |source| KeyFailure::Io { path: path.into(), source };
    let file = fs::File::open(path).map_err(io)?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&file.metadata().map_err(io)?) & 0o077 != 0 {
        return Err(KeyFailure::Exposed { path: path.into() });
    }
    read_open(file).map_err(io)
}

fn read_open(file: fs::File) -> io::Result<Zeroizing<String>> {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST_FILE_BYTES as usize));
    file.take(MOST_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_which_only_its_owner_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("author.key");
        let key = PrivateKey::generate().unwrap();
        key.write_new(&path).unwrap();
        assert_eq!(PrivateKey::read(&path).unwrap().public(), key.public());
        assert!(matches!(key.write_new(&path), Err(KeyFailure::Io { .. })), "a key is never overwritten");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let error = PrivateKey::read(&path).unwrap_err();
            assert!(matches!(error, KeyFailure::Exposed { .. }), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn the_public_key_and_signature_are_those_of_rfc_8032() {
        // Test 2 of RFC 8032, section 7.1.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = hex(concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ));
        let key = PrivateKey::from_seed(&seed.try_into().unwrap()).unwrap();
        assert_eq!(key.public().to_string(), format!("ed25519:{}", BASE64_STANDARD.encode(public)));
        assert_eq!(key.sign(&[0x72]).to_vec(), signature);
        assert!(key.public().verifies(&[0x72], &signature.clone().try_into().unwrap()));
        assert!(!key.public().verifies(&[0x73], &signature.try_into().unwrap()));
    }

    #[test]
    fn what_is_no_key_says_so_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("author.key");
        PrivateKey::generate().unwrap().write_new(&path).unwrap();
        let secret = fs::read_to_string(&path).unwrap();
        let error = PublicKey::from_text_or_file(path.to_str().unwrap()).unwrap_err().to_string();
        let secret = secret.lines().nth(1).unwrap();
        assert!(error.contains("no public key") && !error.contains(secret), "{error}");
        assert!(!format!("{:?}", PrivateKey::read(&path).unwrap()).contains(secret));
        for text in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", "ed25519:!!!"] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
        // The neutral element: it "verifies" signatures of anything.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(format!("ed25519:{}", BASE64_STANDARD.encode(neutral)).parse::<PublicKey>().is_err());
        let public = dir.path().join("author.pub");
        let key = PrivateKey::read(&path).unwrap().public();
        fs::write(&public, format!("{key}\n")).unwrap();
        assert_eq!(PublicKey::from_text_or_file(public.to_str().unwrap()).unwrap(), key);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "remotemedia-private-key v1\nAAAA\n").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(matches!(PrivateKey::read(&path), Err(KeyFailure::NotPrivate { .. })));
    }
}
