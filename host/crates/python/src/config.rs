//! What the host decides about Python before an interpreter exists. Plain values: environment variables and
//! manifests are read elsewhere.

use std::path::{Path, PathBuf};

/// `X.Y` of the libpython this host was built against.
pub const PYTHON_VERSION: &str = env!("REMOTEMEDIA_BUILD_PYTHON_VERSION");

/// The installation whose standard library belongs to that libpython.
pub(crate) const BASE_PREFIX: &str = env!("REMOTEMEDIA_BUILD_PYTHON_BASE_PREFIX");

/// The interpreter the host was built with; in a build from this repository, that of its `.venv`.
pub(crate) const BUILD_EXECUTABLE: &str = env!("REMOTEMEDIA_BUILD_PYTHON_EXECUTABLE");

/// Settings of the Python runtime. The first node that needs the interpreter fixes them for the process.
#[derive(Clone, Debug)]
pub struct CpythonConfig {
    /// The virtual environment to use, named by the operator. It must fit, or nothing starts.
    pub venv: Option<PathBuf>,
    /// The value of `VIRTUAL_ENV`: the virtual environment that the user's shell has activated.
    pub virtual_env: Option<PathBuf>,
    /// Where the user is. A `.venv` here or above is found after one beside the manifest.
    pub current_dir: Option<PathBuf>,
    /// Folders put at the end of `sys.path`, so that what is installed comes first. By default the one with this
    /// repository's `remotemedia` package, where that exists; none in a Python module, which is part of a package.
    pub module_paths: Vec<PathBuf>,
    /// What an interpreter that the host starts finds in `os.environ` beside what the process has.
    pub environment: Vec<(String, String)>,
}

impl Default for CpythonConfig {
    fn default() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../sdk-python/python");
        let module_paths =
            if cfg!(Py_LIMITED_API) { Vec::new() } else { package.canonicalize().into_iter().collect() };
        Self { venv: None, virtual_env: None, current_dir: None, module_paths, environment: Vec::new() }
    }
}
