//! Which components may run at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which components may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Whether a component must carry a signature of a trusted key.
    pub require_signature: bool,
    /// The public keys whose signatures count, as `remotemedia node keygen` prints them.
    #[schemars(inner(regex(pattern = r"^ed25519:[A-Za-z0-9+/]{43}=$")))]
    pub trusted_keys: Vec<String>,
    /// Whether the components of a manifest must be listed in the `remotemedia.lock` beside it.
    pub require_lock: bool,
}
