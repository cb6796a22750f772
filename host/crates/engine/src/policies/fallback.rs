//! Another runtime takes over: at the start, for a node that the chosen one cannot create, and in the middle of a
//! stream, for a stateless node whose manifest asks for it. Which runtimes may is the selector's to say: none of weaker
//! isolation without the operator's word, and none at all where the operator switched fallback off.

use std::sync::Arc;

use remotemedia_core::manifest::{Fallback, OnOpen};
use remotemedia_core::{
    ErrorKind, Node, NodeDescriptor, NodeError, NodeManifest, Operation, Outputs, Packet, Port, Runtime,
    RuntimeKind,
};

use super::counts::Counts;
use super::panics::{Caught, Down};
use crate::panics::caught;
use crate::runtimes::Runtimes;
use crate::selector::Selection;

/// The reason under which fallbacks at the start are counted.
pub(crate) const AT_START: &str = "start";

/// A node, and where it came from.
pub(crate) struct Created {
    pub(crate) node: Box<dyn Node>,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// The runtime that should have created it, when that could not.
    pub(crate) instead_of: Option<RuntimeKind>,
}

/// Creates a node on the chosen runtime, or on the first fallback that can.
///
/// # Errors
/// That of the chosen runtime, when no other one may or can take over.
pub(crate) fn create(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    selection: &Selection,
    runtimes: &Runtimes,
) -> Result<Created, NodeError> {
    let chosen = runtimes
        .get(selection.kind)
        .ok_or_else(|| NodeError::internal(format!("this host has no {} runtime", selection.kind)))?;
    let error = match caught(|| chosen.create(node)).flatten() {
        Ok(created) => {
            let runtime = Arc::clone(chosen);
            return Ok(Created { node: created, runtime, instead_of: selection.instead_of });
        }
        Err(error) => error,
    };
    // Params that are wrong are wrong everywhere, and what was denied stays denied.
    if !error.kind.is_the_nodes_fault() {
        return Err(error);
    }
    for runtime in selection.fallbacks.iter().filter_map(|kind| runtimes.get(*kind)) {
        if let Ok(created) = caught(|| stand_in(node, descriptor, runtime.as_ref())).flatten() {
            let (from, to) = (selection.kind, runtime.kind());
            tracing::warn!(
                target: "remotemedia::policy",
                node = node.id,
                "runs on {to} instead of {from}, which cannot create it: {error}"
            );
            return Ok(Created { node: created, runtime: Arc::clone(runtime), instead_of: Some(from) });
        }
    }
    Err(error)
}

/// The node on another runtime, if that has one which takes and gives the same.
fn stand_in(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    runtime: &dyn Runtime,
) -> Result<Box<dyn Node>, NodeError> {
    let kind = runtime.kind();
    let refused = runtime.refusals(node);
    if let Some(refusal) = refused.first() {
        return Err(NodeError::new(ErrorKind::PermissionDenied, refusal.to_string()));
    }
    match runtime.describe(node)? {
        Some(other) if other.inputs == descriptor.inputs && other.outputs == descriptor.outputs => {
            runtime.create(node)
        }
        Some(_) => Err(NodeError::new(ErrorKind::Unavailable, format!("on {kind} it has other ports"))),
        None => Err(NodeError::new(ErrorKind::Unavailable, format!("{kind} does not know its type"))),
    }
}

/// The runtimes that may serve calls of `node` in the middle of a stream: none unless the manifest asks for it and the
/// node is stateless.
pub(crate) fn in_stream(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    selection: &Selection,
    runtimes: &Runtimes,
) -> Vec<Arc<dyn Runtime>> {
    if !descriptor.stateless || !asked(node) {
        return Vec::new();
    }
    selection.fallbacks.iter().filter_map(|kind| runtimes.get(*kind)).cloned().collect()
}

fn asked(node: &NodeManifest) -> bool {
    node.fallback == Some(Fallback::Auto) || on_open(node)
}

fn on_open(node: &NodeManifest) -> bool {
    node.circuit_breaker.is_some_and(|breaker| breaker.on_open == OnOpen::Fallback)
}

/// Why calls of `node` will fail although the manifest asks for a fallback.
pub(super) fn notice(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    selection: &Selection,
) -> Option<String> {
    let why = match (descriptor.stateless, selection.fallbacks.is_empty()) {
        _ if !asked(node) => return None,
        (_, true) => "no other runtime may run it",
        (false, false) => "the node is not stateless",
        (true, false) => return None,
    };
    Some(match (on_open(node), node.fallback == Some(Fallback::Auto)) {
        (true, false) => {
            format!("calls fail while its circuit is open: {why}, so `on_open: fallback` is not applied")
        }
        (false, _) => {
            format!("what its calls fail with stays: {why}, so `fallback: auto` is not applied to calls")
        }
        (true, true) => format!(
            "what its calls fail with stays, and they fail while its circuit is open: {why}, so neither \
             `fallback: auto` nor `on_open: fallback` is applied to calls"
        ),
    })
}

/// A stateless node whose failed calls another runtime serves.
pub(crate) struct FallsBack {
    inner: Box<dyn Node>,
    id: Arc<str>,
    manifest: NodeManifest,
    descriptor: Arc<NodeDescriptor>,
    from: RuntimeKind,
    /// Those that were not tried yet.
    others: std::vec::IntoIter<Arc<dyn Runtime>>,
    stand_in: Option<(RuntimeKind, Box<dyn Node>)>,
    counts: Arc<Counts>,
    down: Down,
}

impl FallsBack {
    pub(super) fn new(
        inner: Box<dyn Node>,
        manifest: &NodeManifest,
        descriptor: &Arc<NodeDescriptor>,
        from: RuntimeKind,
        others: Vec<Arc<dyn Runtime>>,
        counts: &Arc<Counts>,
        down: &Down,
    ) -> Self {
        Self {
            inner,
            id: manifest.id.as_str().into(),
            manifest: manifest.clone(),
            descriptor: Arc::clone(descriptor),
            from,
            others: others.into_iter(),
            stand_in: None,
            counts: Arc::clone(counts),
            down: down.clone(),
        }
    }

    /// True when another runtime may be given the packet of a call that failed so.
    fn serves(&self, kind: ErrorKind) -> bool {
        match kind {
            ErrorKind::CircuitOpen => on_open(&self.manifest),
            ErrorKind::Transient | ErrorKind::Unavailable | ErrorKind::Internal => {
                self.manifest.fallback == Some(Fallback::Auto)
            }
            // What stopped a node, or hung in it, is given to no other; nor is what no runtime would take.
            _ => false,
        }
    }

    /// The stand-in; made when it is first needed.
    fn stand_in(&mut self) -> Option<&mut (RuntimeKind, Box<dyn Node>)> {
        let down = &self.down;
        while self.stand_in.is_none() {
            let runtime = self.others.next()?;
            let kind = runtime.kind();
            let ready = caught(|| stand_in(&self.manifest, &self.descriptor, runtime.as_ref()))
                .flatten()
                .map(|node| Box::new(Caught::new(node, down)) as Box<dyn Node>)
                .and_then(|mut node| match node.initialize() {
                    Ok(()) => Ok(node),
                    Err(error) => {
                        node.cleanup();
                        Err(error)
                    }
                });
            match ready {
                Ok(node) => self.stand_in = Some((kind, node)),
                Err(error) => tracing::warn!(
                    target: "remotemedia::policy",
                    node = &*self.id,
                    "{kind} cannot take over: {error}"
                ),
            }
        }
        self.stand_in.as_mut()
    }
}

impl Node for FallsBack {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.inner.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let emitted = out.len();
        let Err(error) = self.inner.process(port, packet.clone(), out) else { return Ok(()) };
        if !self.serves(error.kind) {
            return Err(error);
        }
        out.truncate(emitted);
        let (id, from, counts) = (Arc::clone(&self.id), self.from, Arc::clone(&self.counts));
        let down = self.down.clone();
        let Some((kind, stand_in)) = self.stand_in() else { return Err(error) };
        counts.fell_back(error.kind.name());
        tracing::warn!(
            target: "remotemedia::policy",
            node = &*id,
            pts_ns = packet.pts_ns,
            "{kind} serves the packet instead of {from}: {error}"
        );
        // From here on it is the stand-in that may be down.
        down.set(false);
        stand_in.process(port, packet, out).map_err(|again| {
            let message =
                format!("{}; {kind}, which took over, failed as well: {}", error.message, again.message);
            NodeError { message: message.into(), ..again }.at(&id, Operation::Process)
        })
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        let has_forgotten = self.inner.reset()?;
        match &mut self.stand_in {
            Some((_, stand_in)) => stand_in.reset().map(|too| has_forgotten && too),
            None => Ok(has_forgotten),
        }
    }

    /// The stand-in is flushed too, although a stateless node holds nothing. For the same reason nothing is missing when
    /// the node itself cannot be flushed and the stand-in serves such errors.
    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let emitted = out.len();
        let flushed = self.inner.flush(out);
        let serves = flushed.as_ref().is_err_and(|error| self.serves(error.kind));
        let Some((kind, stand_in)) = &mut self.stand_in else { return flushed };
        match flushed {
            Err(error) if serves => {
                out.truncate(emitted);
                tracing::warn!(
                    target: "remotemedia::policy",
                    node = &*self.id,
                    "{kind} alone ends the stream, and not {}: {error}",
                    self.from
                );
            }
            flushed => flushed?,
        }
        stand_in.flush(out)
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
        if let Some((_, mut stand_in)) = self.stand_in.take() {
            stand_in.cleanup();
        }
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.inner.memory_bytes()
    }
}
