//! Checks a value against a JSON Schema and says what is wrong in sentences: the manifest itself against the
//! schema of its types, and the params of a node against the schema that its type declares.
//!
//! Patterns run on the linear-time regex engine and no reference leaves the schema: a schema may come from a
//! component that nobody trusts.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use jsonschema::{JsonType, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::component::SHA256_PATTERN;
use super::path::{Place, Step};
use super::{ManifestError, nearest};

/// Most faults that are reported of one value; a list that long is not read to its end.
const MOST_FAULTS: usize = 1_000;
/// Longest rendering of a wrong value, in characters.
const LONGEST_SHOWN: usize = 60;

/// Most memory that one compiled pattern may take, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// A JSON Schema made ready for checking.
pub struct Schema {
    schema: Value,
    validator: Validator,
}

impl Schema {
    /// Compiles `schema`.
    ///
    /// # Errors
    /// Says why it is not a JSON Schema.
    pub fn compile(schema: Value) -> Result<Self, String> {
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
            .build(&schema)
            .map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// Whether this is the compiled form of `schema`.
    pub(crate) fn is_of(&self, schema: &Value) -> bool {
        self.schema == *schema
    }

    /// Everything wrong with `document`, which lies at `prefix` of the manifest, in reading order.
    #[must_use]
    pub fn check(&self, document: &Value, prefix: &str) -> Vec<ManifestError> {
        if self.validator.is_valid(document) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for error in self.validator.iter_errors(document).take(MOST_FAULTS) {
            self.explain(&error, &mut found);
        }
        found.sort_by_cached_key(|(place, _): &(Place, ManifestError)| place.position_in(document));
        let mut faults: Vec<_> = found
            .into_iter()
            .map(|(place, fault)| ManifestError { path: place.write_after(prefix), ..fault })
            .collect();
        if faults.len() >= MOST_FAULTS {
            let text = format!("there may be more faults: these are {}", faults.len());
            faults.push(ManifestError::new(prefix, text));
        }
        faults
    }

    fn explain(&self, error: &ValidationError<'_>, found: &mut Vec<(Place, ManifestError)>) {
        let place = place_of(error);
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.known_fields(error);
                found.extend(unexpected.iter().map(|field| {
                    let fault = fault(format!("there is no field `{field}` here"));
                    let names = known.iter().map(String::as_str);
                    (place.key(field), nearest::or_list(fault, field, names, "the fields are"))
                }));
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.explain_choice(error, context, place, found);
            }
            kind => found.push((place, explain_one(kind, error))),
        }
    }

    /// None of several alternatives fits. When only one of them was meant, its own faults say more than "none".
    fn explain_choice(
        &self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
        place: Place,
        found: &mut Vec<(Place, ManifestError)>,
    ) {
        let (allowed, types) = alternatives(context);
        let deeper: Vec<_> = context
            .iter()
            .filter(|faults| !faults.iter().any(|fault| refuses_the_value_itself(fault, &place)))
            .collect();
        if let [only] = deeper[..] {
            for fault in only {
                self.explain(fault, found);
            }
        } else if !allowed.is_empty() {
            found.push((place, not_allowed(error.instance(), &allowed)));
        } else if types.is_empty() {
            let text = format!("{} fits none of the forms that are possible here", shown(error.instance()));
            found.push((place, fault(text)));
        } else {
            found.push((place, wrong_type(&types, error.instance())));
        }
    }

    /// The names of the object's fields, read from the schema beside the keyword that refused one.
    fn known_fields(&self, error: &ValidationError<'_>) -> Vec<String> {
        let keyword = error.schema_path().as_str();
        let object = keyword.rsplit_once('/').map_or("", |(object, _)| object);
        let fields = self.schema.pointer(object).and_then(|object| object.get("properties"));
        fields.and_then(Value::as_object).map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    }
}

fn fault(message: String) -> ManifestError {
    ManifestError::new("", message)
}

fn place_of(error: &ValidationError<'_>) -> Place {
    Place(
        error
            .instance_path()
            .iter()
            .map(|segment| match segment {
                LocationSegment::Property(key) => Step::Key(key.into_owned()),
                LocationSegment::Index(index) => Step::Index(index),
            })
            .collect(),
    )
}

/// True when an alternative does not take the value as such: another type or another constant.
fn refuses_the_value_itself(error: &ValidationError<'_>, place: &Place) -> bool {
    place_of(error) == *place
        && match error.kind() {
            Kind::Type { .. } | Kind::Constant { .. } | Kind::Enum { .. } => true,
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                context.iter().all(|faults| faults.iter().any(|fault| refuses_the_value_itself(fault, place)))
            }
            _ => false,
        }
}

/// The values and the types that alternatives would take, in their order. `null` stands for "left out" and is
/// not named.
fn alternatives(context: &[Vec<ValidationError<'static>>]) -> (Vec<Value>, Vec<JsonType>) {
    let (mut allowed, mut types) = (Vec::new(), Vec::new());
    for error in context.iter().flatten() {
        match error.kind() {
            Kind::Constant { expected_value } => allowed.push(Value::clone(expected_value)),
            Kind::Enum { options } => allowed.extend(options.as_array().into_iter().flatten().cloned()),
            Kind::Type { kind } => types.extend(type_names(kind)),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                let (inner_allowed, inner_types) = alternatives(context);
                allowed.extend(inner_allowed);
                types.extend(inner_types);
            }
            _ => {}
        }
    }
    (allowed, types)
}

fn type_names(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(several) => several.iter().collect(),
    }
    .into_iter()
    .filter(|name| *name != JsonType::Null)
    .collect()
}

fn explain_one(kind: &Kind, error: &ValidationError<'_>) -> ManifestError {
    let value = error.instance();
    match kind {
        Kind::Required { property } => {
            fault(format!("the field `{}` is missing", property.as_str().unwrap_or_default()))
        }
        Kind::Type { kind } => wrong_type(&type_names(kind), value),
        Kind::Constant { expected_value } => not_allowed(value, std::slice::from_ref(expected_value)),
        Kind::Enum { options } => not_allowed(value, options.as_array().map_or(&[], Vec::as_slice)),
        Kind::Minimum { limit } => fault(format!("{} is too small: {limit} is the least", shown(value))),
        Kind::Maximum { limit } => fault(format!("{} is too large: {limit} is the most", shown(value))),
        Kind::ExclusiveMinimum { limit } => {
            fault(format!("{} is too small: it must be greater than {limit}", shown(value)))
        }
        Kind::ExclusiveMaximum { limit } => {
            fault(format!("{} is too large: it must be less than {limit}", shown(value)))
        }
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => fault("it must not be empty".into()),
        Kind::MinLength { limit } => fault(format!("{} is shorter than {limit} characters", shown(value))),
        Kind::MaxLength { limit } => fault(format!("{} is longer than {limit} characters", shown(value))),
        Kind::MinItems { limit } => fault(format!("it has fewer than {limit} items")),
        Kind::MaxItems { limit } => fault(format!("it has more than {limit} items")),
        Kind::MultipleOf { multiple_of } => {
            fault(format!("{} is not a multiple of {multiple_of}", shown(value)))
        }
        Kind::Pattern { pattern } if pattern == "^[A-Za-z0-9_-]+$" => {
            fault(format!("{} is not an id: ids are made of letters, digits, `_` and `-`", shown(value)))
        }
        Kind::Pattern { pattern } if pattern == SHA256_PATTERN => fault(format!(
            "{} is not a SHA-256, which is 64 lower-case hexadecimal digits: `sha256sum FILE` prints it",
            shown(value)
        )),
        Kind::Pattern { pattern } => fault(format!("{} does not match the pattern {pattern}", shown(value))),
        Kind::UniqueItems => fault("an item appears twice".into()),
        _ => fault(error.to_string()),
    }
}

fn not_allowed(value: &Value, allowed: &[Value]) -> ManifestError {
    let names: Vec<String> =
        allowed.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
    let names = names.iter().map(String::as_str);
    let list = nearest::list(names.clone()).unwrap_or_default();
    let fault = match names.len() {
        1 => fault(format!("{} is not allowed here: it must be {list}", shown(value))),
        _ => fault(format!("{} is not allowed here: it must be one of {list}", shown(value))),
    };
    match value.as_str().and_then(|written| nearest::name(written, names)) {
        Some(meant) => fault.suggest(format!("did you mean `{meant}`?")),
        None => fault,
    }
}

fn wrong_type(types: &[JsonType], value: &Value) -> ManifestError {
    let wanted: Vec<&str> = types.iter().map(|name| with_article(*name)).collect();
    fault(format!("it must be {}, not {}", wanted.join(" or "), described(value)))
}

const fn with_article(name: JsonType) -> &'static str {
    match name {
        JsonType::Array => "an array",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => format!("the string {}", shown(value)),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// The value as JSON, cut when long.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if text.len() > 4 * LONGEST_SHOWN => {
            Value::from(text.chars().take(LONGEST_SHOWN + 1).collect::<String>()).to_string()
        }
        Value::Array(_) => return "an array".into(),
        Value::Object(_) => return "an object".into(),
        other => other.to_string(),
    };
    if text.chars().count() > LONGEST_SHOWN {
        return format!("{}…", text.chars().take(LONGEST_SHOWN).collect::<String>());
    }
    text
}
