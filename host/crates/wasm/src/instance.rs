//! One instance of a component in its own store, and the calls into it under their deadlines. After a trap, or a
//! broken contract, there is no way back in: the store is gone.

use std::sync::Arc;

use remotemedia_core::{NodeDescriptor, NodeError, Outputs, Packet, Port, SandboxPolicy};
use wasmtime::Store;

use crate::bindings::{Boundary, CallFailure, Prepared};
use crate::counters::Counters;
use crate::engine::SandboxEngine;
use crate::failure::explain;
use crate::granted::Granted;
use crate::guest::Guest;
use crate::limits::{NodeLimits, ticks};
use crate::meter::ResourceMeter;
use crate::tenant::Tenant;
use crate::ticker::Ticking;

/// What an instance is made with.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub policy: Arc<SandboxPolicy>,
    pub node_limits: NodeLimits,
    pub granted: Arc<Granted>,
    pub tenant: Arc<Tenant>,
    pub counters: Arc<Counters>,
}

pub(crate) struct Instance {
    alive: Option<Alive>,
    /// Why it is not.
    death: Option<NodeError>,
    sandbox: Sandbox,
    call_ticks: u64,
    start_ticks: u64,
}

struct Alive {
    store: Store<Guest>,
    boundary: Boundary,
    _ticking: Ticking,
}

impl Instance {
    /// Instantiates a component.
    ///
    /// # Errors
    /// When a limit is hit or the guest's start code traps.
    pub fn start(
        engine: &SandboxEngine,
        prepared: &Prepared,
        node_id: &str,
        sandbox: Sandbox,
    ) -> Result<Self, NodeError> {
        let Sandbox { policy, node_limits, granted, tenant, counters } = &sandbox;
        let limits = &policy.limits;
        let meter = ResourceMeter::new(limits, node_limits, tenant.seat()?);
        let longest_wait = node_limits.start_timeout;
        let guest = Guest::new(node_id, limits, granted, meter, Arc::clone(counters), longest_wait)?;
        let mut store = Store::new(&engine.engine, guest);
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_max_component_handles(limits.handles);
        let start_ticks = ticks(limits, node_limits.start_timeout);
        let call_ticks = ticks(limits, node_limits.call_timeout);
        let ticking = engine.ticker.ticking();
        store.set_epoch_deadline(start_ticks);
        let boundary = prepared
            .instantiate(&mut store)
            .map_err(|error| explain(&error, store.data(), node_limits, true, counters))?;
        let alive = Some(Alive { store, boundary, _ticking: ticking });
        Ok(Self { alive, death: None, sandbox, call_ticks, start_ticks })
    }

    /// What the component says about itself.
    pub fn describe(&mut self) -> Result<NodeDescriptor, NodeError> {
        let policy = Arc::clone(&self.sandbox.policy);
        self.call(true, |alive| alive.boundary.describe(&mut alive.store, &policy.limits))
    }

    pub fn initialize(&mut self, params_json: &str) -> Result<(), NodeError> {
        let policy = Arc::clone(&self.sandbox.policy);
        self.call(true, |alive| alive.boundary.initialize(&mut alive.store, params_json, &policy.limits))
    }

    pub fn process(
        &mut self,
        descriptor: &NodeDescriptor,
        port: Port,
        packet: Packet,
        out: &mut Outputs,
    ) -> Result<(), NodeError> {
        let Self { alive: Some(alive), sandbox, .. } = self else { return Err(self.gone()) };
        alive.store.set_epoch_deadline(self.call_ticks);
        let guest = alive.store.data_mut();
        guest.meter.begin_call();
        guest.longest_wait = sandbox.node_limits.call_timeout;
        alive
            .boundary
            .process(&mut alive.store, &sandbox.policy.limits, descriptor, (port, packet), out)
            .map_err(|failure| self.failed(failure, false))
    }

    pub fn flush(&mut self, descriptor: &NodeDescriptor, out: &mut Outputs) -> Result<(), NodeError> {
        let policy = Arc::clone(&self.sandbox.policy);
        self.call(false, |alive| alive.boundary.flush(&mut alive.store, &policy.limits, descriptor, out))
    }

    /// What the guest's linear memories hold together; `None` when they are gone.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.alive.as_ref().map(|alive| alive.store.data().meter.memory_bytes() as u64)
    }

    /// The last call; does nothing when the guest trapped before. The store is gone afterwards.
    pub fn cleanup(&mut self) -> Result<(), NodeError> {
        if self.alive.is_none() {
            return Ok(());
        }
        let result = self.call(false, |alive| alive.boundary.cleanup(&mut alive.store));
        self.alive = None;
        result
    }

    fn call<R>(
        &mut self,
        starting: bool,
        verb: impl FnOnce(&mut Alive) -> Result<R, CallFailure>,
    ) -> Result<R, NodeError> {
        let Some(alive) = &mut self.alive else { return Err(self.gone()) };
        alive.store.set_epoch_deadline(if starting { self.start_ticks } else { self.call_ticks });
        let guest = alive.store.data_mut();
        guest.meter.begin_call();
        let NodeLimits { start_timeout, call_timeout, .. } = self.sandbox.node_limits;
        guest.longest_wait = if starting { start_timeout } else { call_timeout };
        verb(alive).map_err(|failure| self.failed(failure, starting))
    }

    #[cold]
    fn failed(&mut self, failure: CallFailure, starting: bool) -> NodeError {
        let error = match failure {
            CallFailure::Node(error) => return error,
            CallFailure::BrokenContract(error) => {
                Counters::add_one(&self.sandbox.counters.traps);
                error
            }
            CallFailure::Trap(error) => match &self.alive {
                Some(Alive { store, .. }) => {
                    let Sandbox { node_limits, counters, .. } = &self.sandbox;
                    explain(&error, store.data(), node_limits, starting, counters)
                }
                None => NodeError::internal(format!("{error:#}")),
            },
        };
        self.alive = None;
        self.death = Some(error.clone());
        error
    }

    #[cold]
    fn gone(&self) -> NodeError {
        match &self.death {
            Some(death) => {
                NodeError::new(death.kind, format!("was stopped after an earlier failure: {}", death.message))
            }
            None => NodeError::internal("was called after `cleanup`"),
        }
    }
}
