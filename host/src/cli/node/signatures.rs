//! Who signed a component, and whether we trust them: the part of `node inspect` about signatures. It refuses nothing;
//! `node verify` and the policy do.

use std::path::Path;

use crate::trust::{PublicKey, SignFailure, SignedBy, signatures_of};
use serde_json::{Value, json};

/// What is known of a component's signatures, beside the keys that we trust.
pub(super) struct Signatures {
    found: Result<Vec<SignedBy>, String>,
    trusted: Vec<PublicKey>,
}

impl Signatures {
    /// Those of `file`; none when it is no component, which nobody can sign.
    pub fn of(file: &Path, trusted: Vec<PublicKey>) -> Option<Self> {
        let found = match signatures_of(file) {
            Err(SignFailure::NotAComponent { .. }) => return None,
            Err(SignFailure::Untrusted { failure, .. }) => Err(failure.to_string()),
            other => other.map_err(|error| error.to_string()),
        };
        Some(Self { found, trusted })
    }

    /// One word for all of them: what `node verify` would make of the file.
    pub fn verdict(&self) -> &'static str {
        let Ok(found) = &self.found else { return "unreadable" };
        let mut of_trusted = found.iter().filter(|one| self.trusts(one)).peekable();
        match (found.is_empty(), of_trusted.peek().is_some(), of_trusted.any(|one| one.is_of_this)) {
            (true, _, _) => "unsigned",
            (_, false, _) => "untrusted",
            (_, true, false) => "altered",
            (_, true, true) => "verified",
        }
    }

    pub fn to_json(&self) -> Value {
        let keys = self.found.as_ref().map_or(&[][..], Vec::as_slice).iter().map(|one| {
            json!({"key": one.key.to_string(), "trusted": self.trusts(one), "signed_this": one.is_of_this})
        });
        json!({
            "verdict": self.verdict(),
            "keys": keys.collect::<Vec<_>>(),
            "unreadable": self.found.as_ref().err(),
        })
    }

    /// A line for each key; one line where there is none.
    pub fn lines(&self) -> Vec<String> {
        match &self.found {
            Err(reason) => vec![format!("the file {reason}")],
            Ok(found) if found.is_empty() => vec!["unsigned".into()],
            Ok(found) => found.iter().map(|one| format!("{}: {}", one.key, self.words(one))).collect(),
        }
    }

    fn words(&self, one: &SignedBy) -> &'static str {
        match (one.is_of_this, self.trusts(one), self.trusted.is_empty()) {
            (false, _, _) => "DOES NOT FIT: the component was altered after it was signed",
            (true, true, _) => "fits, and the key is trusted",
            (true, false, true) => "fits; to see whose key it is, give --key or list keys in the policy",
            (true, false, false) => "fits, but the key is not trusted",
        }
    }

    fn trusts(&self, one: &SignedBy) -> bool {
        self.trusted.contains(&one.key)
    }
}
