//! `nodes`: the node types there are, and one in detail.

use std::path::Path;

use crate::Host;
use crate::report::{Align, Table};
use remotemedia_core::manifest::nearest_name;
use remotemedia_core::{NodeDescriptor, NodeError, NodeManifest, RuntimeKind};
use serde_json::{Value, json};

use super::args::NodesCommand;
use super::console;
use super::failure::Failure;
use super::plan::ports;

pub fn nodes(host: &Host, command: &NodesCommand, as_json: bool) -> Result<(), Failure> {
    match command {
        NodesCommand::List => list(host, as_json),
        NodesCommand::Describe { node_type } => {
            let (runtime, descriptor) = describe(host, node_type)?;
            if as_json {
                console::write_json(&json!({"status": "ok", "runtime": runtime, "descriptor": descriptor}))
            } else {
                console::write(&details(runtime, &descriptor))
            }
        }
    }
}

fn list(host: &Host, as_json: bool) -> Result<(), Failure> {
    let nodes = host.native_nodes();
    if as_json {
        return console::write_json(&json!({"status": "ok", "nodes": nodes}));
    }
    let mut table = Table::new(&[
        ("TYPE", Align::Left),
        ("IN", Align::Left),
        ("OUT", Align::Left),
        ("SUMMARY", Align::Left),
    ]);
    for node in nodes {
        table.row([node.node_type.clone(), ports(&node.inputs), ports(&node.outputs), node.summary.clone()]);
    }
    console::write(&table.to_string())
}

fn describe(host: &Host, node_type: &str) -> Result<(RuntimeKind, NodeDescriptor), Failure> {
    let unreadable = |error: NodeError| {
        let trace = error.trace.as_ref().map_or(String::new(), |trace| format!("\n{}", trace.trim_end()));
        Failure::usage(format!("{}{trace}", error.message))
    };
    if Path::new(node_type).extension().is_some_and(|extension| extension == "wasm") {
        let descriptor = host.describe_component(Path::new(node_type)).map_err(unreadable)?;
        return Ok((RuntimeKind::Wasm, descriptor));
    }
    let mut node = NodeManifest::new("node", node_type);
    node.base_dir = ".".into();
    let kind = if node_type.contains(':') { RuntimeKind::Cpython } else { RuntimeKind::Native };
    if let Some(descriptor) = host.describe(kind, &node).map_err(unreadable)? {
        return Ok((kind, descriptor));
    }
    let names: Vec<&str> = host.native_nodes().iter().map(|node| node.node_type.as_str()).collect();
    let nearest = nearest_name(node_type, names.iter().copied())
        .map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
    Err(Failure::usage(format!(
        "there is no native node `{node_type}`{nearest} (Python classes are named `module:Class`, components by \
         their .wasm file)"
    )))
}

pub(super) fn details(runtime: RuntimeKind, node: &NodeDescriptor) -> String {
    let mut text = format!("{} {} ({runtime})\n{}\n", node.node_type, node.version, node.summary);
    let mut traits = Vec::new();
    if node.stateless {
        traits.push("stateless");
    }
    if node.heavy {
        traits.push("heavy: runs in a stage of its own");
    }
    if !traits.is_empty() {
        text.push_str(&format!("{}\n", traits.join(", ")));
    }
    for (heading, list) in [("inputs", &node.inputs), ("outputs", &node.outputs)] {
        let list: Vec<String> =
            list.iter().map(|port| format!("{} ({})", port.name, port.kind.name())).collect();
        text.push_str(&format!(
            "\n{heading}: {}",
            if list.is_empty() { "none".into() } else { list.join(", ") }
        ));
    }
    text.push_str("\n\n");
    match params_table(&node.params_schema) {
        Some(table) => text.push_str(&table),
        None => text.push_str("It takes no params.\n"),
    }
    text
}

fn params_table(schema: &Value) -> Option<String> {
    let properties = schema.get("properties")?.as_object().filter(|properties| !properties.is_empty())?;
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut table = Table::new(&[
        ("PARAM", Align::Left),
        ("TYPE", Align::Left),
        ("DEFAULT", Align::Left),
        ("MEANING", Align::Left),
    ]);
    for (name, param) in properties {
        let default = match param.get("default") {
            Some(default) => default.to_string(),
            None if required.contains(&name.as_str()) => "(required)".into(),
            None => "–".into(),
        };
        let meaning = param.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        table.row([name.clone(), type_of(param, schema), default, meaning]);
    }
    Some(table.to_string())
}

/// A param's type in a few characters, with its range.
fn type_of(param: &Value, schema: &Value) -> String {
    if let Some(reference) = param.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
        return target.map_or_else(|| "any".into(), |target| type_of(target, schema));
    }
    if let Some(values) = param.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join(" | ");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = param.get(key).and_then(Value::as_array) {
            let choices: Vec<String> = choices.iter().map(|choice| type_of(choice, schema)).collect();
            return choices.join(" | ");
        }
    }
    if let Some(constant) = param.get("const") {
        return constant.to_string();
    }
    let name = match param.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        _ => "any".into(),
    };
    match (param.get("minimum"), param.get("maximum")) {
        (Some(least), Some(most)) => format!("{name} {least}…{most}"),
        (Some(least), None) => format!("{name} ≥ {least}"),
        (None, Some(most)) => format!("{name} ≤ {most}"),
        (None, None) => name,
    }
}
