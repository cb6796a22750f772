//! What a store holds for its guest: an empty WASI, the meter, the log.

use std::sync::Arc;
use std::time::Duration;

use remotemedia_core::policy::SandboxLimits;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::counters::Counters;
use crate::guest_log::GuestLog;
use crate::guest_output::{Channel, GuestOutput};
use crate::limits::NodeLimits;
use crate::meter::ResourceMeter;

pub(crate) struct Guest {
    wasi: WasiCtx,
    pub table: ResourceTable,
    pub meter: ResourceMeter,
    pub log: GuestLog,
    /// The longest that one call into the host may wait; deadlines do not interrupt host code.
    pub longest_wait: Duration,
}

impl Guest {
    /// A guest to which nothing was granted.
    pub fn new(
        node_id: &str,
        limits: &SandboxLimits,
        node_limits: &NodeLimits,
        counters: Arc<Counters>,
    ) -> Self {
        let log = GuestLog::new(node_id, limits, counters);
        let wasi = WasiCtxBuilder::new()
            .stdout(GuestOutput { channel: Channel::Stdout, log: log.clone() })
            .stderr(GuestOutput { channel: Channel::Stderr, log: log.clone() })
            .max_random_size(limits.random_bytes)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        Self {
            wasi,
            table,
            meter: ResourceMeter::new(limits, node_limits),
            log,
            longest_wait: node_limits.call_timeout,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
