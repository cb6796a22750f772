//! Runs nodes that are shipped as WebAssembly components. The only crate that knows wasmtime.
//!
//! Owns loading, the compile cache, the sandbox and the bindings of every WIT version. It deliberately grants
//! nothing: a guest sees no file, socket, environment variable or other node, and every resource it uses has a
//! limit in the operator's [`SandboxPolicy`](remotemedia_core::SandboxPolicy). It decides nothing about graphs, retries or which runtime a node gets.

mod bindings;
mod cache;
mod cache_key;
mod counters;
mod engine;
mod failure;
mod guest;
mod guest_log;
mod guest_output;
mod instance;
mod limits;
mod linking;
mod loader;
mod meter;
mod node;
mod runtime;
mod ticker;

/// The version of wasmtime that runs the components.
pub const WASMTIME_VERSION: &str = wasmtime_environ::VERSION;

pub use counters::SandboxCounts;
pub use runtime::{WasmConfig, WasmRuntime};
