//! The host: where the runtimes meet the engine. Everything that runs pipelines (the command line, the Python
//! SDK, a server) is built on [`Host`].
//!
//! Nothing expensive happens here: the interpreter and the wasm engine start when a node first needs them.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod conform;
mod host;
pub mod kit;
mod load;
mod lock;
pub mod media;
pub mod package;
mod policy;
pub mod report;
pub mod telemetry;

pub use config::{Config, ConfigError};
pub use host::Host;
pub use load::{LoadError, MOST_MANIFEST_BYTES};
pub use lock::{LOCK_FILE, LockFailure, Locked, LockedComponent};
pub use policy::{PolicyError, load_policy, policy_to_toml};
/// For those who build on the host alone.
pub use remotemedia_core as core;
/// For those who build on the host alone.
pub use remotemedia_engine as engine;
pub use remotemedia_python::{InterpreterInfo, LiveNode, LiveNodes, StreamClock, marshal};
pub use remotemedia_wasm::{
    BinaryKind, ChildFailure, ChildLimits, CompilerProgram, ComponentFacts, Import, Inspection, Offer,
    SandboxCounts, WASMTIME_VERSION, compile_in_this_child, find_places_in_this_child,
    give_back_freed_memory, trust,
};
