//! Finding and running the programs that a build needs. They are looked for in the folders of `REMOTEMEDIA_TOOLS`,
//! in their order, then on the `PATH`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::KitError;
use crate::Config;

/// Where `program` is; its bare name, which the system looks for on the `PATH`, when no folder of tools has it.
pub(super) fn find(config: &Config, program: &str) -> PathBuf {
    find_in(&config.tool_dirs, program).unwrap_or_else(|| program.into())
}

/// The first of `folders` that has `program`.
pub(super) fn find_in(folders: &[PathBuf], program: &str) -> Option<PathBuf> {
    let found = folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file())?;
    // The command runs in the node's folder, where a relative path would mean something else.
    Some(std::path::absolute(&found).unwrap_or(found))
}

/// A command in `folder` that prints where the user sees it, and never into our own standard output.
pub(super) fn command(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::from(io::stderr()));
    command
}

/// Runs `command` to its end. `missing` says what the program is for and how to install it.
pub(super) fn run(mut command: Command, missing: (&str, &str)) -> Result<(), KitError> {
    let status = command.status().map_err(|error| not_started(&command, missing, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(KitError::CommandFailed { command: shown(&command), status: status.to_string() })
}

/// What `command` prints, trimmed; `None` when it fails.
pub(super) fn answer(mut command: Command, missing: (&str, &str)) -> Result<Option<String>, KitError> {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let output = command.output().map_err(|error| not_started(&command, missing, &error))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success().then_some(text))
}

fn not_started(command: &Command, (purpose, install): (&str, &str), error: &io::Error) -> KitError {
    let program = command.get_program().to_string_lossy();
    let why = match error.kind() {
        io::ErrorKind::NotFound => "is neither in REMOTEMEDIA_TOOLS nor on the PATH".to_owned(),
        _ => format!("cannot be started ({error})"),
    };
    KitError::ToolMissing { what: format!("`{program}` {why}; {purpose}"), install: install.into() }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
