//! Python: componentize-py, which puts the interpreter and the node's modules into one component, and the SDK's `mend`,
//! which stops a leak of the interpreter's runtime.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Config;
use crate::kit::tool::{command, find, run};
use crate::kit::{KitError, Project};

const BUILDER: (&str, &str) =
    ("it makes components of nodes in Python", "python3 -m pip install componentize-py==0.25.1");
const PYTHON: (&str, &str) =
    ("the SDK's tools and the unit tests run with it", "apt install python3, or https://www.python.org");
/// What another project's Python is told must not leak into the node.
const FOREIGN: [&str; 2] = ["PYTHONPATH", "PYTHONHOME"];

pub(super) fn build(config: &Config, project: &Project) -> Result<(), KitError> {
    // Under another name until it is whole.
    let mut built = project.relative_component.clone().into_os_string();
    built.push(".built");
    let mut builder = componentize_py(&find(config, "componentize-py"), project);
    builder.args([
        "-q",
        "-d",
        "sdk/wit",
        "-w",
        "plugin",
        "componentize",
        "node",
        "-p",
        "src",
        "-p",
        "sdk",
        "-o",
    ]);
    builder.arg(&built);
    run(builder, BUILDER)?;
    let mut mend = python(config, project);
    mend.env("PYTHONPATH", "sdk");
    mend.args(["-m", "remotemedia_node.mend"]).arg(&built).arg("-o").arg(&project.relative_component);
    let mended = run(mend, PYTHON);
    let built = project.folder.join(built);
    fs::remove_file(&built).map_err(|error| KitError::io("remove", &built, error)).and(mended)
}

/// Python that finds the node and the SDK, and leaves nothing behind.
fn python(config: &Config, project: &Project) -> Command {
    let mut python = command(find(config, "python3"), &project.folder);
    python.env_remove("PYTHONHOME").env("PYTHONPATH", "src:sdk").env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// componentize-py takes packages from the active virtual environment; where it lies in one itself, that is the one.
fn componentize_py(program: &Path, project: &Project) -> Command {
    let mut builder = command(program, &project.folder);
    for name in FOREIGN {
        builder.env_remove(name);
    }
    if let Some(venv) =
        program.parent().and_then(Path::parent).filter(|venv| venv.join("pyvenv.cfg").is_file())
    {
        builder.env("VIRTUAL_ENV", venv);
    }
    builder
}

pub(super) fn unit_tests(config: &Config, project: &Project) -> Result<bool, KitError> {
    if !project.folder.join("tests").is_dir() {
        return Ok(false);
    }
    let mut tests = python(config, project);
    tests.args(["-m", "unittest", "discover", "-s", "tests"]);
    run(tests, PYTHON).map(|()| true)
}
