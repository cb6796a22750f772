//! `node inspect`: everything that can be said about a file, whether this host would run it or not.

use std::path::Path;

use crate::report::{Align, Table};
use crate::{BinaryKind, Host, Inspection, Offer};
use remotemedia_core::{NodeDescriptor, NodeError, RuntimeKind};
use serde_json::{Value, json};

use super::args::InspectArgs;
use super::component;
use super::signatures::Signatures;
use super::verify::trusted;
use crate::cli::console;
use crate::cli::failure::Failure;
use crate::cli::nodes;

pub fn inspect(host: &Host, args: &InspectArgs, as_json: bool) -> Result<(), Failure> {
    let file = component(&args.target)?;
    let inspection = host
        .inspect_component(&file)
        .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", file.display())))?;
    let signatures = Signatures::of(&file, trusted(host, &args.keys)?);
    let described = host.describe_component(&file);
    let text = if as_json {
        let mut found = to_json(&file, &inspection, &described);
        found["signatures"] = signatures.map_or(Value::Null, |signatures| signatures.to_json());
        format!("{found}\n")
    } else {
        to_text(&file, &inspection, signatures.as_ref(), &described)
    };
    console::write(&text)?;
    match described {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::node_check(format!("this host refuses the file: {}", error.message))),
    }
}

/// What the permissions would have to be for every import to work.
fn permissions(inspection: &Inspection) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    for import in &inspection.imports {
        let Offer::Behind(permissions) = import.offer else { continue };
        for permission in permissions {
            if !wanted.contains(permission) {
                wanted.push(*permission);
            }
        }
    }
    wanted
}

fn to_json(file: &Path, inspection: &Inspection, described: &Result<NodeDescriptor, NodeError>) -> Value {
    let imports: Vec<Value> = inspection
        .imports
        .iter()
        .map(|import| match import.offer {
            Offer::Always => json!({"name": import.name, "offered": true, "permissions": []}),
            Offer::Behind(permissions) => {
                json!({"name": import.name, "offered": true, "permissions": permissions})
            }
            Offer::Denied(why) => {
                json!({"name": import.name, "offered": true, "permissions": [], "why": why})
            }
            Offer::Nothing(why) => json!({"name": import.name, "offered": false, "why": why}),
        })
        .collect();
    json!({
        "status": if described.is_ok() { "ok" } else { "refused" },
        "file": file.display().to_string(),
        "kind": inspection.kind.name(),
        "bytes": inspection.bytes,
        "sha256": inspection.sha256,
        "wit_version": inspection.wit_version(),
        "made_with": inspection.makers,
        "imports": imports,
        "exports": inspection.exports,
        "not_listed": inspection.not_listed,
        "permissions": permissions(inspection),
        "damage": inspection.damage,
        "descriptor": described.as_ref().ok(),
        "refused": described.as_ref().err().map(|error| json!({"kind": error.kind, "message": error.message})),
    })
}

fn to_text(
    file: &Path,
    inspection: &Inspection,
    signatures: Option<&Signatures>,
    described: &Result<NodeDescriptor, NodeError>,
) -> String {
    let mut facts = Table::new(&[("FILE", Align::Left), (&file.display().to_string(), Align::Left)]);
    facts.row(["kind", inspection.kind.name()]);
    facts.row(["size".to_owned(), size(inspection.bytes)]);
    facts.row(["sha256", &inspection.sha256]);
    for line in signatures.into_iter().flat_map(Signatures::lines) {
        facts.row(["signature".to_owned(), line]);
    }
    if inspection.kind == BinaryKind::Component {
        facts.row(["WIT version", inspection.wit_version().unwrap_or("none: it does not export a node")]);
        let needed = permissions(inspection);
        facts.row([
            "permissions".to_owned(),
            match needed.is_empty() {
                true => "none".into(),
                false => format!("{} (for its imports, which are empty without)", needed.join(", ")),
            },
        ]);
    }
    if !inspection.makers.is_empty() {
        facts.row(["made with".to_owned(), inspection.makers.join(", ")]);
    }
    if let Some(damage) = &inspection.damage {
        facts.row(["damage", damage]);
    }
    let mut text = facts.to_string();
    if let Ok(descriptor) = described {
        text.push_str(&format!("\n{}", nodes::details(RuntimeKind::Wasm, descriptor)));
    }
    if !inspection.imports.is_empty() {
        text.push_str(&format!("\n{}", imports(inspection)));
    }
    if inspection.not_listed > 0 {
        text.push_str(&format!("… and {} more imports and exports\n", inspection.not_listed));
    }
    text
}

fn imports(inspection: &Inspection) -> Table {
    let mut table = Table::new(&[("IMPORT", Align::Left), ("PERMISSION", Align::Left)]);
    for import in &inspection.imports {
        let offer = match import.offer {
            Offer::Always => "none".to_owned(),
            Offer::Behind(permissions) => format!("{}; empty without it", permissions.join(" or ")),
            Offer::Denied(why) => format!("every call fails: {why}"),
            Offer::Nothing(why) => format!("REFUSED: {why}"),
        };
        table.row([import.name.clone(), offer]);
    }
    table
}

/// `87.3 KiB`, with the bytes.
pub(super) fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    if kib < 1024.0 {
        format!("{kib:.1} KiB ({bytes} bytes)")
    } else {
        format!("{:.1} MiB ({bytes} bytes)", kib / 1024.0)
    }
}
