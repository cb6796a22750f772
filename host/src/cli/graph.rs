//! `graph`: draws a manifest.

use std::io::Write;
use std::path::Path;

use crate::Host;
use crate::media::{MediaError, OutputFile};
use crate::report::{GraphView, to_dot, to_mermaid, to_svg};
use serde_json::json;

use super::console;
use super::failure::Failure;

pub fn graph(host: &Host, path: &Path, output: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let draw = match output {
        None => to_mermaid,
        Some(output) => drawing_of(output)?,
    };
    let manifest = host.load_manifest(path)?;
    let plan = host.plan(&manifest).map_err(|errors| Failure::plan(&path.display().to_string(), &errors))?;
    let picture = draw(&GraphView::of(&plan));
    let Some(output) = output else {
        return if as_json {
            console::write_json(&json!({"status": "ok", "mermaid": picture}))
        } else {
            console::write(&picture)
        };
    };
    write_file(output, &picture)?;
    if as_json {
        console::write_json(&json!({"status": "ok", "path": output}))
    } else {
        console::write(&format!("wrote {}\n", output.display()))
    }
}

fn drawing_of(output: &Path) -> Result<fn(&GraphView) -> String, Failure> {
    match output.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Ok(to_svg),
        Some("dot" | "gv") => Ok(to_dot),
        Some("mmd" | "mermaid") => Ok(to_mermaid),
        _ => Err(Failure::usage(format!(
            "`{}` says no drawing format: name it .svg, .dot or .mmd",
            output.display()
        ))),
    }
}

/// Writes a text file that appears whole or not at all.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = OutputFile::create(path).map_err(|error| Failure::unreadable(&error))?;
    let written = file.write_all(text.as_bytes());
    written.map_err(|source| Failure::media(&MediaError::io("write", path, source)))?;
    file.commit().map_err(|error| Failure::media(&error))
}
