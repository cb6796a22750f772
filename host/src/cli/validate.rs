//! `validate`: everything that is wrong with a manifest, or that nothing is.

use std::path::Path;

use crate::Host;
use serde_json::json;

use super::console;
use super::failure::Failure;

pub fn validate(host: &Host, path: &Path, as_json: bool) -> Result<(), Failure> {
    let manifest = host.load_manifest(path)?;
    let plan = host.plan(&manifest).map_err(|errors| Failure::plan(&path.display().to_string(), &errors))?;
    for notice in plan.notices() {
        if !as_json {
            console::tell(&format!("note: {notice}"));
        }
    }
    if as_json {
        return console::write_json(&json!({
            "status": "ok",
            "name": plan.graph().name(),
            "nodes": plan.graph().nodes().len(),
            "connections": plan.graph().edges().len(),
            "notices": plan.notices(),
        }));
    }
    console::write(&format!(
        "{}: ok ({} nodes, {} connections)\n",
        path.display(),
        plan.graph().nodes().len(),
        plan.graph().edges().len()
    ))
}
