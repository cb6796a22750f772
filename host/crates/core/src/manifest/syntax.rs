//! JSON and YAML text into one JSON value, or the one place where the text stops being either.
//!
//! Bounded: size, nesting, number of values, YAML aliases. Strict: a key that appears twice is an error, and so
//! is a YAML number that JSON cannot hold (`.nan`, `.inf`), because both would silently lose what was written.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{ManifestError, ManifestFormat};

/// Largest manifest, in bytes.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// Most values (objects, arrays and scalars) of a manifest; 10,000 ordinary nodes are a tenth of it.
const MAX_VALUES: usize = 1_000_000;
/// Widest excerpt of a faulty line, in characters.
const EXCERPT_WIDTH: usize = 100;

pub(super) fn read(text: &[u8], format: ManifestFormat) -> Result<Value, ManifestError> {
    let fault = |message: String| ManifestError::new("$", message);
    if text.len() > MAX_BYTES {
        let message = format!(
            "the manifest has {:.1} MiB; {} MiB is the most that is read",
            text.len() as f64 / f64::from(1 << 20),
            MAX_BYTES >> 20
        );
        return Err(fault(message).suggest("a manifest describes a graph: keep data in files beside it"));
    }
    let text = str::from_utf8(text).map_err(|error| {
        let at = error.valid_up_to();
        let line = text[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        fault(format!("the manifest is not UTF-8 text: byte {at} (line {line}) is 0x{:02x}", text[at]))
            .suggest("save it as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(fault("the manifest is empty".into()));
    }
    match format {
        ManifestFormat::Json => serde_json::from_str(text).map(|Document(value)| value).map_err(|error| {
            fault(format!("the manifest is not valid JSON: {}", json_excerpt(text, &error)))
        }),
        ManifestFormat::Yaml => {
            serde_saphyr::from_str_with_options(text, yaml_options()).map(|Document(value)| value).map_err(
                |error| fault(format!("the manifest is not valid YAML: {}", error.to_string().trim_end())),
            )
        }
    }
}

fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * MAX_VALUES,
            max_nodes: MAX_VALUES,
            max_depth: 128,
        },
        strict_booleans: true,
    }
}

/// The parser's message and, under it, the line that it means with a caret.
fn json_excerpt(text: &str, error: &serde_json::Error) -> String {
    let Some(line) = error.line().checked_sub(1).and_then(|line| text.lines().nth(line)) else {
        return error.to_string();
    };
    // serde_json counts bytes; the end of a line is column `len`.
    let column = text_column(line, error.column());
    let from = column.saturating_sub(EXCERPT_WIDTH / 2);
    let shown: String =
        line.chars().skip(from).take(EXCERPT_WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{error}\n  | {shown}\n  | {:>width$}", "^", width = column - from + 1)
}

/// Which character (from 0) of `line` the 1-based byte column means.
fn text_column(line: &str, byte_column: usize) -> usize {
    let offset = byte_column.saturating_sub(1);
    line.char_indices().take_while(|&(at, _)| at < offset).count()
}

/// One JSON value, read strictly.
struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Cell::new(0);
        Strict { values: &values }.deserialize(deserializer).map(Self)
    }
}

/// Reads one value and counts it.
#[derive(Clone, Copy)]
struct Strict<'a> {
    values: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            return Err(D::Error::custom(format_args!("more than {MAX_VALUES} values in one manifest")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(format_args!("the number {value} cannot be written in JSON")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the field `{key}` appears twice in one object")));
            }
            let value = fields.next_value_seed(self)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
