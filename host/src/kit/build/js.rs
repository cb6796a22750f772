//! JavaScript: componentize-qjs, which puts the QuickJS engine and the node's modules into one component.

use std::path::PathBuf;

use crate::Config;
use crate::kit::tool::{command, find, find_in, run};
use crate::kit::{KitError, Project};

const BUILDER: (&str, &str) = (
    "it makes components of nodes in JavaScript",
    "`npm install --global componentize-qjs@0.4.3`, or without --global in the node's folder (npm: `apt install npm`)",
);
const NODE: (&str, &str) = ("the unit tests run with it", "`apt install nodejs`, or https://nodejs.org");

pub(super) fn build(config: &Config, project: &Project) -> Result<(), KitError> {
    let mut builder = command(componentize_qjs(config, project), &project.folder);
    // No asynchronous functions, which the host refuses, and no use for what the engine itself would import.
    builder.args(["--sync", "--stub-wasi", "--wit", "sdk/wit", "--world", "plugin", "--module-root", "."]);
    builder.args(["--js", "src/node.js", "--output"]).arg(&project.relative_component);
    run(builder, BUILDER)
}

/// Also where `npm install` puts it in the node's own folder.
fn componentize_qjs(config: &Config, project: &Project) -> PathBuf {
    const NAME: &str = "componentize-qjs";
    let own = project.folder.join("node_modules/.bin");
    find_in(&config.tool_dirs, NAME).or_else(|| find_in(&[own], NAME)).unwrap_or_else(|| NAME.into())
}

pub(super) fn unit_tests(config: &Config, project: &Project) -> Result<bool, KitError> {
    if !project.folder.join("tests").is_dir() {
        return Ok(false);
    }
    let mut tests = command(find(config, "node"), &project.folder);
    tests.args(["--import", "./sdk/testing.js", "--test"]);
    run(tests, NODE).map(|()| true)
}
