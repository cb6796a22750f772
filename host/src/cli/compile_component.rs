//! `compile-component`: the inside of the process that compiles. The other verbs start it; people do not.

use crate::{ChildFailure, ChildLimits, compile_in_this_child, find_places_in_this_child};

use super::args::CompileArgs;
use super::failure::Failure;

/// Machine code, or places in the source, on standard output, or one line on standard error.
pub fn compile_component(args: &CompileArgs) -> Result<(), Failure> {
    let CompileArgs { component_bytes, memory_mb, cpu_seconds, .. } = *args;
    let limits = ChildLimits { component_bytes, memory_mb, cpu_seconds };
    let done = match &*args.places {
        [] => compile_in_this_child(limits),
        offsets => find_places_in_this_child(limits, offsets),
    };
    done.map_err(|failure| match failure {
        ChildFailure::Refused(_) => Failure::usage(failure.to_string()),
        _ => Failure::output(failure.to_string()),
    })
}
