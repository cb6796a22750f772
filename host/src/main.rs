//! The binary `remotemedia`: parses the command line and hands over. What the verbs do is in `cli`.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    remotemedia_host::give_back_freed_memory();
    cli::main()
}
