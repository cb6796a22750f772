//! `lock`: writes down what the components of a manifest hold.

use std::path::Path;

use crate::Host;
use crate::report::{Align, Table};
use serde_json::json;

use super::console;
use super::failure::Failure;

pub fn lock(host: &Host, manifest: &Path, as_json: bool) -> Result<(), Failure> {
    let locked = host.lock(manifest)?;
    if as_json {
        return console::write_json(
            &json!({"status": "ok", "path": locked.path, "components": locked.components}),
        );
    }
    let mut table = Table::new(&[
        ("COMPONENT", Align::Left),
        ("TYPE", Align::Left),
        ("VERSION", Align::Left),
        ("SHA-256", Align::Left),
    ]);
    for component in &locked.components {
        table.row([&component.path, &component.node_type, &component.version, &component.sha256]);
    }
    console::write(&format!("{table}wrote {}\n", locked.path.display()))
}
