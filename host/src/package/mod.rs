//! A node as it is shipped: the component with what its author says about it, as one OCI artifact.
//!
//! The format is the one that the CNCF's working group for WebAssembly describes: one layer `application/wasm`, and a
//! config `application/vnd.wasm.config.v0+json`. Descriptor, README and licence travel in the config, so that other
//! tools for such artifacts still see the single layer that they expect. The same node packs to the same bytes.

mod archive;
mod error;
mod image;
mod registry;

use std::path::Path;

use remotemedia_core::NodeDescriptor;

pub use error::PackageError;
pub use registry::{Credentials, Registry};

/// What is shipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// The `.wasm` file.
    pub component: Vec<u8>,
    /// What the component says about itself.
    pub descriptor: NodeDescriptor,
    /// Which interfaces it imports, as WIT names: what it would need.
    pub imports: Vec<String>,
    /// Its README, as text.
    pub readme: Option<String>,
    /// The text of its licence.
    pub license: Option<String>,
}

/// The largest README or licence text that is packed, in bytes.
pub const MOST_TEXT_BYTES: usize = 1 << 20;

impl Package {
    /// The digest of the component, as `sha256:<hex>`: what a manifest pins.
    #[must_use]
    pub fn component_digest(&self) -> String {
        image::digest(&self.component)
    }

    /// Writes the package as an OCI image layout in one tar file, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PackageError> {
        archive::write(self, path)
    }

    /// Reads a package that [`Package::write`] or another tool wrote, and checks every digest in it.
    ///
    /// # Errors
    /// When the file cannot be read, is no such package, was altered, or holds a component larger than
    /// `most_component_bytes`.
    pub fn read(path: &Path, most_component_bytes: u64) -> Result<Self, PackageError> {
        archive::read(path, most_component_bytes)
    }
}

#[cfg(test)]
mod tests;
