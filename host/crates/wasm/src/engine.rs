//! The wasmtime engine, set up for untrusted audio nodes: synchronous, pooled, interruptible, and with every
//! proposal that such nodes do not need switched off.

use std::sync::Arc;
use std::time::Duration;

use remotemedia_core::policy::{Pool, SandboxPolicy};
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

use crate::guest::Guest;
use crate::limits::mebibytes;
use crate::linking::linker;
use crate::ticker::Ticker;

/// An engine, what its guests may import, and the thread that ends calls at their deadline.
pub(crate) struct SandboxEngine {
    pub engine: Engine,
    pub linker: Linker<Guest>,
    pub ticker: Arc<Ticker>,
}

impl SandboxEngine {
    /// Builds the engine. With `coredumps`, what fails carries what a core dump is made of.
    ///
    /// # Errors
    /// When the system gives neither address space nor a thread.
    pub fn new(policy: &SandboxPolicy, coredumps: bool) -> wasmtime::Result<Self> {
        let config = || {
            let mut config = config(policy);
            config.coredump_on_trap(coredumps);
            config
        };
        let engine = match Engine::new(config().allocation_strategy(pool(policy))) {
            Ok(engine) => engine,
            // A pool reserves terabytes of address space, which a container may forbid.
            Err(error) if policy.limits.pool == Pool::Optional => {
                tracing::warn!("no pool for wasm instances, they will start slower: {error:#}");
                Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand))?
            }
            Err(error) => {
                return Err(error.context(format!(
                    "the address space for {} wasm nodes cannot be reserved: lift the process's limit (`ulimit -v`), \
                     lower `limits.running_nodes` of the policy, or set its `limits.pool` to \"optional\"",
                    policy.limits.running_nodes
                )));
            }
        };
        let linker = linker(&engine)?;
        let ticker = Ticker::start(&engine, Duration::from_millis(policy.limits.deadline_tick_ms.max(1)))?;
        Ok(Self { engine, linker, ticker })
    }
}

/// What neither Rust and C nor the interpreted guests are compiled to. By name, so that a wasmtime that starts to
/// switch one of them on does not change what a guest may do. Multiple memories are not among them: without them
/// wasmtime panics over a component that is made of several (as those of JavaScript are), and the memory limit counts
/// all memories of a node.
const REFUSED: [WasmFeatures; 22] = [
    WasmFeatures::THREADS,
    WasmFeatures::SHARED_EVERYTHING_THREADS,
    WasmFeatures::MEMORY64,
    WasmFeatures::CUSTOM_PAGE_SIZES,
    WasmFeatures::GC,
    WasmFeatures::GC_TYPES,
    WasmFeatures::FUNCTION_REFERENCES,
    WasmFeatures::EXCEPTIONS,
    WasmFeatures::LEGACY_EXCEPTIONS,
    WasmFeatures::TAIL_CALL,
    WasmFeatures::RELAXED_SIMD,
    WasmFeatures::STACK_SWITCHING,
    WasmFeatures::WIDE_ARITHMETIC,
    WasmFeatures::CM_ASYNC,
    WasmFeatures::CM_ASYNC_STACKFUL,
    WasmFeatures::CM_MORE_ASYNC_BUILTINS,
    WasmFeatures::CM_THREADING,
    WasmFeatures::CM_ERROR_CONTEXT,
    WasmFeatures::CM_GC,
    WasmFeatures::CM64,
    WasmFeatures::CM_MAP,
    WasmFeatures::CM_FIXED_LENGTH_LISTS,
];

/// The settings of an engine that only compiles, for a process with little address space. What decides about the code
/// is the same as in [`SandboxEngine`]; if it ever were not, its code would be refused.
pub(crate) fn compiling_config() -> Config {
    let mut config = config(&SandboxPolicy::default());
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}

fn config(policy: &SandboxPolicy) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(policy.limits.stack_bytes)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(policy.limits.backtrace_frames))
        // Debug info is read elsewhere, and only after a trap (see `places`): here it would only make the code larger.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true)
        .shared_memory(false);
    for feature in REFUSED {
        config.wasm_features(feature, false);
    }
    config
}

/// Places of the pool for nodes that no longer count but are still being taken down.
const LEAVING_NODES: u32 = 16;

/// What an unused slot may keep of each memory, for the hundred slots that were used last.
const KEPT_BYTES: usize = 256 << 10;

/// The pool holds what the largest manifest may ask for.
fn pool(policy: &SandboxPolicy) -> InstanceAllocationStrategy {
    let limits = &policy.limits;
    let nodes = limits.running_nodes.saturating_add(LEAVING_NODES);
    let per_node = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(nodes)
        .total_core_instances(nodes.saturating_mul(4))
        .total_memories(nodes)
        .total_tables(nodes.saturating_mul(2))
        .max_core_instances_per_component(per_node(limits.instances))
        .max_memories_per_component(per_node(limits.memories))
        .max_tables_per_component(per_node(limits.tables))
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .table_elements(limits.table_elements)
        .max_memory_size(mebibytes(policy.maximum.memory_mb.max(limits.memory_mb).into()));
    // A slot is made clean for its next guest page by page, without giving its pages back to the system: taking
    // them again would be most of the time that a new node takes.
    pool.linear_memory_keep_resident(KEPT_BYTES).pagemap_scan(Enabled::Auto);
    // Stacks of asynchronous guests, of which there are none: reserving them would be half of making the pool.
    pool.total_stacks(0);
    InstanceAllocationStrategy::Pooling(pool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_core::policy::SandboxLimits;
    use wasmtime::component::Component;

    fn engine() -> SandboxEngine {
        let limits = SandboxLimits { running_nodes: 2, ..SandboxLimits::default() };
        SandboxEngine::new(&SandboxPolicy { limits, ..SandboxPolicy::default() }, false).unwrap()
    }

    #[test]
    fn proposals_that_audio_nodes_do_not_need_are_refused() {
        let engine = engine();
        for (proposal, module) in [
            ("threads", "(module (memory 1 1 shared))"),
            ("memory64", "(module (memory i64 1))"),
            ("gc", "(module (type (struct (field i32))))"),
            ("exceptions", "(module (tag (param i32)))"),
            ("function references", "(module (type $f (func)) (func (param (ref $f))))"),
            ("tail calls", "(module (func $f return_call $f))"),
            (
                "relaxed simd",
                "(module (func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle))",
            ),
            (
                "wide arithmetic",
                "(module (func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_s))",
            ),
        ] {
            let bytes =
                wat::parse_str(format!("(component (core {}", &module[1..]).to_string() + ")").unwrap();
            assert!(Component::from_binary(&engine.engine, &bytes).is_err(), "{proposal} is accepted");
        }
        let simd = "(component (core module (func (param v128 v128) (result v128) local.get 0 local.get 1 f32x4.mul)))";
        assert!(Component::from_binary(&engine.engine, &wat::parse_str(simd).unwrap()).is_ok());
        let asynchronous = r#"(component (type $f (future u8)) (core func (canon future.new $f)))"#;
        assert!(Component::from_binary(&engine.engine, &wat::parse_str(asynchronous).unwrap()).is_err());
    }
}
