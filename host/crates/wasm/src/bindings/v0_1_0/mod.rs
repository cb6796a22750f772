//! `remotemedia:node@0.1.0`: the generated bindings, and the calls through them.

mod descriptor;
mod lift;
mod lower;
mod params_schema;

use std::sync::Arc;

use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{ErrorKind, NodeDescriptor, NodeError, Outputs, Packet, Port};
use wasmtime::Store;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use crate::guest::Guest;
use crate::guest_log::{Level, cut, printable};
use crate::places::Origin;
use lower::Lowering;

mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

use generated::remotemedia::node::{host, types as wit};
use generated::{Plugin, PluginPre};

/// The world that a component must implement.
pub(crate) const WORLD: &str = "remotemedia:node/plugin@0.1.0";

/// Why a call gave no result.
pub(crate) enum CallFailure {
    /// The node said so; it may be called again.
    Node(NodeError),
    /// The guest trapped; its store must not be entered again.
    Trap(wasmtime::Error),
    /// The guest returned something that breaks the contract; it is not to be trusted again.
    BrokenContract(NodeError),
}

impl From<wasmtime::Error> for CallFailure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

/// Gives guests the interfaces of this world.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    host::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl host::Host for Guest {
    fn log(&mut self, level: host::Level, message: String) {
        let level = match level {
            host::Level::Trace => Level::Trace,
            host::Level::Debug => Level::Debug,
            host::Level::Info => Level::Info,
            host::Level::Warn => Level::Warn,
            host::Level::Error => Level::Error,
        };
        self.log.line(level, &message);
    }
}

/// A component whose imports and exports were found to be those of the world.
#[derive(Clone)]
pub(crate) struct Prepared {
    plugin: PluginPre<Guest>,
    origin: Arc<Origin>,
}

impl Prepared {
    /// Checks the exports.
    ///
    /// # Errors
    /// When one is missing or has another type; the message names it.
    pub fn new(instance: InstancePre<Guest>, origin: Origin) -> wasmtime::Result<Self> {
        Ok(Self { plugin: PluginPre::new(instance)?, origin: Arc::new(origin) })
    }

    /// Where the component came from.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The size of its machine code.
    pub fn code_bytes(&self) -> usize {
        let code = self.plugin.instance_pre().component().image_range();
        code.end.addr().saturating_sub(code.start.addr())
    }

    /// Makes an instance in `store`.
    ///
    /// # Errors
    /// When a limit is hit or the guest's start code traps.
    pub fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Boundary> {
        Ok(Boundary { plugin: self.plugin.instantiate(store)?, lowering: Lowering::default() })
    }
}

/// An instance, and the five calls that can be made into it.
pub(crate) struct Boundary {
    plugin: Plugin,
    lowering: Lowering,
}

impl Boundary {
    /// What the component says about itself, checked.
    pub fn describe(
        &self,
        store: &mut Store<Guest>,
        limits: &SandboxLimits,
    ) -> Result<NodeDescriptor, CallFailure> {
        let said = self.plugin.remotemedia_node_node().call_describe(store)?;
        descriptor::checked(said, limits).map_err(CallFailure::BrokenContract)
    }

    /// Makes the node ready.
    pub fn initialize(
        &self,
        store: &mut Store<Guest>,
        params_json: &str,
        limits: &SandboxLimits,
    ) -> Result<(), CallFailure> {
        let result = self.plugin.remotemedia_node_node().call_initialize(store, params_json)?;
        result.map_err(|error| CallFailure::Node(node_error(error, limits)))
    }

    /// Runs one packet through the node.
    pub fn process(
        &mut self,
        store: &mut Store<Guest>,
        limits: &SandboxLimits,
        descriptor: &NodeDescriptor,
        (port, packet): (Port, Packet),
        out: &mut Outputs,
    ) -> Result<(), CallFailure> {
        let lowered = self.lowering.lower(&packet).map_err(CallFailure::Node)?;
        let result = self.plugin.remotemedia_node_node().call_process(&mut *store, port.0, lowered)?;
        let returned = result.map_err(|error| CallFailure::Node(node_error(error, limits)))?;
        lift::emit(returned, Some(packet), descriptor, limits, &store.data().counters, out)
            .map_err(CallFailure::BrokenContract)
    }

    /// Ends the stream.
    pub fn flush(
        &self,
        store: &mut Store<Guest>,
        limits: &SandboxLimits,
        descriptor: &NodeDescriptor,
        out: &mut Outputs,
    ) -> Result<(), CallFailure> {
        let result = self.plugin.remotemedia_node_node().call_flush(&mut *store)?;
        let returned = result.map_err(|error| CallFailure::Node(node_error(error, limits)))?;
        lift::emit(returned, None, descriptor, limits, &store.data().counters, out)
            .map_err(CallFailure::BrokenContract)
    }

    /// The last call.
    pub fn cleanup(&self, store: &mut Store<Guest>) -> Result<(), CallFailure> {
        Ok(self.plugin.remotemedia_node_node().call_cleanup(store)?)
    }
}

fn node_error(error: wit::NodeError, limits: &SandboxLimits) -> NodeError {
    let kind = match error.kind {
        wit::ErrorKind::InvalidParams => ErrorKind::InvalidParams,
        wit::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
        wit::ErrorKind::Transient => ErrorKind::Transient,
        wit::ErrorKind::Internal => ErrorKind::Internal,
    };
    NodeError::new(kind, printable(cut(&error.message, limits.message_bytes)))
}
