//! From a node type to a Python class and its descriptor.
//!
//! `module:Class` is always Python's. A bare name is Python's when `remotemedia.nodes` has it; whether that can be is
//! answered from the package's files, so that asking about a native node's name starts no interpreter.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use remotemedia_core::{ErrorKind, NodeDescriptor, NodeError, NodeManifest, PayloadKind, PortSpec};
use serde::Deserialize;
use serde_json::Value;

use crate::config::CpythonConfig;
use crate::errors::{Verb, to_node_error};
use crate::marshal::python_to_json;
use crate::{interpreter, shim, venv};

/// What a node type names, as far as its text tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClassName<'a> {
    /// `module:Class`.
    Qualified { module: &'a str, class: &'a str },
    /// A name that `remotemedia.nodes` may have.
    Bare(&'a str),
    /// Not Python's.
    Foreign,
    /// Has a colon, but is not `module:Class`.
    Malformed,
}

impl<'a> ClassName<'a> {
    pub(crate) fn parse(node_type: &'a str) -> Self {
        let is_dotted = |text: &str| text.split('.').all(is_identifier);
        match node_type.split_once(':') {
            Some((module, class)) if is_dotted(module) && is_dotted(class) => {
                Self::Qualified { module, class }
            }
            Some(_) => Self::Malformed,
            None if is_identifier(node_type) => Self::Bare(node_type),
            None => Self::Foreign,
        }
    }
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

/// The class of `manifest`, in an interpreter that runs; `None` when `remotemedia.nodes` does not have the name.
pub(crate) fn find<'py>(
    py: Python<'py>,
    manifest: &NodeManifest,
) -> Result<Option<Bound<'py, PyAny>>, NodeError> {
    let found = match ClassName::parse(&manifest.node_type) {
        ClassName::Qualified { module, class } => {
            let folder = absolute(&manifest.base_dir);
            shim::lookup(py).and_then(|lookup| lookup.call_method1("find_class", (module, class, folder)))
        }
        ClassName::Bare(class) => {
            shim::lookup(py).and_then(|lookup| lookup.call_method1("find_builtin", (class,)))
        }
        ClassName::Foreign => return Ok(None),
        ClassName::Malformed => return Err(malformed(&manifest.node_type)),
    };
    let class = found.map_err(|error| to_node_error(py, &error, Verb::Describe))?;
    Ok((!class.is_none()).then_some(class))
}

pub(crate) fn malformed(node_type: &str) -> NodeError {
    let message = format!(
        "`{node_type}` does not name a Python class: write `module:Class`, for example `features:Pitch`"
    );
    NodeError::new(ErrorKind::Unavailable, message)
}

fn absolute(folder: &Path) -> Option<OsString> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().ok().map(Into::into)
}

/// What the shim reads off a class.
#[derive(Deserialize)]
struct Description {
    version: String,
    summary: String,
    inputs: Vec<(String, PayloadKind)>,
    outputs: Vec<(String, PayloadKind)>,
    params_schema: Value,
    stateless: bool,
    heavy: bool,
}

/// The descriptor of a class.
pub(crate) fn describe(class: &Bound<'_, PyAny>, node_type: &str) -> Result<NodeDescriptor, NodeError> {
    let py = class.py();
    let described = shim::describe(py)
        .and_then(|shim| shim.call_method1("describe", (class,)))
        .map_err(|error| to_node_error(py, &error, Verb::Describe))?;
    let unreadable = |why: String| NodeError::internal(format!("`{node_type}` cannot be described: {why}"));
    let value = python_to_json(&described, 64).ok_or_else(|| unreadable("not JSON".into()))?;
    let description: Description =
        serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
    let ports = |ports: Vec<(String, PayloadKind)>| {
        ports.into_iter().map(|(name, kind)| PortSpec::new(name, kind)).collect()
    };
    Ok(NodeDescriptor {
        node_type: node_type.into(),
        version: description.version,
        summary: description.summary,
        inputs: ports(description.inputs),
        outputs: ports(description.outputs),
        params_schema: description.params_schema,
        stateless: description.stateless,
        heavy: description.heavy,
    })
}

/// The names that `remotemedia.nodes` exports, without running it; sorted.
pub(crate) fn node_types(config: &CpythonConfig, base_dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for package in packages(config, base_dir) {
        if let Ok(source) = std::fs::read_to_string(package.join("nodes/__init__.py")) {
            names.extend(exported(&source).map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// True when `remotemedia.nodes` exports `class`, so that importing the package is worth it.
pub(crate) fn may_be_builtin(config: &CpythonConfig, base_dir: &Path, class: &str) -> bool {
    node_types(config, base_dir).iter().any(|name| name == class)
}

/// The keys of the package's table of where its nodes are, one per line.
fn exported(source: &str) -> impl Iterator<Item = &str> {
    let table = source.lines().skip_while(|line| *line != "_WHERE = {").take_while(|line| *line != "}");
    table.filter_map(|line| line.trim_start().strip_prefix('"')?.split_once("\":")).map(|(name, _)| name)
}

/// Where the package `remotemedia` may be. A Python program that this process is has imported it.
fn packages(config: &CpythonConfig, base_dir: &Path) -> Vec<PathBuf> {
    if interpreter::joins() {
        let path = |py: Python<'_>| py.import("remotemedia")?.getattr("__path__")?.extract();
        return Python::attach(path).unwrap_or_default();
    }
    let installed = venv::find(config, base_dir).ok().flatten().map(|venv| venv.site_packages);
    config.module_paths.iter().cloned().chain(installed).map(|folder| folder.join("remotemedia")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_type_is_told_apart_by_its_text() {
        let qualified = |module, class| ClassName::Qualified { module, class };
        assert_eq!(ClassName::parse("features:Pitch"), qualified("features", "Pitch"));
        assert_eq!(ClassName::parse("my.pkg:Outer.Inner"), qualified("my.pkg", "Outer.Inner"));
        assert_eq!(ClassName::parse("AudioGain"), ClassName::Bare("AudioGain"));
        for foreign in ["", "audio-gain", "a b", "gain.wasm"] {
            assert_eq!(ClassName::parse(foreign), ClassName::Foreign, "{foreign}");
        }
        for malformed in [":Pitch", "features:", "a:b:c", "./features:Pitch", "../x:Y"] {
            assert_eq!(ClassName::parse(malformed), ClassName::Malformed, "{malformed}");
        }
    }

    #[test]
    fn the_packages_files_tell_which_bare_names_may_be_python() {
        let config = CpythonConfig::default();
        let types = node_types(&config, Path::new("/"));
        assert!(types.contains(&"SpectralCentroid".to_owned()), "{types:?}");
        assert!(may_be_builtin(&config, Path::new("/"), "SpectralCentroid"));
        assert!(!may_be_builtin(&config, Path::new("/"), "AudioResample"));
    }
}
