//! One instance of a component in its own store, and the calls into it under their deadlines. After a trap, or a
//! broken contract, there is no way back in: the store is gone.

use std::sync::Arc;

use remotemedia_core::{ErrorKind, NodeDescriptor, NodeError, Outputs, Packet, Port, SandboxPolicy};
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::{Boundary, CallFailure, Prepared};
use crate::coredump::Coredumps;
use crate::counters::Counters;
use crate::deadline::{Moment, Verdict, Work};
use crate::engine::SandboxEngine;
use crate::failure::explain;
use crate::files::Disk;
use crate::granted::Granted;
use crate::guest::Guest;
use crate::limits::NodeLimits;
use crate::meter::ResourceMeter;
use crate::places::Origin;
use crate::tenant::Tenant;
use crate::ticker::Ticker;

/// What an instance is made with.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub policy: Arc<SandboxPolicy>,
    pub node_limits: NodeLimits,
    pub granted: Arc<Granted>,
    pub tenant: Arc<Tenant>,
    pub disk: Arc<Disk>,
    pub counters: Arc<Counters>,
    /// Where core dumps go, if anywhere.
    pub coredumps: Option<Arc<Coredumps>>,
}

impl Sandbox {
    /// Why a call did not return, with all that can be said about it, once.
    fn explain(&self, error: &wasmtime::Error, store: &mut Store<Guest>, origin: &Origin) -> NodeError {
        let mut explained = explain(error, store.data(), origin, &self.policy, &self.counters);
        let dumps = self.coredumps.as_ref();
        let kept = dumps.and_then(|dumps| dumps.keep(error, store, origin.file(), &self.policy.crash));
        match kept {
            None => {}
            Some(Ok(file)) => {
                let place = file.display();
                explained.message = format!("{} (core dump: {place})", explained.message).into();
            }
            Some(Err(reason)) => {
                tracing::warn!(target: "remotemedia::guest", node = %store.data().log.node_id(), "no core dump: {reason}");
            }
        }
        explained
    }
}

pub(crate) struct Instance {
    alive: Option<Alive>,
    /// Why it is not.
    death: Option<Box<NodeError>>,
    sandbox: Sandbox,
    origin: Arc<Origin>,
}

struct Alive {
    store: Store<Guest>,
    boundary: Boundary,
    /// Held by every instance: one that outlives its runtime still has deadlines.
    ticker: Arc<Ticker>,
    /// Calls in a row that found the ticker not to have looked.
    unnoticed: u32,
}

impl Alive {
    /// Starts the clock of a call.
    fn begin(&mut self, work: Work, counters: &Counters) -> Result<(), NodeError> {
        let guest = self.store.data_mut();
        guest.meter.begin_call();
        guest.deadline.begin(work);
        self.store.set_epoch_deadline(1);
        self.ticker.call_begins(&mut self.unnoticed).map_err(|stalled| {
            Counters::add_one(&counters.unguarded_calls_refused);
            NodeError::new(ErrorKind::Unavailable, stalled.to_string())
        })
    }
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
        let Sandbox { policy, node_limits, granted, tenant, disk, counters, .. } = &sandbox;
        let limits = &policy.limits;
        let meter = ResourceMeter::new(limits, node_limits, tenant.seat()?);
        let guest = Guest::new(
            node_id,
            limits,
            granted,
            meter,
            Arc::clone(disk),
            Arc::clone(counters),
            node_limits.terms,
        )?;
        let mut store = Store::new(&engine.engine, guest);
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_max_component_handles(limits.handles);
        let ticker = Arc::clone(&engine.ticker);
        store.epoch_deadline_callback(move |mut store| {
            ticker.want();
            Ok(match store.data_mut().deadline.tick(Moment::now()) {
                Verdict::GoOn => UpdateDeadline::Continue(1),
                Verdict::Stop => UpdateDeadline::Interrupt,
            })
        });
        store.set_epoch_deadline(1);
        engine.ticker.want();
        let origin = Arc::clone(prepared.origin());
        let boundary = match prepared.instantiate(&mut store) {
            Ok(boundary) => boundary,
            Err(error) => return Err(sandbox.explain(&error, &mut store, &origin)),
        };
        let alive = Alive { store, boundary, ticker: Arc::clone(&engine.ticker), unnoticed: 0 };
        Ok(Self { alive: Some(alive), death: None, sandbox, origin })
    }

    /// False after a trap, a broken contract or `cleanup`.
    pub fn is_alive(&self) -> bool {
        self.alive.is_some()
    }

    /// What the component says about itself.
    pub fn describe(&mut self) -> Result<NodeDescriptor, NodeError> {
        self.call(Work::Starting, |alive, policy| alive.boundary.describe(&mut alive.store, &policy.limits))
    }

    pub fn initialize(&mut self, params_json: &str) -> Result<(), NodeError> {
        self.call(Work::Starting, |alive, policy| {
            alive.boundary.initialize(&mut alive.store, params_json, &policy.limits)
        })
    }

    pub fn process(
        &mut self,
        descriptor: &NodeDescriptor,
        port: Port,
        packet: Packet,
        out: &mut Outputs,
    ) -> Result<(), NodeError> {
        self.call(Work::on(&packet), |alive, policy| {
            alive.boundary.process(&mut alive.store, &policy.limits, descriptor, (port, packet), out)
        })
    }

    pub fn flush(&mut self, descriptor: &NodeDescriptor, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(Work::Other, |alive, policy| {
            alive.boundary.flush(&mut alive.store, &policy.limits, descriptor, out)
        })
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
        let result = self.call(Work::Other, |alive, _| alive.boundary.cleanup(&mut alive.store));
        self.alive = None;
        result
    }

    #[inline]
    fn call<R>(
        &mut self,
        work: Work,
        verb: impl FnOnce(&mut Alive, &SandboxPolicy) -> Result<R, CallFailure>,
    ) -> Result<R, NodeError> {
        let Self { alive: Some(alive), sandbox, .. } = self else { return Err(self.gone()) };
        alive.begin(work, &sandbox.counters)?;
        verb(alive, &sandbox.policy).map_err(|failure| self.failed(failure))
    }

    #[cold]
    fn failed(&mut self, failure: CallFailure) -> NodeError {
        let error = match failure {
            CallFailure::Node(error) => return error,
            CallFailure::BrokenContract(error) => {
                Counters::add_one(&self.sandbox.counters.traps);
                error
            }
            CallFailure::Trap(error) => match &mut self.alive {
                Some(Alive { store, .. }) => self.sandbox.explain(&error, store, &self.origin),
                None => NodeError::internal(format!("{error:#}")),
            },
        };
        self.alive = None;
        self.death = Some(Box::new(error.clone()));
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
