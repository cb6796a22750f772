//! `compile-component`: the inside of the process that compiles. The other verbs start it; people do not.

use crate::{ChildFailure, ChildLimits, compile_in_this_child};

use super::args::CompileArgs;
use super::failure::Failure;

/// Machine code on standard output, or one line on standard error.
pub fn compile_component(args: &CompileArgs) -> Result<(), Failure> {
    let CompileArgs { component_bytes, memory_mb, cpu_seconds } = *args;
    compile_in_this_child(ChildLimits { component_bytes, memory_mb, cpu_seconds }).map_err(|failure| {
        match failure {
            ChildFailure::Refused(_) => Failure::usage(failure.to_string()),
            _ => Failure::output(failure.to_string()),
        }
    })
}
