//! `node sign`: puts a signature into a component, or beside it.

use remotemedia_host::trust::{PrivateKey, sign_file};
use serde_json::json;

use super::args::SignArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn sign(args: &SignArgs, as_json: bool) -> Result<(), Failure> {
    let key = PrivateKey::read(&args.key)?;
    let signed = sign_file(&args.file, &key, args.detached)?;
    let keys: Vec<String> = signed.keys.iter().map(ToString::to_string).collect();
    if as_json {
        return console::write_json(&json!({"status": "ok", "written": signed.written, "keys": keys}));
    }
    console::write(&format!("wrote {}, signed by {}\n", signed.written.display(), keys.join(", ")))
}
