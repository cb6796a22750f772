//! Check `description`: names, ports, summary, schema, and that the answer is the same every time.

use std::collections::HashSet;

use remotemedia_core::PortSpec;
use remotemedia_core::manifest::Schema;
use serde_json::{Map, Value};

use super::report::Outcome;
use super::running::Fault;
use super::subject::Subject;

const LONGEST_SUMMARY: usize = 200;

pub(super) fn description(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let descriptor = &subject.descriptor;
    for _ in 0..2 {
        if subject.describe()?.as_ref() != Some(descriptor) {
            return Ok(Outcome::fail("a second `describe` answers differently"));
        }
    }
    let mut faults = Vec::new();
    if descriptor.node_type.trim().is_empty() {
        faults.push("the node type has no name".to_owned());
    }
    if descriptor.version.trim().is_empty() {
        faults.push("there is no version".to_owned());
    }
    let summary = descriptor.summary.trim();
    if summary.is_empty() || summary.contains('\n') || summary.chars().count() > LONGEST_SUMMARY {
        faults.push(format!(
            "the summary is not one line of at most {LONGEST_SUMMARY} characters: {summary:?}"
        ));
    }
    for (what, ports) in [("input", &descriptor.inputs), ("output", &descriptor.outputs)] {
        port_faults(what, ports, &mut faults);
    }
    schema_faults(&descriptor.params_schema, &mut faults);
    if !faults.is_empty() {
        return Ok(Outcome::fail(faults.join("; ")));
    }
    let params = descriptor.params_schema.get("properties").and_then(Value::as_object).map_or(0, Map::len);
    Ok(Outcome::pass(format!(
        "{} inputs, {} outputs, {params} params",
        descriptor.inputs.len(),
        descriptor.outputs.len()
    )))
}

fn port_faults(what: &str, ports: &[PortSpec], faults: &mut Vec<String>) {
    let mut names = HashSet::new();
    for port in ports {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if port.name.is_empty() || !port.name.chars().all(is_plain) {
            faults.push(format!("the {what} `{}` is not named by letters, digits, `_` and `-`", port.name));
        }
        if !names.insert(&port.name) {
            faults.push(format!("two {what}s are called `{}`", port.name));
        }
    }
}

fn schema_faults(schema: &Value, faults: &mut Vec<String>) {
    let compiled = match Schema::compile(schema.clone()) {
        Ok(compiled) => compiled,
        Err(reason) => return faults.push(format!("the params schema is no JSON Schema: {reason}")),
    };
    if schema.get("type") != Some(&Value::from("object")) {
        faults.push("the params schema is not that of an object".into());
    }
    for (name, param) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let Some(default) = param.get("default") else { continue };
        let params = Value::Object(Map::from_iter([(name.clone(), default.clone())]));
        let at = format!("$.{name}");
        faults.extend(
            compiled
                .check(&params, "$")
                .into_iter()
                .filter(|fault| fault.path.starts_with(&at))
                .map(|fault| format!("the default of `{name}` is not allowed by the schema: {fault}")),
        );
    }
}
