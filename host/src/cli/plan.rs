//! `plan`: which runtime would run each node, why, in which stage, and what its ports carry.

use std::path::Path;

use crate::Host;
use crate::report::{Align, Table};
use remotemedia_core::PortSpec;
use remotemedia_engine::Plan;
use serde_json::{Value, json};

use super::console;
use super::failure::Failure;

pub fn plan(host: &Host, path: &Path, as_json: bool) -> Result<(), Failure> {
    let manifest = host.load_manifest(path)?;
    let plan = host.plan(&manifest).map_err(|errors| Failure::plan(&path.display().to_string(), &errors))?;
    if as_json { console::write_json(&to_json(&plan)) } else { print(&plan) }
}

fn to_json(plan: &Plan) -> Value {
    let nodes: Vec<Value> = plan
        .graph()
        .nodes()
        .iter()
        .enumerate()
        .map(|(index, node)| {
            let selection = plan.selection(index);
            json!({
                "id": node.manifest.id,
                "node_type": node.manifest.node_type,
                "runtime": selection.kind,
                "reason": selection.reason,
                "fallbacks": selection.fallbacks,
                "stage": plan.stages().of(index),
                "inputs": node.descriptor.inputs,
                "outputs": node.descriptor.outputs,
            })
        })
        .collect();
    json!({
        "status": "ok",
        "name": plan.graph().name(),
        "nodes": nodes,
        "stages": plan.stages().count(),
        "notices": plan.notices(),
    })
}

fn print(plan: &Plan) -> Result<(), Failure> {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("TYPE", Align::Left),
        ("RUNTIME", Align::Left),
        ("STAGE", Align::Right),
        ("IN", Align::Left),
        ("OUT", Align::Left),
        ("REASON", Align::Left),
    ]);
    for (index, node) in plan.graph().nodes().iter().enumerate() {
        let selection = plan.selection(index);
        table.row([
            node.manifest.id.clone(),
            node.manifest.node_type.clone(),
            selection.kind.to_string(),
            plan.stages().of(index).to_string(),
            ports(&node.descriptor.inputs),
            ports(&node.descriptor.outputs),
            selection.reason.clone(),
        ]);
    }
    let mut text = table.to_string();
    for notice in plan.notices() {
        text.push_str(&format!("note: {notice}\n"));
    }
    console::write(&text)
}

/// `audio` for one port, `speech:audio segments:json` for several.
pub(super) fn ports(ports: &[PortSpec]) -> String {
    match ports {
        [] => "–".to_owned(),
        [port] => port.kind.name().to_owned(),
        ports => {
            let named: Vec<String> =
                ports.iter().map(|port| format!("{}:{}", port.name, port.kind.name())).collect();
            named.join(" ")
        }
    }
}
