//! `node sign`: puts a signature into a component, or beside it.

use crate::trust::{PrivateKey, PublicKey, sign_file};
use serde_json::json;

use super::args::SignArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn sign(args: &SignArgs, as_json: bool) -> Result<(), Failure> {
    // The one mistake to expect; a public key may well be read by others, which is what would be told otherwise.
    if args.key.to_str().is_some_and(|path| PublicKey::from_text_or_file(path).is_ok()) {
        return Err(Failure::usage(format!(
            "{} is a public key, and the private one signs: name the file beside it",
            args.key.display()
        )));
    }
    let key = PrivateKey::read(&args.key)?;
    let signed = sign_file(&args.file, &key, args.detached)?;
    let keys: Vec<String> = signed.keys.iter().map(ToString::to_string).collect();
    if as_json {
        return console::write_json(&json!({"status": "ok", "written": signed.written, "keys": keys}));
    }
    console::write(&format!("wrote {}, signed by {}\n", signed.written.display(), keys.join(", ")))
}
