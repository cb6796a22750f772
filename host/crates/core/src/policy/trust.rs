//! Which components may run at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which components may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Whether a component must carry a signature of a trusted key.
    pub require_signature: bool,
    /// The public keys whose signatures count.
    pub trusted_keys: Vec<String>,
    /// Whether a component must be listed with its digest in `remotemedia.lock` beside the manifest.
    pub require_lock: bool,
}
