//! `node build`: one file per language knows its compiler; all give one component, which the host then reads.

mod c;
mod js;
mod python;
mod rust;

use std::path::PathBuf;

use remotemedia_core::NodeDescriptor;

use super::{KitError, Language, Project};
use crate::Host;

/// A component that was built and that this host takes.
#[derive(Clone, Debug)]
pub struct Built {
    /// Where it is.
    pub component: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it says about itself.
    pub descriptor: NodeDescriptor,
}

/// Builds the node of `project`.
///
/// # Errors
/// When a tool is missing, the build fails, or what was built is no node.
pub fn build(host: &Host, project: &Project) -> Result<Built, KitError> {
    if let Some(folder) = project.component.parent() {
        std::fs::create_dir_all(folder).map_err(|error| KitError::io("make", folder, error))?;
    }
    match project.language {
        Language::Rust => rust::build(host.config(), project)?,
        Language::Python => python::build(host.config(), project)?,
        Language::Js => js::build(host.config(), project)?,
        Language::C => c::build(host.config(), project)?,
    }
    let component = project.component.clone();
    let bytes = std::fs::metadata(&component).map_err(|error| {
        KitError::Usage(format!(
            "the build made no `{}` ({error}): mend `component` in remotemedia-node.toml",
            component.display()
        ))
    })?;
    let descriptor = host.describe_component(&component)?;
    Ok(Built { component, bytes: bytes.len(), descriptor })
}

/// Runs the language's own unit tests; false when it has none.
///
/// # Errors
/// When they fail, or their tool is missing.
pub fn unit_tests(host: &Host, project: &Project) -> Result<bool, KitError> {
    match project.language {
        Language::Rust => rust::unit_tests(host.config(), project).map(|()| true),
        Language::Python => python::unit_tests(host.config(), project),
        Language::Js => js::unit_tests(host.config(), project),
        Language::C => Ok(false),
    }
}
