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
    let (name, stopped) = match format {
        ManifestFormat::Json => ("JSON", serde_json::from_str(text).map_err(|error| json_stop(text, &error))),
        ManifestFormat::Yaml => (
            "YAML",
            serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| yaml_stop(&error)),
        ),
    };
    stopped.map(|Document(value)| value).map_err(|stop: Stop| {
        fault(format!(
            "the manifest is not valid {name}: {}{}",
            stop.reason,
            excerpt(text, stop.line, stop.column)
        ))
    })
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

/// Why and where a parser gave up. `line` and `column` count characters from 1; 0 when unknown.
struct Stop {
    reason: String,
    line: usize,
    column: usize,
}

fn json_stop(text: &str, error: &serde_json::Error) -> Stop {
    let before = text.lines().nth(error.line().saturating_sub(1)).map_or(0, |line| {
        // serde_json counts bytes.
        line.char_indices().take_while(|&(at, _)| at + 1 < error.column()).count()
    });
    Stop { reason: error.to_string(), line: error.line(), column: before + 1 }
}

fn yaml_stop(error: &serde_saphyr::Error) -> Stop {
    let options = serde_saphyr::render_options! {
        formatter: &serde_saphyr::UserMessageFormatter,
        snippets: serde_saphyr::SnippetMode::Off,
    };
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    Stop {
        reason: error.render_with_options(options).trim_end().to_owned(),
        line: usize::try_from(line).unwrap_or_default(),
        column: usize::try_from(column).unwrap_or_default(),
    }
}

/// The line in question with a caret under the column, each on a line of its own.
fn excerpt(text: &str, line: usize, column: usize) -> String {
    let Some(line) = line.checked_sub(1).and_then(|line| text.lines().nth(line)) else {
        return String::new();
    };
    let from = column.saturating_sub(EXCERPT_WIDTH / 2);
    let shown: String =
        line.chars().skip(from).take(EXCERPT_WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\n  | {shown}\n  | {:>width$}", "^", width = column.saturating_sub(from).max(1))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &[u8], format: ManifestFormat) -> String {
        read(text, format).unwrap_err().message
    }

    #[test]
    fn a_syntax_error_shows_its_line_with_a_caret_under_the_character() {
        let text = message("{\"a\": 1,\n \"ä\" 2}".as_bytes(), ManifestFormat::Json);
        assert!(text.ends_with("line 2 column 7\n  |  \"ä\" 2}\n  |      ^"), "{text}");
        let text = message(b"a: [1, 2\nb: 3", ManifestFormat::Yaml);
        assert!(text.ends_with("\n  | b: 3\n  |  ^"), "{text}");
    }

    #[test]
    fn a_long_line_is_shown_around_the_fault_only() {
        let line = format!("[{}x]", "0, ".repeat(1_000));
        let text = message(line.as_bytes(), ManifestFormat::Json);
        let lines: Vec<&str> = text.lines().collect();
        let caret = lines[2].find('^').unwrap();
        assert_eq!(&lines[1][caret..=caret], "x");
        assert!(lines[1].len() <= EXCERPT_WIDTH + 4);
    }

    #[test]
    fn a_field_that_appears_twice_is_an_error_in_both_formats() {
        for (text, format) in
            [("{\"a\": 1, \"a\": 2}", ManifestFormat::Json), ("a: 1\na: 2", ManifestFormat::Yaml)]
        {
            let text = message(text.as_bytes(), format);
            assert!(text.contains("twice") || text.contains("duplicate"), "{text}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_refused_instead_of_becoming_null() {
        for text in ["a: .nan", "a: .inf", "a: -.inf"] {
            assert!(message(text.as_bytes(), ManifestFormat::Yaml).contains("finite"), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_located() {
        let text = message(b"{\n\"name\": \"caf\xe9\"}", ManifestFormat::Json);
        assert_eq!(text, "the manifest is not UTF-8 text: byte 14 (line 2) is 0xe9");
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(read(b"\xef\xbb\xbf[1]", ManifestFormat::Json).unwrap(), serde_json::json!([1]));
    }

    #[test]
    fn too_many_bytes_values_or_levels_are_refused() {
        let fifty_mb = vec![b' '; 50_000_000];
        assert!(message(&fifty_mb, ManifestFormat::Json).starts_with("the manifest has 47.7 MiB; 16 MiB"));
        let wide = format!("[{}0]", "0,".repeat(MAX_VALUES));
        let deep = "[".repeat(100_000);
        for format in [ManifestFormat::Json, ManifestFormat::Yaml] {
            let wide = message(wide.as_bytes(), format);
            assert!(wide.contains("1000000 values") || wide.contains("nodes: 1000001"), "{wide}");
            assert!(message(deep.as_bytes(), format).contains("recursion limit"));
        }
    }

    #[test]
    fn an_alias_bomb_is_refused_in_bounded_work() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", "));
        }
        assert!(message(bomb.as_bytes(), ManifestFormat::Yaml).contains("limit"));
    }

    #[test]
    fn json_and_yaml_read_the_same_values() {
        let yaml = "n: null\nb: true\ni: -3\nu: 18446744073709551615\nf: 0.5\ns: \"1\"\nyes: no\na: [1, {x: y}]\n3: x";
        let json = serde_json::json!({"n": null, "b": true, "i": -3, "u": u64::MAX, "f": 0.5, "s": "1",
            "yes": "no", "a": [1, {"x": "y"}], "3": "x"});
        assert_eq!(read(yaml.as_bytes(), ManifestFormat::Yaml).unwrap(), json);
        assert_eq!(read(json.to_string().as_bytes(), ManifestFormat::Json).unwrap(), json);
    }
}
