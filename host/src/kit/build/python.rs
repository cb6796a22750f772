//! Python: componentize-py, which puts the interpreter and the node's modules into one component.

use std::path::Path;
use std::process::Command;

use crate::Config;
use crate::kit::tool::{command, find, run};
use crate::kit::{KitError, Project};

const BUILDER: (&str, &str) =
    ("it makes components of nodes in Python", "python3 -m pip install componentize-py==0.25.1");
const PYTHON: (&str, &str) = ("the unit tests run with it", "apt install python3, or https://www.python.org");
/// What another project's Python is told must not leak into the node.
const FOREIGN: [&str; 2] = ["PYTHONPATH", "PYTHONHOME"];

pub(super) fn build(config: &Config, project: &Project) -> Result<(), KitError> {
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
    builder.arg(&project.relative_component);
    run(builder, BUILDER)
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
    let mut tests = command(find(config, "python3"), &project.folder);
    tests.env_remove("PYTHONHOME").env("PYTHONPATH", "src:sdk").env("PYTHONDONTWRITEBYTECODE", "1");
    tests.args(["-m", "unittest", "discover", "-s", "tests"]);
    run(tests, PYTHON).map(|()| true)
}
