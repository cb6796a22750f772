//! `node new`: makes the folder and says what comes next.

use std::path::Path;

use crate::kit;
use serde_json::json;

use super::args::NewArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn new(args: &NewArgs, as_json: bool) -> Result<(), Failure> {
    let folder = kit::create(Path::new(""), &args.name, args.lang.into())?;
    if as_json {
        return console::write_json(&json!({"status": "ok", "folder": folder.display().to_string()}));
    }
    console::write(&format!(
        "made {0}\nnext:\n  cd {0}\n  remotemedia node build\n  remotemedia node test\n",
        folder.display()
    ))
}
