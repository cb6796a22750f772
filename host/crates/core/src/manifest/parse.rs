//! From bytes to a manifest: syntax first, then every fault against the JSON Schema at once, then the types.
//!
//! No file is opened here: `base_dir` of the nodes is the caller's to set.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::schema::Schema;
use super::{Connection, Manifest, ManifestError, ManifestErrors, Metadata, NodeManifest, syntax};

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestFormat {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2, one document.
    Yaml,
}

impl Manifest {
    /// Reads a manifest. What it says about itself is checked; whether node types, ports and params exist is
    /// [`Graph::build`](crate::graph::Graph::build)'s part.
    ///
    /// # Errors
    /// One fault when the text is not JSON or YAML at all (or more than 16 MiB, or more than a million values);
    /// otherwise every fault, each with its path, in the order of the document.
    pub fn parse(text: &[u8], format: ManifestFormat) -> Result<Self, ManifestErrors> {
        match Self::parse_despite_faults(text, format) {
            (Some(manifest), faults) if faults.is_empty() => Ok(manifest),
            (_, faults) => Err(ManifestErrors(faults)),
        }
    }

    /// As [`Manifest::parse`], for a caller that looks for further faults: the manifest is there too when its
    /// types hold in spite of what is wrong with its values. Never run it when there are faults.
    #[must_use]
    pub fn parse_despite_faults(text: &[u8], format: ManifestFormat) -> (Option<Self>, Vec<ManifestError>) {
        let value = match syntax::read(text, format) {
            Ok(value) => value,
            Err(fault) => return (None, vec![fault]),
        };
        let faults = check(&value);
        if faults.is_empty() {
            return match from_value(value) {
                Ok(manifest) => (Some(manifest), faults),
                Err(ManifestErrors(faults)) => (None, faults),
            };
        }
        let manifest =
            from_value(value.clone()).or_else(|_| from_value(without_faulty_fields(value, &faults)));
        (manifest.ok(), faults)
    }
}

/// The JSON Schema (draft 2020-12) of a manifest, generated from its types.
#[must_use]
pub fn json_schema() -> Value {
    schemars::schema_for!(Manifest).to_value()
}

/// The document without the fields that `faults` are about, so that the rest can be looked at. Fields that a
/// manifest cannot do without are then missing, and there is no manifest.
fn without_faulty_fields(mut value: Value, faults: &[ManifestError]) -> Value {
    for fault in faults {
        let Some((parent, field)) = fault.path.rsplit_once('.') else { continue };
        let pointer = parent.trim_start_matches('$').replace(['.', '['], "/").replace(']', "");
        if let Some(Value::Object(fields)) = value.pointer_mut(&pointer) {
            fields.remove(field);
        }
    }
    value
}

fn check(value: &Value) -> Vec<ManifestError> {
    static SCHEMA: OnceLock<Result<Schema, String>> = OnceLock::new();
    let faults = match SCHEMA.get_or_init(|| Schema::compile(json_schema())) {
        Ok(schema) => schema.check(value, "$"),
        Err(reason) => {
            vec![ManifestError::new("$", format!("the manifest's own schema is broken: {reason}"))]
        }
    };
    faults.into_iter().map(|fault| explain_version(fault, value)).collect()
}

/// A wrong version is not a wrong word: the whole file may be of another format.
fn explain_version(fault: ManifestError, manifest: &Value) -> ManifestError {
    match manifest.get("version") {
        Some(version) if fault.path == "$.version" => ManifestError::new(
            fault.path,
            format!("this host reads manifests of version \"v1\", not {version}"),
        )
        .suggest("write \"version\": \"v1\" if the rest follows that format"),
        _ => fault,
    }
}

/// The types. What the schema lets through and the types do not (`3.0` for a count, numbers past 64 bits) is
/// found part by part, so that it gets a path too.
fn from_value(value: Value) -> Result<Manifest, ManifestErrors> {
    let error = match Manifest::deserialize_from(&value) {
        Ok(manifest) => return Ok(manifest),
        Err(error) => error,
    };
    let mut faults = Vec::new();
    probe::<Metadata>(value.get("metadata"), || "$.metadata".into(), &mut faults);
    for (index, node) in items(&value, "nodes") {
        probe::<NodeManifest>(Some(node), || format!("$.nodes[{index}]"), &mut faults);
    }
    for (index, connection) in items(&value, "connections") {
        probe::<Connection>(Some(connection), || format!("$.connections[{index}]"), &mut faults);
    }
    if faults.is_empty() {
        faults.push(ManifestError::new("$", error.to_string()));
    }
    Err(ManifestErrors(faults))
}

impl Manifest {
    fn deserialize_from(value: &Value) -> serde_json::Result<Self> {
        serde::Deserialize::deserialize(value)
    }
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn probe<T: DeserializeOwned>(
    value: Option<&Value>,
    path: impl FnOnce() -> String,
    faults: &mut Vec<ManifestError>,
) {
    if let Some(Err(error)) = value.map(|value| T::deserialize(value)) {
        faults.push(ManifestError::new(path(), error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_nothing_but_faults_is_refused_without_listing_them_all() {
        let text = format!("{{\"nodes\": [{}0]}}", "0, ".repeat(100_000));
        let faults = Manifest::parse(text.as_bytes(), ManifestFormat::Json).unwrap_err().0;
        assert_eq!(faults.len(), 1_001);
        assert_eq!(faults[1_000].message, "there may be more faults: these are 1000");
    }

    #[test]
    fn what_can_still_be_looked_at_is_there_despite_faults() {
        let read = |nodes: &str| {
            let text = format!(
                r#"{{"version": "v1", "metadata": {{"name": "t"}}, "nodes": [{nodes}], "connections": []}}"#
            );
            Manifest::parse_despite_faults(text.as_bytes(), ManifestFormat::Json)
        };
        let (manifest, faults) = read(r#"{"id": "a", "node_type": "X", "parms": {}, "timeout_ms": "5"}"#);
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["$.nodes[0].parms", "$.nodes[0].timeout_ms"]);
        assert_eq!(manifest.unwrap().nodes[0], NodeManifest::new("a", "X"));
        let (manifest, faults) = read(r#"{"id": "a b", "node_type": "X"}"#);
        assert_eq!((manifest.unwrap().nodes[0].id.as_str(), faults.len()), ("a b", 1));
        let (manifest, faults) = read(r#"{"id": "a", "node_type": 5}"#);
        assert_eq!((manifest, faults.len()), (None, 1), "a node without a type is none");
    }

    #[test]
    fn the_schema_of_the_types_is_a_json_schema() {
        assert_eq!(Schema::compile(json_schema()).err(), None);
    }
}
