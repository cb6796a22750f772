//! `node keygen`: a pair of keys in two new files.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::trust::{PrivateKey, PublicKey};
use serde_json::json;

use super::args::KeygenArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn keygen(args: &KeygenArgs, as_json: bool) -> Result<(), Failure> {
    let (private, public) = (&args.key, args.key.with_extension("pub"));
    if *private == public {
        return Err(Failure::usage("the private key needs another name: `.pub` is for the public one"));
    }
    let key = PrivateKey::generate()
        .map_err(|error| Failure::output(format!("the system gives no randomness: {error}")))?;
    write_public(&public, key.public()).map_err(|error| {
        let shown = public.display();
        Failure::usage(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("the key file {shown} is already there, and no key is ever overwritten: name another")
            }
            _ => format!("the key file {shown} cannot be written: {error}"),
        })
    })?;
    if let Err(error) = key.write_new(private) {
        // One without the other is of no use.
        let _ = fs::remove_file(&public);
        return Err(error.into());
    }
    if as_json {
        return console::write_json(&json!({
            "status": "ok", "private": private, "public": public, "key": key.public().to_string(),
        }));
    }
    console::write(&format!(
        "wrote {} (keep it secret) and {}\n{}\n",
        private.display(),
        public.display(),
        key.public()
    ))
}

fn write_public(path: &Path, key: PublicKey) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    writeln!(file, "{key}")
}
