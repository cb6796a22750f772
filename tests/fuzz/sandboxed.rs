//! The sandbox of the fuzz targets, and their compiler: a fuzzer that is told to compile does that instead.

use std::path::Path;
use std::sync::Arc;

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{NodeDescriptor, NodeError, Runtime};
pub use remotemedia_wasm::{BinaryKind, Inspection};
use remotemedia_wasm::{
    CHILD_VERB, ChildFailure, ChildLimits, CompilerProgram, WasmConfig, WasmRuntime, compile_in_this_child,
    find_places_in_this_child,
};

/// What a host says about the component in a file.
pub type Describe = Box<dyn Fn(&Path) -> Result<NodeDescriptor, NodeError>>;

fn runtime(policy: SandboxPolicy, with_compiler: bool) -> WasmRuntime {
    let this = std::env::current_exe().expect("a fuzzer knows its own file");
    let compiler = with_compiler.then(|| CompilerProgram::from(this));
    WasmRuntime::new(WasmConfig { policy: policy.into(), compiler, ..WasmConfig::default() })
}

/// Components, under that policy.
pub fn sandbox(policy: SandboxPolicy) -> Arc<dyn Runtime> {
    Arc::new(runtime(policy, true))
}

/// A host under that policy, with a compiler or without.
pub fn describe(policy: SandboxPolicy, with_compiler: bool) -> Describe {
    let runtime = runtime(policy, with_compiler);
    Box::new(move |file| runtime.describe_file(file))
}

/// Does what a `remotemedia compile-component` does, when this process is one. Called before anything is fuzzed.
pub fn compile_if_told() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((CHILD_VERB, limits)) = arguments.split_first().map(|(verb, rest)| (&**verb, rest)) else {
        return;
    };
    let [_, component_bytes, _, memory_mb, _, cpu_seconds, places @ ..] = limits else {
        panic!("{limits:?}")
    };
    let limits = ChildLimits {
        component_bytes: component_bytes.parse().expect("a number"),
        memory_mb: memory_mb.parse().expect("a number"),
        cpu_seconds: cpu_seconds.parse().expect("a number"),
    };
    let done = match places {
        [] => compile_in_this_child(limits),
        [_, offsets] => {
            let offsets: Vec<u64> =
                offsets.split(',').map(|offset| offset.parse().expect("a number")).collect();
            find_places_in_this_child(limits, &offsets)
        }
        _ => panic!("{places:?}"),
    };
    let code = match done {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("error: {failure}");
            if matches!(failure, ChildFailure::Refused(_)) { 2 } else { 1 }
        }
    };
    std::process::exit(code);
}
