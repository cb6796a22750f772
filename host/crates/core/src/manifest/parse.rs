//! From bytes to a manifest: syntax first, then every fault against the JSON Schema at once, then the types.
//!
//! No file is opened here: `base_dir` of the nodes is the caller's to set.

use serde_json::Value;

use super::{Manifest, ManifestError, ManifestErrors, syntax};

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
    /// One fault when the text is not JSON or YAML at all; otherwise every fault, each with its path, in the
    /// order of the document.
    pub fn parse(text: &[u8], format: ManifestFormat) -> Result<Self, ManifestErrors> {
        let value = syntax::read(text, format).map_err(|fault| ManifestErrors(vec![fault]))?;
        serde_json::from_value(value)
            .map_err(|error| ManifestErrors(vec![ManifestError::new("$", error.to_string())]))
    }
}

/// The JSON Schema (draft 2020-12) of a manifest, generated from its types.
#[must_use]
pub fn json_schema() -> Value {
    schemars::schema_for!(Manifest).to_value()
}
