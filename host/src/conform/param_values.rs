//! Values for one param out of its schema: the ends of its range, any within, and some without. What they are used
//! for, and whether the schema really allows or forbids them, is the business of `params`.

use serde_json::{Map, Value, json};

use super::stream::Random;

/// Schemas refer to themselves; values need not be deep.
const DEEPEST: usize = 4;

/// The forms that a schema allows, with references and alternatives taken apart.
fn forms<'a>(schema: &'a Value, root: &'a Value, depth: usize) -> Vec<&'a Value> {
    if depth > DEEPEST {
        return Vec::new();
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or_else(Vec::new, |target| forms(target, root, depth + 1));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            return choices.iter().flat_map(|choice| forms(choice, root, depth + 1)).collect();
        }
    }
    vec![schema]
}

/// The types that a plain form allows; all when it names none.
fn types(form: &Value) -> Vec<&str> {
    match form.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec!["number", "string", "boolean", "array", "object"],
    }
}

/// The least and the most that a form allows of a number.
fn range(form: &Value) -> (Option<f64>, Option<f64>) {
    let bound = |name: &str| form.get(name).and_then(Value::as_f64);
    (bound("minimum").or(bound("exclusiveMinimum")), bound("maximum").or(bound("exclusiveMaximum")))
}

fn whole(value: f64) -> Value {
    if value >= 0.0 { json!(value as u64) } else { json!(value as i64) }
}

/// The values at the ends: of ranges, of types, of lengths, and the default.
pub(super) fn edges(schema: &Value, root: &Value, depth: usize) -> Vec<Value> {
    let mut values: Vec<Value> = schema.get("default").cloned().into_iter().collect();
    for form in forms(schema, root, depth) {
        if let Some(constant) = form.get("const") {
            values.push(constant.clone());
        } else if let Some(list) = form.get("enum").and_then(Value::as_array) {
            values.extend(list.iter().cloned());
        } else {
            for name in types(form) {
                values.extend(edges_of_type(name, form, root, depth));
            }
        }
    }
    values
}

fn edges_of_type(name: &str, form: &Value, root: &Value, depth: usize) -> Vec<Value> {
    let (least, most) = range(form);
    match name {
        "number" => {
            let middle = least.zip(most).map(|(least, most)| least + (most - least) / 2.0);
            let unbounded = [Some(0.0), least.is_none().then_some(-1e9), most.is_none().then_some(1e9)];
            let extreme = [least.is_none().then_some(f64::MIN), most.is_none().then_some(f64::MAX)];
            [least, most, middle]
                .into_iter()
                .chain(unbounded)
                .chain(extreme)
                .flatten()
                .map(Value::from)
                .collect()
        }
        "integer" => {
            let bounded = [least, most].into_iter().flatten().map(whole);
            let lowest = least.is_none().then(|| json!(i64::MIN));
            let highest = most.is_none().then(|| [json!(i32::MAX), json!(u32::MAX), json!(u64::MAX)]);
            bounded.chain([json!(0), json!(1)]).chain(lowest).chain(highest.into_iter().flatten()).collect()
        }
        "string" => {
            ["", "a", "grüße"].map(Value::from).into_iter().chain([Value::from("x".repeat(1_000))]).collect()
        }
        "boolean" => vec![json!(true), json!(false)],
        "null" => vec![Value::Null],
        "array" => {
            let items = form.get("items").map_or_else(Vec::new, |items| edges(items, root, depth + 1));
            let one = items.first().map(|item| json!([item]));
            [json!([])].into_iter().chain(one).chain([Value::Array(items)]).collect()
        }
        "object" => vec![json!({}), object(form, root, &mut Random::new(3), depth)],
        _ => Vec::new(),
    }
}

/// Any value that a schema allows, as far as its types and ranges tell.
pub(super) fn random(schema: &Value, root: &Value, chance: &mut Random, depth: usize) -> Value {
    let forms = forms(schema, root, depth);
    let Some(form) = forms.get(chance.below(forms.len())) else { return Value::Null };
    if let Some(constant) = form.get("const") {
        return constant.clone();
    }
    if let Some(list) = form.get("enum").and_then(Value::as_array) {
        return list.get(chance.below(list.len())).cloned().unwrap_or_default();
    }
    let types = types(form);
    let (least, most) = range(form);
    let least = least.unwrap_or(if most.is_some_and(|most| most < 0.0) { f64::MIN / 4.0 } else { 0.0 });
    let most = most.unwrap_or(least + 1_000.0);
    match types.get(chance.below(types.len())).copied().unwrap_or_default() {
        "number" => json!(least + (most - least) * chance.fraction()),
        "integer" => whole((least + (most - least) * chance.fraction()).round()),
        "string" => Value::from("abcdefgh"[..chance.below(9)].to_owned()),
        "boolean" => json!(chance.below(2) == 0),
        "array" => {
            let length = chance.below(4);
            let items = form.get("items");
            (0..length).filter_map(|_| Some(random(items?, root, chance, depth + 1))).collect()
        }
        "object" => object(form, root, chance, depth),
        _ => Value::Null,
    }
}

fn object(form: &Value, root: &Value, chance: &mut Random, depth: usize) -> Value {
    let properties = form.get("properties").and_then(Value::as_object);
    let fields = properties.filter(|_| depth < DEEPEST).into_iter().flatten();
    let filled: Map<String, Value> =
        fields.map(|(name, field)| (name.clone(), random(field, root, chance, depth + 1))).collect();
    Value::Object(filled)
}

/// Values of other types, and beyond the ends. Some may be allowed after all.
pub(super) fn wrong(schema: &Value, root: &Value) -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        json!(true),
        json!("no such value"),
        json!(12.5),
        json!(-1),
        json!(1e300),
        json!(-1e300),
        json!([]),
        json!([["nested"]]),
        json!({"no": "object"}),
    ];
    for form in forms(schema, root, 0) {
        let (least, most) = range(form);
        let beyond = |bound: f64, by: f64| {
            let value = bound + by * (bound.abs() * 1e-6).max(1.0);
            if value.fract() == 0.0 && value.abs() < 1e15 { whole(value) } else { json!(value) }
        };
        values.extend(least.map(|least| beyond(least, -1.0)));
        values.extend(most.map(|most| beyond(most, 1.0)));
    }
    values
}
