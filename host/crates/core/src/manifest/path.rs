//! JSON paths as faults show them, `$.nodes[2].params.gain_db`, and where in a document a path lies.

use std::fmt::Write;

use serde_json::Value;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A place inside a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(pub Vec<Step>);

impl Place {
    /// The place of the field `key` of the object at `self`.
    pub fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// `prefix` (a path already written, such as `$`) and this place's steps after it. Keys that are not plain
    /// words are quoted: `$.permissions["fs.read"]`.
    pub fn write_after(&self, prefix: &str) -> String {
        let mut path = prefix.to_owned();
        for step in &self.0 {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Key(key) if is_word(key) => write!(path, ".{key}"),
                Step::Key(key) => write!(path, "[{}]", Value::String(key.clone())),
            };
        }
        path
    }

    /// Where the place lies in `document`: comparing these puts places in reading order. A field that is not
    /// there counts as past the end of its object.
    pub fn position_in(&self, document: &Value) -> Vec<usize> {
        let mut here = Some(document);
        let mut position = Vec::with_capacity(self.0.len());
        for step in &self.0 {
            let (rank, next) = match (step, here) {
                (Step::Index(index), Some(Value::Array(items))) => (*index, items.get(*index)),
                (Step::Key(key), Some(Value::Object(fields))) => {
                    (fields.keys().position(|known| known == key).unwrap_or(fields.len()), fields.get(key))
                }
                _ => (usize::MAX, None),
            };
            position.push(rank);
            here = next;
        }
        position
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !key.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_quote_only_what_is_not_a_word() {
        let place = Place(vec![Step::Key("nodes".into()), Step::Index(2)]).key("permissions").key("fs.read");
        assert_eq!(place.write_after("$"), "$.nodes[2].permissions[\"fs.read\"]");
        assert_eq!(Place::default().key("a\"b").write_after("$.x"), "$.x[\"a\\\"b\"]");
        assert_eq!(Place::default().write_after("$"), "$");
    }

    #[test]
    fn positions_follow_the_document_not_the_alphabet() {
        let document = json!({"z": [1, {"b": 0, "a": 0}], "a": 0});
        let place = |steps: &[Step]| Place(steps.to_vec()).position_in(&document);
        let z = Step::Key("z".into());
        let mut places = vec![
            place(&[Step::Key("a".into())]),
            place(&[z.clone(), Step::Index(1), Step::Key("a".into())]),
            place(&[z.clone(), Step::Index(1), Step::Key("b".into())]),
            place(&[z.clone(), Step::Index(0)]),
            place(&[Step::Key("absent".into())]),
        ];
        places.sort();
        assert_eq!(places, [vec![0, 0], vec![0, 1, 0], vec![0, 1, 1], vec![1], vec![2]]);
    }
}
