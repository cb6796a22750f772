//! The manifest: the user's JSON or YAML, parsed into types. Nothing here knows which node types exist.

mod call_policy;
mod component;
mod error;
mod live;
pub(crate) mod nearest;
mod parse;
mod path;
pub(crate) mod schema;
mod syntax;
mod types;

pub use call_policy::{BreakerSpec, OnError, OnOpen, RetrySpec};
pub use component::{ComponentPin, ComponentRef, PinnedBy};
pub use error::{ManifestError, ManifestErrors};
pub use live::{Live, LiveSpec};
pub use nearest::name as nearest_name;
pub use parse::{ManifestFormat, json_schema};
pub use schema::Schema;
pub use types::{
    Capabilities, Connection, CpuCapability, Endpoint, Fallback, GpuCapability, GpuType, Limits, Manifest,
    Metadata, NodeManifest, OnFull, Permissions, QueueSpec, RuntimeHint, Version,
};
