//! Why a component is not trusted. Each case has its own remedy.

use super::key::PublicKey;

/// Why a component's signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFailure {
    /// There is no signature, neither in the file nor beside it.
    #[error(
        "is not signed, and only signed components are trusted: get a signed one from its author, or look at it and \
         sign it yourself with `remotemedia node sign`"
    )]
    Unsigned,
    /// Nobody who signed it is trusted.
    #[error(
        "is signed by a key that is not trusted ({}): if that is its author's, add it to `trust.trusted_keys` of the policy",
        shown(keys)
    )]
    UnknownKey {
        /// Who signed it.
        keys: Vec<PublicKey>,
    },
    /// A trusted key signed another content.
    #[error("was altered after {key} signed it: get the file again from its author, and do not run this one")]
    Altered {
        /// Who signed what it was before.
        key: PublicKey,
    },
    /// What should be a signature is none.
    #[error(
        "has a signature that cannot be read: {reason}. Get the file again, or have its author sign it again"
    )]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// There is nobody to trust.
    #[error(
        "cannot be trusted, because no key is: give --key, or list keys in `trust.trusted_keys` of the policy"
    )]
    NoTrustedKey,
}

fn shown(keys: &[PublicKey]) -> String {
    let keys: Vec<String> = keys.iter().map(PublicKey::to_string).collect();
    keys.join(", ")
}
