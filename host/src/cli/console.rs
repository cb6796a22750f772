//! Standard output and error: results, and a closed pipe, which is a reader that has seen enough.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde_json::Value;

use super::args::When;
use super::failure::Failure;
use crate::media::what_to_do;

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

/// Writes a line for people to standard error. That it cannot be written, to a full disk or to a pipe that nobody reads
/// any more, is no reason to stop work or to call it failed.
pub fn tell(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
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
