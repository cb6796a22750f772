//! The guest `gain` run by bare wasmtime, without anything of ours around it: what the benches compare with.

use std::path::Path;

use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

wasmtime::component::bindgen!({
    path: "../wit/v0.1.0",
    world: "plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
});

use remotemedia::node::host;
use remotemedia::node::types::{AudioParam, PacketParam, PayloadParam, PayloadResult, SampleFormat};

struct State(WasiCtx, ResourceTable);

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.0, table: &mut self.1 }
    }
}

impl host::Host for State {
    fn log(&mut self, _: host::Level, _: String) {}
}

/// A compiled component and an engine with a pool for its instances.
pub struct Compiled(PluginPre<State>);

impl Compiled {
    /// Compiles the component in `file`, with room for `instances` at once.
    pub fn new(file: &Path, instances: u32) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(4))
            .total_memories(instances)
            .total_tables(instances.saturating_mul(2));
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .epoch_interruption(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = wasmtime::Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        host::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        let component = Component::from_file(&engine, file)?;
        Ok(Self(PluginPre::new(linker.instantiate_pre(&component)?)?))
    }

    /// An initialized instance.
    pub fn start(&self) -> wasmtime::Result<Gain> {
        let state = State(WasiCtx::builder().build(), ResourceTable::new());
        let mut store = Store::new(self.0.engine(), state);
        store.set_epoch_deadline(u64::MAX / 2);
        let plugin = self.0.instantiate(&mut store)?;
        let started = plugin.remotemedia_node_node().call_initialize(&mut store, "{}")?;
        assert!(started.is_ok(), "gain refuses its defaults");
        Ok(Gain { store, plugin })
    }
}

/// One instance in its store.
pub struct Gain {
    store: Store<State>,
    plugin: Plugin,
}

impl Gain {
    /// One call; gives the samples that came back.
    pub fn call(&mut self, samples: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let audio =
            AudioParam { format: SampleFormat::Float32, sample_rate: 48_000, channels: 1, data: samples };
        let packet = PacketParam { pts_ns: 0, payload: PayloadParam::Audio(audio) };
        let node = self.plugin.remotemedia_node_node();
        let outputs = node.call_process(&mut self.store, 0, packet)?.unwrap_or_default();
        match outputs.into_iter().next().map(|output| output.packet.payload) {
            Some(PayloadResult::Audio(audio)) => Ok(audio.data),
            _ => wasmtime::bail!("gain gave no audio"),
        }
    }
}
