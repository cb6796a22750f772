//! Which components may run: pins (exactly this file), and signatures (whoever holds that key vouches for it).
//!
//! Everything is checked on the very bytes that are compiled afterwards, and before they are. The signature itself
//! is cut off first: the compiler never sees it.

mod digest;
mod envelope;
mod failure;
mod key;
mod signature;
mod signed_file;

use std::path::Path;

use remotemedia_core::manifest::ComponentPin;
use remotemedia_core::policy::Trust;
use remotemedia_core::{ErrorKind, NodeError};

pub(crate) use digest::check_pin;
pub use digest::{Sha256, sha256};
pub use failure::TrustFailure;
pub use key::{KeyFailure, PrivateKey, PublicKey};
pub use signature::SignedBy;
pub use signed_file::{SignFailure, SignedFile, sign_file, signature_path, signatures_of, verify_file};

/// The part of the component in `bytes` that may be compiled.
///
/// # Errors
/// `PermissionDenied` when the policy wants a signature, and there is none that counts.
pub(crate) fn approve<'a>(trust: &Trust, file: &Path, bytes: &'a [u8]) -> Result<&'a [u8], NodeError> {
    let denied = |failure: TrustFailure| {
        NodeError::new(ErrorKind::PermissionDenied, format!("{} {failure}", file.display()))
    };
    if !trust.require_signature {
        // A signature that nobody asked for is a custom section like any other.
        return Ok(envelope::split(bytes).map_or(bytes, |(content, _)| content));
    }
    let keys = trusted(&trust.trusted_keys)?;
    let (content, _) = signed_file::verify_bytes(file, bytes, &keys).map_err(denied)?;
    Ok(content)
}

fn trusted(keys: &[String]) -> Result<Vec<PublicKey>, NodeError> {
    let parsed = keys.iter().enumerate().map(|(index, key)| {
        key.parse().map_err(|error: KeyFailure| {
            NodeError::new(
                ErrorKind::Unavailable,
                format!("the policy's trust.trusted_keys[{index}] {error}"),
            )
        })
    });
    parsed.collect()
}

/// Refuses a component without a pin of the lock file where the policy wants one.
///
/// # Errors
/// `PermissionDenied`, with the command that mends it.
pub(crate) fn check_locked(trust: &Trust, file: &Path, pin: Option<&ComponentPin>) -> Result<(), NodeError> {
    use remotemedia_core::manifest::PinnedBy;
    if !trust.require_lock || pin.is_some_and(|pin| pin.pinned_by == PinnedBy::Lock) {
        return Ok(());
    }
    Err(NodeError::new(
        ErrorKind::PermissionDenied,
        format!(
            "{} is not locked, and --locked or `trust.require_lock` of the policy runs locked components only: look at \
             it, then write remotemedia.lock with `remotemedia lock PIPELINE`",
            file.display()
        ),
    ))
}
