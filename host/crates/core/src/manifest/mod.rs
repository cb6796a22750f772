//! The manifest: the user's JSON or YAML, parsed into types. Nothing here knows which node types exist.

mod error;
mod types;

pub use error::{ManifestError, ManifestErrors};
pub use types::{
    Capabilities, Connection, CpuCapability, Endpoint, Fallback, GpuCapability, GpuType, Limits, Manifest,
    Metadata, NodeManifest, OnFull, Permissions, QueueSpec, RuntimeHint,
};
