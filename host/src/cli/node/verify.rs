//! `node verify`: who signed a component.

use crate::Host;
use crate::trust::{KeyFailure, PublicKey, verify_file};
use serde_json::json;

use super::args::VerifyArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn verify(host: &Host, args: &VerifyArgs, as_json: bool) -> Result<(), Failure> {
    let key = verify_file(&args.file, &trusted(host, &args.keys)?)?;
    if as_json {
        return console::write_json(&json!({"status": "ok", "file": args.file, "key": key.to_string()}));
    }
    console::write(&format!("{}: signed by {key}\n", args.file.display()))
}

/// The keys that were given, or else those that the policy trusts.
pub(super) fn trusted(host: &Host, given: &[String]) -> Result<Vec<PublicKey>, Failure> {
    if given.is_empty() {
        keys(&host.policy().trust.trusted_keys, |key| key.parse())
    } else {
        keys(given, PublicKey::from_text_or_file)
    }
}

fn keys(
    texts: &[String],
    read: impl Fn(&str) -> Result<PublicKey, KeyFailure>,
) -> Result<Vec<PublicKey>, Failure> {
    let read = |text: &String| {
        read(text).map_err(|error| match error {
            KeyFailure::NotPublic => Failure::usage(format!("`{text}` {error}")),
            error => error.into(),
        })
    };
    texts.iter().map(read).collect()
}
