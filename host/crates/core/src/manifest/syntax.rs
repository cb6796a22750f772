//! JSON and YAML text into one JSON value, or the one place where the text stops being either.

use serde_json::Value;

use super::{ManifestError, ManifestFormat};

pub(super) fn read(text: &[u8], format: ManifestFormat) -> Result<Value, ManifestError> {
    match format {
        ManifestFormat::Json => {
            serde_json::from_slice(text).map_err(|error| ManifestError::new("$", error.to_string()))
        }
        ManifestFormat::Yaml => {
            serde_saphyr::from_slice(text).map_err(|error| ManifestError::new("$", error.to_string()))
        }
    }
}
