//! What a component's params schema may cost the host. Checking params against a schema takes as long as the schema
//! wants when its references double or go in circles, so such a schema is refused before anything is checked.

use std::collections::HashMap;

use serde_json::Value;

/// Largest schema, in bytes of JSON.
const MOST_BYTES: usize = 256 << 10;
/// Most places that a check may visit, every reference followed.
const MOST_PLACES: usize = 20_000;
/// Most levels, those of the schemas that are referred to included.
const MOST_LEVELS: usize = 200;
/// Most regular expressions: each may take a megabyte.
const MOST_PATTERNS: usize = 64;
/// The dialect of the WIT.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema in `text`.
///
/// # Errors
/// Says why the host does not take it; reads on after "params-schema".
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("has {} bytes, and the limit is {MOST_BYTES}", text.len()));
    }
    let schema: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    if !schema.is_object() {
        return Err("is not a JSON Schema object".into());
    }
    if schema
        .get("$schema")
        .is_some_and(|dialect| dialect.as_str().map(|id| id.trim_end_matches('#')) != Some(DIALECT))
    {
        return Err(format!("is of another dialect than {DIALECT}"));
    }
    let mut walk = Walk { root: &schema, costs: HashMap::new(), patterns: 0 };
    let places = walk.cost(&schema, 0)?;
    if places > MOST_PLACES {
        return Err(format!("has more than {MOST_PLACES} places to check, with its references followed"));
    }
    Ok(schema)
}

struct Walk<'s> {
    root: &'s Value,
    /// What each reference costs; `None` while it is being followed.
    costs: HashMap<&'s str, Option<usize>>,
    patterns: usize,
}

impl<'s> Walk<'s> {
    /// How many places a check of `value` may visit.
    fn cost(&mut self, value: &'s Value, level: usize) -> Result<usize, String> {
        if level > MOST_LEVELS {
            return Err(format!("nests more than {MOST_LEVELS} levels deep, with its references followed"));
        }
        let mut places = 1_usize;
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    places = places.saturating_add(self.keyword(name, field, level)?);
                }
            }
            Value::Array(items) => {
                for item in items {
                    places = places.saturating_add(self.cost(item, level + 1)?);
                }
            }
            Value::String(text) => plain(text)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(places)
    }

    fn keyword(&mut self, name: &'s str, field: &'s Value, level: usize) -> Result<usize, String> {
        plain(name)?;
        match (name, field) {
            ("$ref", Value::String(reference)) => return self.reference(reference, level),
            ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                return Err(format!("uses `{name}`: use `$ref`"));
            }
            ("$id", Value::String(_)) => return Err("names itself with `$id`: take it out".into()),
            ("pattern", Value::String(_)) => self.count_patterns(1)?,
            ("patternProperties", Value::Object(patterns)) => self.count_patterns(patterns.len())?,
            _ => {}
        }
        self.cost(field, level + 1)
    }

    fn count_patterns(&mut self, more: usize) -> Result<(), String> {
        self.patterns += more;
        if self.patterns <= MOST_PATTERNS {
            return Ok(());
        }
        Err(format!("has more than {MOST_PATTERNS} regular expressions"))
    }

    fn reference(&mut self, reference: &'s str, level: usize) -> Result<usize, String> {
        match self.costs.insert(reference, None) {
            Some(Some(known)) => {
                self.costs.insert(reference, Some(known));
                return Ok(known);
            }
            Some(None) => return Err("refers to itself".into()),
            None => {}
        }
        // Percent signs would be another spelling of a place, which this walk does not read.
        let target = reference.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
        let target = target.and_then(|pointer| self.root.pointer(pointer));
        let Some(target) = target else {
            return Err("refers to a place that is not in it: write `#/$defs/NAME`".into());
        };
        if std::ptr::eq(target, self.root) {
            return Err("refers to itself".into());
        }
        let cost = self.cost(target, level + 1)?;
        self.costs.insert(reference, Some(cost));
        Ok(cost)
    }
}

/// What is shown to people in errors must not be a terminal's command.
fn plain(text: &str) -> Result<(), String> {
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
        return Err("holds control characters".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(schema: &str) -> String {
        parse(schema).unwrap_err()
    }

    #[test]
    fn what_generators_write_is_taken() {
        for schema in [
            "{}",
            r#"{"type": "object", "properties": {"gain_db": {"type": "number", "minimum": -150}}}"#,
            r##"{"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {
                "kind": {"$ref": "#/$defs/Kind"}, "other": {"$ref": "#/$defs/Kind"}, "$id": {"type": "string"}},
                "$defs": {"Kind": {"enum": ["a", "b"]}}}"##,
        ] {
            assert!(parse(schema).is_ok(), "{schema}: {:?}", parse(schema));
        }
    }

    #[test]
    fn references_that_double_or_circle_or_leave_are_refused() {
        let doubling: Vec<String> = (1..=40)
            .map(|n| {
                format!(
                    r##""d{n}":{{"allOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##,
                    n - 1
                )
            })
            .collect();
        let doubling = format!(r##"{{"$ref":"#/$defs/d40","$defs":{{"d0":{{}},{}}}}}"##, doubling.join(","));
        assert!(refusal(&doubling).contains("20000 places"));
        let chain: Vec<String> =
            (1..=4_000).map(|n| format!(r##""d{n}":{{"$ref":"#/$defs/d{}"}}"##, n - 1)).collect();
        let chain = format!(r##"{{"$ref":"#/$defs/d4000","$defs":{{"d0":{{}},{}}}}}"##, chain.join(","));
        assert!(refusal(&chain).contains("200 levels"));
        for circle in [r##"{"not": {"$ref": "#"}}"##, r##"{"$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}"##]
        {
            assert_eq!(refusal(circle), "refers to itself", "{circle}");
        }
        for outside in ["file:///etc/passwd", "https://example.org/", "#/$defs/none", "#name", "#/%24defs"] {
            let schema = format!(r#"{{"$ref": "{outside}", "$defs": {{"%24defs": {{}}}}}}"#);
            assert!(refusal(&schema).contains("not in it"), "{outside}");
        }
        assert!(refusal(r##"{"$dynamicRef": "#a"}"##).contains("$dynamicRef"));
        assert!(refusal(r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#).contains("dialect"));
    }

    #[test]
    fn what_is_large_in_any_way_is_refused() {
        assert!(refusal(&format!(r#"{{"title": "{}"}}"#, "x".repeat(MOST_BYTES))).contains("bytes"));
        assert!(
            refusal(&format!("{}{}", r#"{"not":"#.repeat(300), "}".repeat(300))).contains("recursion limit")
        );
        let wide = format!(r#"{{"enum": [0{}]}}"#, ",0".repeat(MOST_PLACES));
        assert!(refusal(&wide).contains("places"));
        let patterns: Vec<String> = (0..65).map(|n| format!(r#""a{n}": {{"pattern": "a"}}"#)).collect();
        assert!(
            refusal(&format!(r#"{{"properties": {{{}}}}}"#, patterns.join(",")))
                .contains("regular expressions")
        );
        assert_eq!(refusal("{\"title\": \"\\u001b[31m\"}"), "holds control characters");
    }
}
