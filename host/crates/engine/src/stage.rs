//! One stage at work: connected nodes called one after the other in one thread.
//!
//! A packet's way through the stage takes no lock, channel or allocation; only a queue at the stage's edge does.

use std::sync::Arc;

use remotemedia_core::{
    ErrorKind, Node, NodeDescriptor, NodeError, Operation, Outputs, Packet, PayloadKind, Port,
};

use crate::control::Control;
use crate::inbox::{Delivery, Epoch, FLUSH_EPOCH, Inbox, Received};
use crate::metrics::{Lap, LapClock, NodeCounters};
use crate::outbox::{Outbox, Output};
use crate::panics::caught;
use crate::policies::{Policies, Watch};
use crate::trace::mark::Mark;
use crate::trace::thread::ThreadTrace;

/// Where a packet goes from an output port.
pub(crate) enum Target {
    /// To a node of the same stage, by its position there.
    Local { node: usize, port: Port },
    /// To a node of another stage, by its position there.
    Queue { queue: usize, node: usize, port: Port },
    /// Out of the graph.
    Sink,
}

/// The sending end of a queue.
pub(crate) struct QueueSender {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) lane: usize,
    /// The queue's number in a trace.
    pub(crate) number: usize,
}

/// One node of a stage with everything a call needs at hand; what every hop reads comes first.
#[repr(C)]
pub(crate) struct Slot {
    node: Box<dyn Node>,
    outputs: Outputs,
    /// Where the first output leads when it leads to one node of this stage and nowhere else.
    only_next: Option<(usize, Port)>,
    /// What the first input takes.
    first_input: Option<PayloadKind>,
    initialized: bool,
    counters: Option<Arc<NodeCounters>>,
    routes: Vec<Vec<Target>>,
    /// What the node's policies count; `None` when it has none.
    pub(crate) policies: Option<Policies>,
    pub(crate) index: usize,
    pub(crate) id: Arc<str>,
    pub(crate) descriptor: Arc<NodeDescriptor>,
}

impl Slot {
    pub(crate) fn new(
        index: usize,
        id: Arc<str>,
        descriptor: Arc<NodeDescriptor>,
        node: Box<dyn Node>,
        routes: Vec<Vec<Target>>,
        counters: Option<Arc<NodeCounters>>,
    ) -> Self {
        let connected = routes.iter().enumerate().filter(|(_, targets)| !targets.is_empty());
        let mut outputs = Outputs::connected_to(connected.map(|(port, _)| Port(port as u16)));
        if counters.is_some() {
            outputs.notes().will_be_read();
        }
        let only_next = match routes.first().map(Vec::as_slice) {
            Some(&[Target::Local { node, port }]) => Some((node, port)),
            _ => None,
        };
        let first_input = descriptor.inputs.first().map(|port| port.kind);
        Self {
            node,
            outputs,
            only_next,
            first_input,
            initialized: false,
            counters,
            routes,
            policies: None,
            index,
            id,
            descriptor,
        }
    }

    pub(crate) fn watch(&self) -> Option<&Arc<Watch>> {
        self.policies.as_ref()?.watch.as_ref()
    }

    /// Time that its calls waited for an interpreter so far, as its counters tell.
    fn waited_ns(&self) -> u64 {
        self.counters.as_ref().map_or(0, |counters| counters.waited_ns())
    }

    /// What input `port` takes; `None` when there is no such port.
    fn input(&self, port: Port) -> Option<PayloadKind> {
        match port {
            Port::FIRST => self.first_input,
            Port(port) => self.descriptor.inputs.get(usize::from(port)).map(|port| port.kind),
        }
    }

    /// One `process` call, for which `lap` was begun and which ends it: a chain of nodes reads the clock once per hop.
    #[inline(always)]
    fn process(&mut self, port: Port, packet: Packet, lap: &mut Option<Lap>) -> Result<(), NodeError> {
        let bytes_in = if lap.is_some() { packet.payload.byte_count() } else { 0 };
        let result = match self.input(port) {
            Some(kind) if kind == PayloadKind::Any || packet.payload.kind().fits(kind) => {
                self.node.process(port, packet, &mut self.outputs)
            }
            kind => self.refuse(port, kind, &packet),
        };
        if let (Some(counters), Some(lap)) = (&self.counters, lap) {
            let elapsed_ns = lap.next();
            let (packets_out, bytes_out) = (self.outputs.len(), self.outputs.byte_count());
            counters.record(elapsed_ns, bytes_in, packets_out, bytes_out);
            if let Some(notes) = self.outputs.notes().take() {
                counters.record_notes(&notes);
            }
            if let Err(error) = &result {
                match self.was_given_up(error) {
                    true => counters.record_returned_late(),
                    false => counters.record_failed_call(error.kind),
                }
            }
        }
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(error.at(&self.id, Operation::Process)),
        }
    }

    /// The call ends only now, and was counted as a timeout long ago.
    #[cold]
    fn was_given_up(&self, error: &NodeError) -> bool {
        error.kind == ErrorKind::Cancelled
            && self.policies.as_ref().is_some_and(|policies| policies.counts().given_up().0 > 0)
    }

    #[cold]
    fn process_in_span(
        &mut self,
        port: Port,
        packet: Packet,
        lap: &mut Option<Lap>,
    ) -> Result<(), NodeError> {
        let span = tracing::trace_span!("process", node = %self.id, pts_ns = packet.pts_ns);
        span.in_scope(|| self.process(port, packet, lap))
    }

    /// A packet that the node's descriptor does not allow.
    #[cold]
    fn refuse(&self, port: Port, kind: Option<PayloadKind>, packet: &Packet) -> Result<(), NodeError> {
        let error = match kind {
            Some(kind) => wrong_kind(&self.descriptor, port, kind, packet),
            None => NodeError::invalid_input(format!("has no input port {}", port.0)),
        };
        match &self.policies {
            Some(policies) => policies.refused(error.at(&self.id, Operation::Process), packet.pts_ns),
            None => Err(error),
        }
    }

    /// The node has panicked: what is left of it is dropped, and never called again, not even to clean up.
    #[cold]
    fn poison(&mut self) {
        self.initialized = false;
        let poisoned = std::mem::replace(&mut self.node, Box::new(Poisoned));
        if let Err(panic) = caught(|| drop(poisoned)) {
            tracing::error!(node = %self.id, "when it was dropped, {}", panic.message);
        }
    }

    fn flush(&mut self) -> Result<(), NodeError> {
        let span = tracing::debug_span!("flush", node = %self.id);
        let result = span.in_scope(|| self.node.flush(&mut self.outputs));
        if let Some(counters) = &self.counters {
            counters.record_out(self.outputs.len(), self.outputs.byte_count());
            if let Err(error) = result.as_ref()
                && !self.was_given_up(error)
            {
                counters.record_error(error.kind);
            }
        }
        result.map_err(|error| error.at(&self.id, Operation::Flush))
    }
}

fn wrong_kind(descriptor: &NodeDescriptor, port: Port, kind: PayloadKind, packet: &Packet) -> NodeError {
    let name = descriptor.inputs.get(usize::from(port.0)).map_or("?", |port| &port.name);
    NodeError::wrong_kind(format!(
        "input `{name}` takes {}, but got {} at {} ns",
        kind.name(),
        packet.payload.type_name(),
        packet.pts_ns
    ))
}

/// Takes the place of a node that has panicked.
struct Poisoned;

impl Node for Poisoned {
    fn process(&mut self, _: Port, _: Packet, _: &mut Outputs) -> Result<(), NodeError> {
        Err(NodeError::internal("was stopped after an earlier panic"))
    }
}

struct Step {
    node: usize,
    port: Port,
    packet: Packet,
}

/// A stage: its nodes in topological order and the queues it feeds.
pub(crate) struct Stage {
    slots: Vec<Slot>,
    queues: Vec<QueueSender>,
    work: Vec<Step>,
    /// The node that is being called, to blame a panic on.
    current: usize,
    /// The interruption that the nodes know of.
    cut: Epoch,
    control: Arc<Control>,
    outbox: Arc<Outbox>,
    /// Records what happens here, when somebody asked for it.
    pub(crate) trace: Option<Box<ThreadTrace>>,
}

impl Stage {
    pub(crate) fn new(
        slots: Vec<Slot>,
        queues: Vec<QueueSender>,
        control: Arc<Control>,
        outbox: Arc<Outbox>,
    ) -> Self {
        Self { slots, queues, work: Vec::new(), current: 0, cut: 0, control, outbox, trace: None }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The graph index of each of its nodes, with the node's position in this stage.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (usize, usize)> {
        self.slots.iter().enumerate().map(|(position, slot)| (slot.index, position))
    }

    /// Initializes every node in order.
    pub(crate) fn initialize(&mut self) -> Result<(), NodeError> {
        self.guarded(Operation::Initialize, |stage| {
            for position in 0..stage.slots.len() {
                stage.current = position;
                let slot = &mut stage.slots[position];
                slot.initialized = true;
                if let Some(trace) = &mut stage.trace {
                    trace.begin_call(slot.index, Operation::Initialize, FLUSH_EPOCH, None);
                }
                let span = tracing::debug_span!("initialize", node = %slot.id);
                let result = span.in_scope(|| slot.node.initialize());
                if let Some(trace) = &mut stage.trace {
                    trace.end_call(None, 0, 0, result.as_ref().err());
                }
                result.map_err(|error| error.at(&slot.id, Operation::Initialize))?;
            }
            Ok(())
        })
    }

    /// Sends one packet all the way through the stage.
    pub(crate) fn deliver(&mut self, delivery: Delivery) -> Result<(), NodeError> {
        self.catch_up()?;
        if delivery.epoch <= self.cut {
            self.control.count_void(1);
            return Ok(());
        }
        if let (Some(queued_at), Some(counters)) = (delivery.queued_at, &self.slots[delivery.node].counters) {
            counters.record_queue_wait(queued_at);
        }
        if self.trace.is_some() {
            return self.deliver_traced(delivery);
        }
        let Delivery { epoch, node, port, packet, .. } = delivery;
        self.guarded(Operation::Process, |stage| {
            stage.work.push(Step { node, port, packet });
            stage.drain_work::<false>(epoch)
        })
    }

    #[cold]
    fn deliver_traced(&mut self, delivery: Delivery) -> Result<(), NodeError> {
        let Delivery { epoch, node, port, packet, mark, .. } = delivery;
        if let Some(trace) = &mut self.trace {
            trace.begin_work(epoch, mark.as_deref());
        }
        let result = self.guarded(Operation::Process, |stage| {
            stage.work.push(Step { node, port, packet });
            stage.drain_work::<true>(epoch)
        });
        if let Some(trace) = &mut self.trace {
            trace.end_work();
        }
        result
    }

    /// Flushes every node in order, each one's output going through the rest before the next is flushed.
    pub(crate) fn flush(&mut self) -> Result<(), NodeError> {
        self.catch_up()?;
        let Some(trace) = &mut self.trace else {
            return self.guarded(Operation::Flush, Self::flush_all::<false>);
        };
        trace.begin_work(FLUSH_EPOCH, None);
        let result = self.guarded(Operation::Flush, Self::flush_all::<true>);
        if let Some(trace) = &mut self.trace {
            trace.end_work();
        }
        result
    }

    fn flush_all<const TRACED: bool>(&mut self) -> Result<(), NodeError> {
        for position in 0..self.slots.len() {
            self.current = position;
            let slot = &mut self.slots[position];
            if TRACED && let Some(trace) = &mut self.trace {
                trace.begin_call(slot.index, Operation::Flush, FLUSH_EPOCH, None);
            }
            let result = slot.flush();
            if TRACED && let Some(trace) = &mut self.trace {
                trace.end_call(None, slot.outputs.len(), 0, result.as_ref().err());
            }
            result.or_else(|error| self.unless_void(FLUSH_EPOCH, error))?;
            self.route::<TRACED>(position, FLUSH_EPOCH)?;
            self.drain_work::<TRACED>(FLUSH_EPOCH)?;
        }
        for queue in &self.queues {
            queue.inbox.end(queue.lane);
        }
        Ok(())
    }

    /// Tells every queue that nothing of `epoch` or before will follow.
    pub(crate) fn progress(&self, epoch: Epoch) {
        for queue in &self.queues {
            queue.inbox.progress(queue.lane, epoch);
        }
    }

    /// Cleans up every node whose `initialize` was called, last node first. A panic of one node does not keep
    /// the others from it.
    pub(crate) fn cleanup(&mut self) {
        for slot in self.slots.iter_mut().rev().filter(|slot| slot.initialized) {
            slot.initialized = false;
            if let Some(trace) = &mut self.trace {
                trace.begin_call(slot.index, Operation::Cleanup, FLUSH_EPOCH, None);
            }
            let span = tracing::debug_span!("cleanup", node = %slot.id);
            if let Err(panic) = span.in_scope(|| caught(|| slot.node.cleanup())) {
                tracing::error!(node = %slot.id, "in cleanup, {}", panic.message);
                slot.poison();
            }
            if let Some(trace) = &mut self.trace {
                trace.end_call(None, 0, 0, None);
            }
        }
        if let Some(trace) = &mut self.trace {
            trace.hand_over();
        }
    }

    /// The life of a stage on its own thread, from the first packet to the end of the stream.
    pub(crate) fn serve(&mut self, inbox: &Inbox) -> Result<(), NodeError> {
        loop {
            match inbox.receive() {
                Received::Packet(delivery) => self.deliver(delivery)?,
                Received::Progress(epoch) => self.progress(epoch),
                Received::Interrupted => self.catch_up()?,
                Received::End => return self.flush(),
                Received::Stopped => return Ok(()),
            }
        }
    }

    /// Resets the nodes when the pipeline was interrupted since they were reset last.
    fn catch_up(&mut self) -> Result<(), NodeError> {
        while self.cut != self.control.epochs.cut() {
            self.reset()?;
        }
        Ok(())
    }

    #[cold]
    fn reset(&mut self) -> Result<(), NodeError> {
        self.cut = self.control.epochs.cut();
        self.guarded(Operation::Reset, |stage| {
            for position in 0..stage.slots.len() {
                stage.current = position;
                let slot = &mut stage.slots[position];
                if let Some(trace) = &mut stage.trace {
                    trace.begin_call(slot.index, Operation::Reset, FLUSH_EPOCH, None);
                }
                let result = slot.node.reset();
                if let Some(trace) = &mut stage.trace {
                    trace.end_call(None, 0, 0, result.as_ref().err());
                }
                let has_forgotten = result.map_err(|error| error.at(&slot.id, Operation::Reset))?;
                if !has_forgotten && !slot.descriptor.stateless {
                    tracing::debug!(node = %slot.id, "cannot be reset: it stays as the interruption found it");
                }
            }
            Ok(())
        })
    }

    /// Drops what came of a packet that became void while a node had it.
    #[cold]
    fn discard(&mut self) {
        let outputs = &mut self.slots[self.current].outputs;
        self.control.count_void(outputs.len() + self.work.len());
        outputs.truncate(0);
        self.work.clear();
        if let Some(trace) = &mut self.trace {
            trace.unstack_all();
        }
    }

    /// `error`, unless it says that a call was given up because of the interruption that made its packet void.
    #[cold]
    fn unless_void(&mut self, epoch: Epoch, error: NodeError) -> Result<(), NodeError> {
        if error.kind != ErrorKind::Cancelled
            || self.control.is_stopped()
            || epoch > self.control.epochs.cut()
        {
            self.work.clear();
            return Err(error);
        }
        self.control.count_void(1);
        self.discard();
        Ok(())
    }

    /// `TRACED` is known when this is compiled: a hop that nobody records does not even ask.
    fn drain_work<const TRACED: bool>(&mut self, epoch: Epoch) -> Result<(), NodeError> {
        let mut lap = self.slots[self.current].counters.is_some().then(|| match &self.trace {
            Some(trace) if TRACED => trace.clock().start(),
            _ => LapClock::best().start(),
        });
        // Asked once for the whole way of a packet: what nobody looks at costs a hop nothing.
        let in_spans = tracing::enabled!(tracing::Level::TRACE);
        while let Some(Step { mut node, mut port, mut packet }) = self.work.pop() {
            let mut flow = self.trace.as_mut().filter(|_| TRACED).map_or(0, |trace| trace.unstack());
            loop {
                self.current = node;
                let slot = &mut self.slots[node];
                if TRACED && let Some(trace) = &mut self.trace {
                    trace.begin_call(slot.index, Operation::Process, epoch, Some((packet.pts_ns, flow)));
                }
                let waited_ns = if TRACED { slot.waited_ns() } else { 0 };
                let result = match in_spans {
                    false => slot.process(port, packet, &mut lap),
                    true => slot.process_in_span(port, packet, &mut lap),
                };
                if TRACED && let Some(trace) = &mut self.trace {
                    let waited_ns = slot.waited_ns() - waited_ns;
                    trace.end_call(
                        lap.and_then(|lap| lap.began_ns()),
                        slot.outputs.len(),
                        waited_ns,
                        result.as_ref().err(),
                    );
                }
                if let Err(error) = result {
                    return self.unless_void(epoch, error);
                }
                if epoch <= self.control.epochs.cut() {
                    self.discard();
                    return Ok(());
                }
                let Some(next) = slot.only_next else { break };
                if !slot.outputs.has_only(Port::FIRST) {
                    break;
                }
                (node, port) = next;
                packet = slot.outputs.take_only();
                if TRACED && let Some(trace) = &mut self.trace {
                    flow = trace.send();
                }
            }
            let has_left = self.route::<TRACED>(self.current, epoch)?;
            // What a full queue cost is not the next node's time.
            if let Some(lap) = lap.as_mut().filter(|_| has_left && !self.work.is_empty()) {
                lap.restart();
            }
        }
        Ok(())
    }

    /// Moves what node `from` produced to where it is connected. Packets for nodes of this stage are stacked
    /// in reverse, so that they are taken in order: first packet first, first connection first. True when a packet left
    /// the stage.
    fn route<const TRACED: bool>(&mut self, from: usize, epoch: Epoch) -> Result<bool, NodeError> {
        let mut has_left = false;
        let slot = &mut self.slots[from];
        let stacked = self.work.len();
        let mut trace = self.trace.as_mut().filter(|_| TRACED);
        let ways_stacked = trace.as_ref().map_or(0, |trace| trace.stacked());
        for (port, packet) in slot.outputs.drain() {
            let Some(targets) = slot.routes.get(usize::from(port.0)) else {
                return Err(NodeError::internal(format!(
                    "emitted on output port {}, which it has not",
                    port.0
                ))
                .at(&slot.id, Operation::Process));
            };
            let mut packet = Some(packet);
            for (nth, target) in targets.iter().enumerate() {
                let copy = if nth + 1 == targets.len() { packet.take() } else { packet.clone() };
                let Some(packet) = copy else { break };
                match target {
                    Target::Local { node, port } => {
                        if let Some(trace) = &mut trace {
                            trace.stack();
                        }
                        self.work.push(Step { node: *node, port: *port, packet });
                    }
                    Target::Queue { queue, node, port } => {
                        let queue = &self.queues[*queue];
                        let mark = trace.as_mut().map(|trace| Mark::new(trace.send(), queue.number));
                        let delivery = Delivery { mark, ..Delivery::new(epoch, *node, *port, packet) };
                        has_left = true;
                        if !queue.inbox.push(queue.lane, delivery) {
                            return Err(stopped(&self.control));
                        }
                    }
                    Target::Sink => {
                        has_left = true;
                        self.outbox.push(epoch, Output { node: slot.index, port, packet });
                    }
                }
            }
        }
        self.work[stacked..].reverse();
        if let Some(trace) = trace {
            trace.reverse(ways_stacked);
        }
        Ok(has_left)
    }

    /// Runs `body`, turning a panic of a node into its error, and the node into one that is called no more.
    fn guarded(
        &mut self,
        operation: Operation,
        body: impl FnOnce(&mut Self) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        caught(|| body(self)).unwrap_or_else(|panic| {
            self.work.clear();
            if let Some(trace) = &mut self.trace {
                trace.end_panicked_call(&panic);
            }
            let Some(slot) = self.slots.get_mut(self.current) else { return Err(panic) };
            if let Some(counters) = slot.counters.as_deref() {
                match operation {
                    Operation::Process => counters.record_panicked_call(),
                    _ => counters.record_error(ErrorKind::Internal),
                }
            }
            slot.poison();
            Err(panic.at(&slot.id, operation))
        })
    }
}

impl Drop for Stage {
    /// One by one: a node that panics while it goes takes nobody with it.
    fn drop(&mut self) {
        for slot in self.slots.drain(..) {
            let id = Arc::clone(&slot.id);
            if let Err(panic) = caught(|| drop(slot)) {
                tracing::error!(node = %id, "when it was dropped, {}", panic.message);
            }
        }
    }
}

/// The error that stopped the pipeline, for a stage that only noticed.
fn stopped(control: &Control) -> NodeError {
    control.error().unwrap_or_else(|| NodeError::new(ErrorKind::Cancelled, "the pipeline has been stopped"))
}
