//! Finds the virtual environment whose packages the nodes use, and checks that they fit this host's libpython.
//! Reads files only; it knows nothing of a running interpreter.
//!
//! First match wins: the operator's choice, `VIRTUAL_ENV`, `.venv` beside the manifest or above it, `.venv` in the
//! current folder or above it, the environment that the host was built with. One that is named or found but does not
//! fit is an error, never skipped.

use std::path::{Path, PathBuf};

use remotemedia_core::{ErrorKind, NodeError};
use serde::Serialize;

use crate::config::{BASE_PREFIX, BUILD_EXECUTABLE, CpythonConfig, PYTHON_VERSION};

/// Why a virtual environment was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VenvSource {
    /// The operator named it.
    Config,
    /// The shell has activated it (`VIRTUAL_ENV`).
    Activated,
    /// It lies beside the manifest or above it.
    NearManifest,
    /// It lies in the current folder or above it.
    NearCurrentDir,
    /// The host was built with it.
    Build,
}

impl VenvSource {
    fn origin(self) -> &'static str {
        match self {
            Self::Config => "chosen by the operator",
            Self::Activated => "from VIRTUAL_ENV",
            Self::NearManifest => "found near the manifest",
            Self::NearCurrentDir => "found near the current folder",
            Self::Build => "that the host was built with",
        }
    }
}

/// A virtual environment that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Venv {
    /// Its folder, absolute.
    pub path: PathBuf,
    /// How it was found.
    pub source: VenvSource,
    /// Where its packages are.
    pub site_packages: PathBuf,
}

impl Venv {
    /// Its interpreter, which child processes of nodes are started with.
    #[must_use]
    pub fn executable(&self) -> PathBuf {
        self.path.join("bin").join("python")
    }

    fn open(path: &Path, source: VenvSource) -> Result<Self, NodeError> {
        let unfit = |why: String| {
            let message = format!("the virtual environment {} ({}) {why}", path.display(), source.origin());
            NodeError::new(ErrorKind::Unavailable, message)
        };
        let settings = std::fs::read_to_string(path.join("pyvenv.cfg"))
            .map_err(|error| unfit(format!("has no readable pyvenv.cfg: {error}")))?;
        let version = python_version(&settings).ok_or_else(|| unfit("does not say its version".into()))?;
        if version != PYTHON_VERSION {
            return Err(unfit(format!(
                "is for Python {version}, but this host embeds Python {PYTHON_VERSION} of {BASE_PREFIX}: make it \
                 anew with that Python, or build the host with PYO3_PYTHON={}/bin/python",
                path.display()
            )));
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let threading = if cfg!(Py_GIL_DISABLED) { "t" } else { "" };
        let site_packages = path.join(format!("lib/python{PYTHON_VERSION}{threading}/site-packages"));
        if !site_packages.is_dir() {
            return Err(unfit(format!("lacks {}", site_packages.display())));
        }
        Ok(Self { path, source, site_packages })
    }
}

/// The virtual environment to use for a manifest in `base_dir`; `None` when there is none at all.
///
/// # Errors
/// `Unavailable` when the first one found is broken or belongs to another Python version.
pub fn find(config: &CpythonConfig, base_dir: &Path) -> Result<Option<Venv>, NodeError> {
    let named = [(&config.venv, VenvSource::Config), (&config.virtual_env, VenvSource::Activated)];
    for (path, source) in named {
        if let Some(path) = path {
            return Venv::open(path, source).map(Some);
        }
    }
    let near = [
        (Some(base_dir), VenvSource::NearManifest),
        (config.current_dir.as_deref(), VenvSource::NearCurrentDir),
    ];
    for (folder, source) in near {
        if let Some(path) = folder.and_then(dot_venv_above) {
            return Venv::open(&path, source).map(Some);
        }
    }
    let built_with = Path::new(BUILD_EXECUTABLE).parent().and_then(Path::parent);
    match built_with.filter(|path| path.join("pyvenv.cfg").is_file()) {
        Some(path) => Venv::open(path, VenvSource::Build).map(Some),
        None => Ok(None),
    }
}

fn dot_venv_above(folder: &Path) -> Option<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize().ok()?;
    folder.ancestors().map(|folder| folder.join(".venv")).find(|path| path.join("pyvenv.cfg").is_file())
}

/// `X.Y` out of a pyvenv.cfg: `version` is written by venv, `version_info` by virtualenv and uv.
fn python_version(settings: &str) -> Option<String> {
    settings.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        if !matches!(key.trim(), "version" | "version_info") {
            return None;
        }
        let mut parts = value.trim().split('.');
        Some(format!("{}.{}", parts.next()?, parts.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make_venv(path: &Path, version_line: &str) {
        std::fs::create_dir_all(path.join(format!("lib/python{PYTHON_VERSION}/site-packages"))).unwrap();
        std::fs::write(path.join("pyvenv.cfg"), format!("home = /usr/bin\n{version_line}\n")).unwrap();
    }

    fn config() -> CpythonConfig {
        CpythonConfig { module_paths: Vec::new(), ..CpythonConfig::default() }
    }

    #[test]
    fn the_nearest_reason_wins() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let manifest_dir = root.join("project/pipelines");
        std::fs::create_dir_all(&manifest_dir).unwrap();
        let line = format!("version = {PYTHON_VERSION}.99");
        for name in ["project/.venv", "here/.venv", "activated", "chosen"] {
            make_venv(&root.join(name), &line);
        }
        let mut config = config();
        let found = |config: &CpythonConfig, dir: &Path| {
            let venv = find(config, dir).unwrap().unwrap();
            (venv.path.strip_prefix(&root).unwrap().to_path_buf(), venv.source)
        };
        config.current_dir = Some(root.join("here"));
        assert_eq!(found(&config, &root.join("none")), ("here/.venv".into(), VenvSource::NearCurrentDir));
        assert_eq!(found(&config, &manifest_dir), ("project/.venv".into(), VenvSource::NearManifest));
        config.virtual_env = Some(root.join("activated"));
        assert_eq!(found(&config, &manifest_dir), ("activated".into(), VenvSource::Activated));
        config.venv = Some(root.join("chosen"));
        assert_eq!(found(&config, &manifest_dir), ("chosen".into(), VenvSource::Config));
    }

    #[test]
    fn an_environment_of_another_python_is_refused_with_both_versions_named() {
        let root = tempfile::tempdir().unwrap();
        make_venv(&root.path().join(".venv"), "version_info = 3.7.1.final.0");
        let error = find(&config(), root.path()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.message.contains("is for Python 3.7,"), "{error}");
        assert!(error.message.contains(&format!("embeds Python {PYTHON_VERSION}")), "{error}");
    }

    #[test]
    fn a_named_environment_that_is_not_there_is_an_error() {
        let config = CpythonConfig { venv: Some("/nonexistent/venv".into()), ..config() };
        let error = find(&config, Path::new("/")).unwrap_err();
        assert!(error.message.contains("/nonexistent/venv (chosen by the operator)"), "{error}");
    }

    #[test]
    fn both_spellings_of_the_version_are_read() {
        assert_eq!(python_version("home = /x\nversion = 3.12.4\n").as_deref(), Some("3.12"));
        assert_eq!(python_version("version_info = 3.13.0rc1").as_deref(), Some("3.13"));
        assert_eq!(python_version("home = /x"), None);
    }
}
