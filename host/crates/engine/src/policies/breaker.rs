//! Keeps calls away from a node that fails and fails, so that it stops costing its sessions time.
//!
//! One circuit belongs to a node type with its params, on one runtime: all pipelines of a process that run it share
//! it, and a new pipeline meets it as the last one left it. Tenants do not share circuits: none can open another's.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use remotemedia_core::manifest::BreakerSpec;
use remotemedia_core::{ErrorKind, Node, NodeError, NodeManifest, Outputs, Packet, Port, RuntimeKind};

pub use super::circuit::BreakerState;
use super::circuit::{Circuit, Outcome, Ticket};
use super::clock::Clock;
use crate::control::lock;

/// How many circuits are kept of which no pipeline runs; beyond that those that are closed are forgotten first.
const KEPT_CIRCUITS: usize = 1_024;

/// A circuit that several threads share.
pub(crate) struct Breaker {
    circuit: Mutex<Circuit>,
}

impl Breaker {
    pub(crate) fn new(spec: BreakerSpec) -> Self {
        Self { circuit: Mutex::new(Circuit::new(spec)) }
    }

    pub(crate) fn state(&self) -> BreakerState {
        lock(&self.circuit).state()
    }

    pub(crate) fn admit(&self, now: Duration) -> Result<Ticket, Duration> {
        lock(&self.circuit).admit(now)
    }

    /// A call of the node `id` failed that cannot report it itself.
    pub(crate) fn fail(&self, id: &str, now: Duration) {
        let changed = {
            let mut circuit = lock(&self.circuit);
            circuit.fail(now).then(|| circuit.state())
        };
        if let Some(state) = changed {
            tell(id, state);
        }
    }

    /// The new state, when the outcome changed it.
    pub(crate) fn report(&self, ticket: Ticket, outcome: Outcome, now: Duration) -> Option<BreakerState> {
        let mut circuit = lock(&self.circuit);
        circuit.report(ticket, outcome, now).then(|| circuit.state())
    }
}

/// The circuits of a process.
#[derive(Default)]
pub(crate) struct Breakers(Mutex<HashMap<String, Arc<Breaker>>>);

impl Breakers {
    /// The circuit of `node` on `runtime`.
    pub(crate) fn of(&self, node: &NodeManifest, runtime: RuntimeKind, spec: BreakerSpec) -> Arc<Breaker> {
        let mut breakers = lock(&self.0);
        let found = breakers.entry(key(node, runtime, spec)).or_insert_with(|| Arc::new(Breaker::new(spec)));
        let found = Arc::clone(found);
        if breakers.len() > KEPT_CIRCUITS {
            let in_use = |breaker: &Arc<Breaker>| Arc::strong_count(breaker) > 1;
            breakers.retain(|_, breaker| in_use(breaker) || !lock(&breaker.circuit).is_untouched());
            if breakers.len() > KEPT_CIRCUITS {
                breakers.retain(|_, breaker| in_use(breaker));
            }
        }
        found
    }
}

/// What circuits are told apart by.
fn key(node: &NodeManifest, runtime: RuntimeKind, spec: BreakerSpec) -> String {
    let mut params: Vec<_> = node.params.iter().collect();
    params.sort_by_key(|(name, _)| *name);
    let mut key =
        format!("{runtime}\n{:?}\n{spec:?}\n{:?}\n{:?}\n", node.node_type, node.tenant, node.base_dir);
    if let Some(component) = node.component_path() {
        let _ = writeln!(key, "{component:?}");
    }
    for (name, value) in params {
        let _ = write!(key, "{name:?}:{value},");
    }
    key
}

/// A node behind a circuit.
pub(crate) struct Guarded {
    pub(crate) inner: Box<dyn Node>,
    pub(crate) id: Arc<str>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Reports a call's outcome, as a failure when the call panics.
struct Try<'a> {
    guarded: &'a mut Guarded,
    ticket: Ticket,
    outcome: Outcome,
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        let Guarded { id, breaker, clock, .. } = &*self.guarded;
        if let Some(state) = breaker.report(self.ticket, self.outcome, clock.now()) {
            tell(id, state);
        }
    }
}

/// The event of a circuit that changed.
#[cold]
fn tell(id: &str, state: BreakerState) {
    match state {
        BreakerState::Closed => {
            tracing::info!(target: "remotemedia::policy", node = id, breaker = state.name(), "works again");
        }
        BreakerState::HalfOpen => {
            tracing::info!(target: "remotemedia::policy", node = id, breaker = state.name(), "one call tries");
        }
        BreakerState::Open => tracing::warn!(
            target: "remotemedia::policy",
            node = id,
            breaker = state.name(),
            "its circuit is open: calls are kept away for a while"
        ),
    }
}

impl Guarded {
    fn call(&mut self, call: impl FnOnce(&mut dyn Node) -> Result<(), NodeError>) -> Result<(), NodeError> {
        let ticket = self.breaker.admit(self.clock.now()).map_err(|left| {
            let message = format!(
                "its circuit is open, because it failed too often (`circuit_breaker`); a call may try again in {} ms",
                left.as_millis().max(1)
            );
            NodeError::new(ErrorKind::CircuitOpen, message)
        })?;
        if ticket.tries {
            tell(&self.id, BreakerState::HalfOpen);
        }
        let mut tried = Try { guarded: self, ticket, outcome: Outcome::Failure };
        let result = call(&mut *tried.guarded.inner);
        tried.outcome = match &result {
            Ok(()) => Outcome::Success,
            Err(error) if error.kind.is_the_nodes_fault() => Outcome::Failure,
            Err(_) => Outcome::Unknown,
        };
        result
    }
}

impl Node for Guarded {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.inner.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(|node| node.process(port, packet, out))
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.inner.reset()
    }

    /// Not kept away: it is the last call, and the node may hold what belongs to the end.
    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.inner.flush(out)
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.inner.memory_bytes()
    }
}
