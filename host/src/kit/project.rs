//! `remotemedia-node.toml`: what the kit knows about a node's folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::KitError;

/// The name of the file at the root of a node's folder.
const FILE: &str = "remotemedia-node.toml";

/// What a node is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named after the languages")]
pub enum Language {
    Rust,
    Python,
    Js,
    C,
}

impl Language {
    /// The name in `remotemedia-node.toml` and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Js => "js",
            Self::C => "c",
        }
    }

    /// Where the component of a new node lies after a build, relative to its folder.
    pub(super) fn component(self, name: &str) -> String {
        match self {
            Self::Rust => format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_")),
            _ => format!("build/{name}.wasm"),
        }
    }
}

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// The node's name.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// Where its component is after a build.
    pub component: PathBuf,
    /// The same, relative to the folder.
    pub(super) relative_component: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    node: NodeTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    name: String,
    language: Language,
    component: PathBuf,
}

impl Project {
    /// Reads the node's folder `folder`.
    ///
    /// # Errors
    /// When it is none, or its `remotemedia-node.toml` says something wrong.
    pub fn open(folder: &Path) -> Result<Self, KitError> {
        let file = folder.join(FILE);
        let text = fs::read_to_string(&file).map_err(|error| {
            KitError::Usage(format!(
                "`{}` is no node's folder: its {FILE} cannot be read ({error}). Make one with `remotemedia node new \
                 NAME --lang rust`, or name another folder",
                folder.display()
            ))
        })?;
        let Text { node } = toml::from_str(&text).map_err(|error| {
            KitError::Usage(format!("`{}` is wrong: {}", file.display(), error.to_string().trim_end()))
        })?;
        Ok(Self {
            folder: folder.into(),
            name: node.name,
            language: node.language,
            component: folder.join(&node.component),
            relative_component: node.component,
        })
    }

    /// The component, which must have been built.
    ///
    /// # Errors
    /// When it has not been.
    pub fn built_component(&self) -> Result<&Path, KitError> {
        if self.component.is_file() {
            return Ok(&self.component);
        }
        Err(KitError::Usage(format!(
            "`{}` is not there: build it first with `remotemedia node build {}`",
            self.component.display(),
            self.folder.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Project, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), text).unwrap();
        Project::open(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_component_is_relative_to_the_folder() {
        let project =
            opened("[node]\nname = \"a\"\nlanguage = \"js\"\ncomponent = \"build/a.wasm\"\n").unwrap();
        assert_eq!(project.language, Language::Js);
        assert_eq!(project.component, project.folder.join("build/a.wasm"));
        assert!(project.built_component().unwrap_err().to_string().contains("remotemedia node build"));
    }

    #[test]
    fn a_typo_and_an_unknown_language_are_named_with_their_line() {
        let error = opened("[node]\nname = \"a\"\nlanguage = \"go\"\ncomponent = \"a\"\n").unwrap_err();
        assert!(error.contains("line 3") && error.contains("`js`"), "{error}");
        let error = opened("[node]\nnmae = \"a\"\n").unwrap_err();
        assert!(error.contains("nmae") && error.contains("`name`"), "{error}");
    }

    #[test]
    fn a_folder_without_the_file_is_told_what_to_do() {
        let error = Project::open(Path::new("/none")).unwrap_err().to_string();
        assert!(error.contains("remotemedia node new"), "{error}");
    }
}
