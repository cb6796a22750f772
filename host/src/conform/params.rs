//! Checks `valid_params` and `invalid_params`: params made from the schema, its ranges' ends first.

use remotemedia_core::manifest::Schema;
use remotemedia_core::{ErrorKind, RuntimeKind};
use serde_json::{Map, Value};

use super::param_values::{edges, random, wrong};
use super::recording::Recording;
use super::report::Outcome;
use super::running::Fault;
use super::stream::{BLOCK, Random};
use super::subject::Subject;

type Params = Map<String, Value>;

pub(super) fn valid(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let schema = &subject.descriptor.params_schema;
    let Ok(compiled) = Schema::compile(schema.clone()) else {
        return Ok(Outcome::fail("the params schema is no JSON Schema"));
    };
    let mut sets = vec![subject.node.params.clone()];
    sets.extend(around(&subject.node.params, schema));
    sets.extend(some_valid(schema, subject.effort.param_sets / 2));
    sets.retain(|set| compiled.check(&Value::Object(set.clone()), "$").is_empty());
    sets.truncate(subject.effort.param_sets);
    let (mut ran, mut refused) = (0, 0);
    for set in &sets {
        match try_params(subject, set) {
            Ok(()) => ran += 1,
            Err(fault) if fault.kind() == Some(ErrorKind::InvalidParams) || fault.is_refused_input() => {
                refused += 1
            }
            Err(fault) => return Ok(Outcome::fail(format!("params {}: {fault}", shown(set)))),
        }
    }
    if ran == 0 {
        return Ok(Outcome::fail(format!(
            "none of {} sets of params that the schema allows works",
            sets.len()
        )));
    }
    Ok(Outcome::pass(format!("{ran} of {} sets ran, {refused} were refused in words", sets.len()))
        .number("ran", ran)
        .number("refused", refused))
}

/// Creates a node and lets it work on a little.
fn try_params(subject: &Subject<'_>, params: &Params) -> Result<(), Fault> {
    let mut running = subject.start_with(params.clone())?;
    let mut recording = Recording::default();
    for feed in subject.stream(&subject.recipe(2 * BLOCK))? {
        running.feed(feed, &mut recording)?;
    }
    running.flush(&mut recording)
}

pub(super) fn invalid(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    let schema = &subject.descriptor.params_schema;
    let Ok(compiled) = Schema::compile(schema.clone()) else {
        return Ok(Outcome::fail("the params schema is no JSON Schema"));
    };
    // The host checks a class's annotations before it makes an object; a Python class need not do it again.
    let host_checks = matches!(subject.runtime_kind(), RuntimeKind::Cpython | RuntimeKind::CpythonWasm);
    let (mut refused, mut left_to_host) = (0, 0);
    for set in wrong_sets(&subject.node.params, schema) {
        if compiled.check(&Value::Object(set.clone()), "$").is_empty() {
            continue;
        }
        match subject.start_with(set.clone()) {
            Err(fault) if fault.kind() == Some(ErrorKind::InvalidParams) => refused += 1,
            Err(Fault::Error(_)) | Ok(_) if host_checks => left_to_host += 1,
            Err(fault) => {
                let text = format!("params {} are not refused as params: {fault}", shown(&set));
                return Ok(Outcome::fail(text));
            }
            Ok(_) => {
                let text = format!("params {} are taken, and the schema forbids them", shown(&set));
                return Ok(Outcome::fail(text));
            }
        }
    }
    if refused + left_to_host == 0 {
        return Ok(Outcome::not_applicable("the schema forbids nothing"));
    }
    let left = if left_to_host > 0 {
        format!(", {left_to_host} left to the host's own check")
    } else {
        String::new()
    };
    Ok(Outcome::pass(format!("{refused} sets refused as params{left}")).number("refused", refused))
}

/// `base` with one param after the other at each end of its range.
fn around(base: &Params, schema: &Value) -> Vec<Params> {
    let mut sets = Vec::new();
    for (name, param) in properties(schema) {
        for value in edges(param, schema, 0) {
            let mut set = base.clone();
            set.insert(name.clone(), value);
            sets.push(set);
        }
    }
    sets
}

/// Whole sets of params that the schema allows: required ones always, others by chance.
pub(super) fn some_valid(schema: &Value, count: usize) -> Vec<Params> {
    let Ok(compiled) = Schema::compile(schema.clone()) else { return Vec::new() };
    let mut chance = Random::new(7);
    let required = required(schema);
    let mut sets = Vec::new();
    for at in 0..count {
        let mut set = Map::new();
        for (name, param) in properties(schema) {
            // The first sets hold what is required and nothing else.
            if required.contains(&name.as_str()) || (at >= count / 3 && chance.below(2) == 0) {
                set.insert(name.clone(), random(param, schema, &mut chance, 0));
            }
        }
        sets.push(set);
    }
    sets.retain(|set| compiled.check(&Value::Object(set.clone()), "$").is_empty());
    sets
}

/// `base` with one thing wrong.
fn wrong_sets(base: &Params, schema: &Value) -> Vec<Params> {
    let mut sets = Vec::new();
    for (name, param) in properties(schema) {
        for value in wrong(param, schema) {
            let mut set = base.clone();
            set.insert(name.clone(), value);
            sets.push(set);
        }
    }
    for name in required(schema) {
        let mut set = base.clone();
        set.remove(name);
        sets.push(set);
    }
    let mut unknown = base.clone();
    unknown.insert("no_such_param".into(), Value::from(1));
    sets.push(unknown);
    sets
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn required(schema: &Value) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn shown(params: &Params) -> String {
    let text = Value::Object(params.clone()).to_string();
    if text.chars().count() > 160 {
        format!("{}…", text.chars().take(160).collect::<String>())
    } else {
        text
    }
}
