//! `node build`: the component, where it is and what it is.

use std::path::Path;

use crate::Host;
use crate::kit::{self, Project};
use serde_json::json;

use super::inspect::size;
use crate::cli::console;
use crate::cli::failure::Failure;
use crate::cli::plan::ports;

pub fn build(host: &Host, dir: &Path, as_json: bool) -> Result<(), Failure> {
    let built = kit::build(host, &Project::open(dir)?)?;
    let (component, node) = (built.component.display().to_string(), &built.descriptor);
    if as_json {
        return console::write_json(&json!({
            "status": "ok",
            "component": component,
            "bytes": built.bytes,
            "descriptor": node,
        }));
    }
    console::write(&format!(
        "built {component}\n  {} {}: {} → {}, {}\n",
        node.node_type,
        node.version,
        ports(&node.inputs),
        ports(&node.outputs),
        size(built.bytes)
    ))
}
