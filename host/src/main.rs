//! The binary `remotemedia`: hands its command line over. What the verbs do is in the library's `cli`.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    ExitCode::from(remotemedia_host::cli::run(&arguments, None))
}
