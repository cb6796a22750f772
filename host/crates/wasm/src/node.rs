//! A running component as a `Node`, and what happens when it was stopped: made anew as often as the policy allows.
//! A packet that stopped its node is never tried again.

use std::sync::Arc;
use std::time::Instant;

use remotemedia_core::{Node, NodeError, Outputs, Packet, Payload, Port};

use crate::counters::Counters;
use crate::instance::{Instance, Sandbox};
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::restart::{Restart, Restarts};

pub(crate) struct WasmNode {
    instance: Instance,
    made_of: MadeOf,
    /// `None` when it is not made anew, or not any more.
    restarts: Option<Box<Restarts>>,
}

/// What an instance is made of, and made anew of.
pub(crate) struct MadeOf {
    pub loader: Arc<Loader>,
    pub loaded: Arc<Loaded>,
    pub sandbox: Sandbox,
    pub params_json: Box<str>,
    pub id: Box<str>,
}

impl MadeOf {
    fn instance(&self) -> Result<Instance, NodeError> {
        Instance::start(&self.loader.engine, &self.loaded.prepared, &self.id, self.sandbox.clone())
    }
}

impl WasmNode {
    /// A node that has yet to be initialized.
    ///
    /// # Errors
    /// When a limit is hit or the guest's start code traps.
    pub fn new(made_of: MadeOf) -> Result<Self, NodeError> {
        Ok(Self::around(made_of.instance()?, made_of))
    }

    /// A node that has yet to be initialized, in an instance of `made_of` that is there already.
    pub fn around(instance: Instance, made_of: MadeOf) -> Self {
        let budget = &made_of.sandbox.policy.restart;
        let restarts = (budget.attempts > 0).then(|| Box::new(Restarts::new(budget)));
        Self { instance, made_of, restarts }
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.made_of.sandbox.counters)
    }

    /// The guest learns only of packets that its descriptor allows. Objects come as what they have for it.
    fn admit(&self, port: Port, packet: Packet) -> Result<Packet, NodeError> {
        let descriptor = &self.made_of.loaded.descriptor;
        let Some(declared) = descriptor.inputs.get(usize::from(port.0)) else {
            return Err(NodeError::invalid_input(format!(
                "`{}` has {} input ports, there is no port {}",
                descriptor.node_type,
                descriptor.inputs.len(),
                port.0
            )));
        };
        if let Payload::Object(_) = packet.payload {
            return Ok(Packet { payload: packet.payload.into_kind(declared.kind)?, ..packet });
        }
        if packet.payload.kind().fits(declared.kind) {
            return Ok(packet);
        }
        Err(NodeError::wrong_kind(format!(
            "`{}` takes {} on `{}`, got {}",
            descriptor.node_type,
            declared.kind.name(),
            declared.name,
            packet.payload.type_name()
        )))
    }

    /// `process` failed on the packet at `pts_ns`. When that stopped the guest, a fresh one takes its place if the
    /// policy allows; otherwise the error stands.
    #[cold]
    fn recover(&mut self, error: NodeError, pts_ns: i64) -> Result<(), NodeError> {
        if self.instance.is_alive() {
            return Err(error);
        }
        let Some(restarts) = &mut self.restarts else { return Err(error) };
        let (attempts, within) = restarts.budget();
        let window = format!("{attempts} within {} s", within.as_secs_f64());
        let Some(Restart { number, .. }) = restarts.take(Instant::now()) else {
            self.restarts = None;
            return Err(add(
                error,
                &format!("it was made anew as often as the host's policy allows ({window})"),
            ));
        };
        let made = self.made_of.instance().and_then(|mut instance| {
            instance.initialize(&self.made_of.params_json)?;
            Ok(instance)
        });
        match made {
            Ok(instance) => self.instance = instance,
            Err(again) => {
                self.restarts = None;
                return Err(add(error, &format!("making it anew failed: {}", again.message)));
            }
        }
        let counters = &self.made_of.sandbox.counters;
        Counters::add_one(&counters.restarts);
        Counters::add_one(&counters.packets_lost);
        tracing::warn!(
            target: "remotemedia::guest",
            node = &*self.made_of.id,
            pts_ns,
            restart = number,
            of = window,
            "was stopped and made anew; its state and the packet at {pts_ns} ns are lost: {error}"
        );
        Ok(())
    }
}

fn add(error: NodeError, what: &str) -> NodeError {
    NodeError { message: format!("{}; {what}", error.message).into(), ..error }
}

impl Node for WasmNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.instance.initialize(&self.made_of.params_json)
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let packet = self.admit(port, packet)?;
        let (pts_ns, emitted) = (packet.pts_ns, out.len());
        let called = self.instance.process(&self.made_of.loaded.descriptor, port, packet, out);
        if out.notes().are_read() {
            out.notes().holds(self.instance.memory_bytes());
        }
        called.or_else(|error| {
            // What a failed call emitted is not whole.
            out.truncate(emitted);
            self.recover(error, pts_ns)?;
            out.notes().restarted();
            Ok(())
        })
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.instance.flush(&self.made_of.loaded.descriptor, out)
    }

    fn cleanup(&mut self) {
        if let Err(error) = self.instance.cleanup() {
            tracing::warn!(target: "remotemedia::guest", node = &*self.made_of.id, "cleanup failed: {error}");
        }
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.instance.memory_bytes()
    }
}
