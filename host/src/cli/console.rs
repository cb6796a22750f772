//! Standard output and error: results, and a closed pipe, which is a reader that has seen enough.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};
use tracing::Level;

use super::args::When;
use super::failure::Failure;
use crate::media::what_to_do;
use crate::telemetry::{json_line, visible};

/// Whoever reads standard error reads the log, in JSON: what is told to people becomes lines of it.
static IS_JSON_LOG: AtomicBool = AtomicBool::new(false);

/// From now on every line on standard error is a JSON object, or not.
pub fn be_json_log(is_json: bool) {
    IS_JSON_LOG.store(is_json, Ordering::Relaxed);
}

/// Whether it is.
pub fn is_json_log() -> bool {
    IS_JSON_LOG.load(Ordering::Relaxed)
}

/// Writes `text` to standard output.
pub fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::reader_left()),
        Err(error) => {
            Err(Failure::output(format!("cannot write to standard output: {error}{}", what_to_do(&error))))
        }
        Ok(()) => Ok(()),
    }
}

/// Writes `value` as one line.
pub fn write_json(value: &Value) -> Result<(), Failure> {
    write(&format!("{value}\n"))
}

/// Writes a line for people to standard error, or a line of the JSON log.
pub fn tell(line: &str) {
    if is_json_log() {
        put(&json_line(Level::INFO, "remotemedia::cli", line.trim(), Map::new()));
    } else {
        put(&format!("{line}\n"));
    }
}

/// The same for what went wrong, in a node if one is named.
pub fn tell_error(message: &str, node: Option<&str>) {
    if is_json_log() {
        let node = node.map(|node| ("node".to_owned(), node.into()));
        put(&json_line(Level::ERROR, "remotemedia::cli", message.trim(), node.into_iter().collect()));
    } else {
        let error = for_stderr("\u{1b}[1;31merror:\u{1b}[0m", "error:");
        // A node's own words may be in it.
        put(&format!("{error} {}\n", visible(message)));
    }
}

/// Writes an object for programs to standard error.
pub fn tell_json(value: &Value) {
    put(&format!("{value}\n"));
}

/// That it cannot be written, to a full disk or to a pipe that nobody reads any more, is no reason to stop work or to call
/// it failed.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes help in colour to a terminal, plain elsewhere.
pub fn print(colored: &str, plain: &str) {
    let text = if io::stdout().is_terminal() { colored } else { plain };
    let _ = io::stdout().write_all(text.as_bytes());
}

/// The form of a message that suits standard error.
pub fn for_stderr<'a>(colored: &'a str, plain: &'a str) -> &'a str {
    if io::stderr().is_terminal() { colored } else { plain }
}

/// Whether a table goes to standard error.
pub fn wants_table(when: When) -> bool {
    when == When::Always || when == When::Auto && io::stderr().is_terminal()
}
