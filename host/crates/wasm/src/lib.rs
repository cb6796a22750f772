//! Runs nodes that are shipped as WebAssembly components. The only crate that knows wasmtime.
//!
//! Owns loading, the compile cache, the sandbox and the bindings of every WIT version. A guest sees no socket and no
//! other node, and of files and environment variables only what its manifest asks for and the operator's policy
//! grants; every resource it uses has a limit in the operator's [`SandboxPolicy`](remotemedia_core::SandboxPolicy). It decides nothing about graphs, retries or which runtime a node gets.

mod backtrace;
mod bindings;
mod bounded_random;
mod cache;
mod cache_eviction;
mod cache_key;
mod clocks;
mod compile;
mod coredump;
mod counters;
mod cpython_wasm;
mod deadline;
mod engine;
mod failure;
mod files;
mod freed_memory;
mod granted;
mod guest;
mod guest_log;
mod guest_output;
mod host_dirs;
mod inspect;
mod instance;
mod json_depth;
mod known_files;
mod limits;
mod linking;
mod loaded;
mod loader;
mod machine_code;
mod meter;
mod no_network;
mod node;
mod places;
mod restart;
mod runtime;
mod sealed_code;
mod seeded_random;
mod tenant;
mod ticker;
pub mod trust;
mod version;
mod watch;
mod wit_version;

pub use compile::{
    CHILD_VERB, ChildFailure, ChildLimits, CompilerProgram, compile_in_this_child, find_places_in_this_child,
};
pub use counters::SandboxCounts;
pub use cpython_wasm::{CpythonWasmConfig, CpythonWasmRuntime};
pub use freed_memory::give_back_freed_memory;
pub use inspect::{BinaryKind, Import, Inspection, Offer};
pub use runtime::{ComponentFacts, WasmConfig, WasmRuntime};
pub use version::WASMTIME_VERSION;
