//! The record of one thread: a list that only this thread writes, handed over in parcels.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use remotemedia_core::{NodeError, Operation};

use super::mark::Mark;
use super::recorder::{Desk, call_number};
use super::{Call, Event, Flow, What};
use crate::inbox::{Epoch, FLUSH_EPOCH};
use crate::metrics::LapClock;

/// How many events are handed over at once. What is lost with a thread that never returns is less than this.
const PARCEL: usize = 512;

/// Records what one thread does. Nothing of it is called when nobody records.
pub(crate) struct ThreadTrace {
    desk: Arc<Desk>,
    began: Instant,
    most_events: usize,
    happened: u64,
    parcel: Vec<Event>,
    next_flow: Flow,
    /// The ways of the packets that wait in the stage's own list of work, in its order.
    ways: Vec<Flow>,
    /// The last call, until everything it produced was sent on.
    call: Option<(Event, bool)>,
    /// When the work of this packet began, and the feed that caused it.
    work: Option<(u64, Option<Epoch>)>,
}

impl ThreadTrace {
    pub(super) fn new(desk: Arc<Desk>, began: Instant, most_events: usize, next_flow: Flow) -> Self {
        let parcel = Vec::with_capacity(PARCEL);
        let (ways, call, work) = (Vec::new(), None, None);
        Self { desk, began, most_events, happened: 0, parcel, next_flow, ways, call, work }
    }

    /// The clock whose nanoseconds are those of the record.
    pub(crate) fn clock(&self) -> LapClock {
        LapClock::System(self.began)
    }

    fn ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.ns(Instant::now())
    }

    fn keep(&mut self, event: Event) {
        self.happened += 1;
        self.desk.happened.store(self.happened, Ordering::Relaxed);
        if self.happened > self.most_events as u64 {
            return;
        }
        self.parcel.push(event);
        if self.parcel.len() == PARCEL {
            self.desk.hand_over(std::mem::replace(&mut self.parcel, Vec::with_capacity(PARCEL)));
        }
    }

    /// Hands over what there is: the thread is done, or may wait for long.
    pub(crate) fn hand_over(&mut self) {
        self.keep_call();
        self.desk.hand_over(std::mem::take(&mut self.parcel));
    }

    /// A way that nobody has gone.
    fn new_flow(&mut self) -> Flow {
        let flow = self.next_flow;
        self.next_flow += 1;
        flow
    }

    /// The caller feeds; returns what the packet carries, and when the feed began.
    pub(crate) fn begin_feed(&mut self, queue: usize) -> (u64, Box<Mark>) {
        let flow = self.new_flow();
        (self.now_ns(), Mark::new(flow, queue))
    }

    /// The feed that began at `begin_ns` has returned.
    pub(crate) fn end_feed(&mut self, begin_ns: u64, node: usize, epoch: Epoch, pts_ns: i64, flow: Flow) {
        let what = What::Feed { node, epoch, pts_ns, flow };
        self.keep(Event { begin_ns, end_ns: self.now_ns(), what });
    }

    /// A packet has come to the stage, through a queue or from a feed on this thread; its turn is next.
    pub(crate) fn begin_work(&mut self, epoch: Epoch, mark: Option<&Mark>) {
        let now_ns = self.now_ns();
        self.work = Some((now_ns, numbered(epoch)));
        let Some(&Mark { flow, queue, came, entered, left, blocked, depth_then, depth_after }) = mark else {
            return;
        };
        self.ways.push(flow);
        let (Some(entered), Some(left)) = (entered, left) else { return };
        let (entered_ns, left_ns) = (self.ns(entered), self.ns(left));
        if blocked {
            let what = What::Blocked { queue, flow };
            self.keep(Event { begin_ns: self.ns(came), end_ns: entered_ns, what });
        }
        let what = What::Waited { queue, flow, depth_then, depth_after };
        self.keep(Event { begin_ns: entered_ns, end_ns: left_ns, what });
    }

    /// Everything that the packet brought is done, or failed.
    pub(crate) fn end_work(&mut self) {
        self.keep_call();
        self.ways.clear();
        if let Some((begin_ns, epoch)) = self.work.take() {
            self.keep(Event { begin_ns, end_ns: self.now_ns(), what: What::Work { epoch } });
        }
    }

    /// A call begins.
    pub(crate) fn begin_call(
        &mut self,
        node: usize,
        operation: Operation,
        epoch: Epoch,
        taken: Option<(i64, Flow)>,
    ) {
        self.keep_call();
        let begin_ns = self.now_ns();
        self.desk.calling_since_ns.store(begin_ns, Ordering::Relaxed);
        self.desk.calling.store(call_number(node, operation), Ordering::Release);
        let call = Call {
            node,
            operation,
            epoch: numbered(epoch),
            pts_ns: taken.map(|(pts_ns, _)| pts_ns),
            flow: taken.map(|(_, flow)| flow).filter(|flow| *flow != 0),
            packets_out: 0,
            flows_out: (self.next_flow, 0),
            interpreter_wait_ns: 0,
            error: None,
        };
        self.call = Some((Event { begin_ns, end_ns: begin_ns, what: What::Call(call) }, true));
    }

    /// The call returned `at`, or just now. What it produced is sent on next.
    pub(crate) fn end_call(
        &mut self,
        at_ns: Option<u64>,
        packets_out: usize,
        interpreter_wait_ns: u64,
        error: Option<&NodeError>,
    ) {
        let end_ns = at_ns.unwrap_or_else(|| self.now_ns());
        self.desk.calling.store(0, Ordering::Release);
        let Some((event, running)) = &mut self.call else { return };
        (event.end_ns, *running) = (end_ns, false);
        if let What::Call(call) = &mut event.what {
            call.packets_out = packets_out;
            call.interpreter_wait_ns = interpreter_wait_ns;
            call.error = error.map(|error| error.message.to_string().into());
        }
    }

    /// The call that runs has panicked; nothing when none runs.
    pub(crate) fn end_panicked_call(&mut self, panic: &NodeError) {
        if let Some((_, true)) = self.call {
            self.end_call(None, 0, 0, Some(panic));
        }
    }

    /// A packet of the last call goes to one more node.
    pub(crate) fn send(&mut self) -> Flow {
        let flow = self.new_flow();
        if let Some((Event { what: What::Call(call), .. }, _)) = &mut self.call {
            call.flows_out.1 += 1;
        }
        flow
    }

    /// As [`ThreadTrace::send`], to a node of this stage whose turn comes later.
    pub(crate) fn stack(&mut self) {
        let flow = self.send();
        self.ways.push(flow);
    }

    /// How many packets are stacked.
    pub(crate) fn stacked(&self) -> usize {
        self.ways.len()
    }

    /// The packets stacked since there were `from` change their order, as the stage's do.
    pub(crate) fn reverse(&mut self, from: usize) {
        if let Some(ways) = self.ways.get_mut(from..) {
            ways.reverse();
        }
    }

    /// The way of the packet that is taken from the stage's list of work; 0 for none.
    pub(crate) fn unstack(&mut self) -> Flow {
        self.ways.pop().unwrap_or_default()
    }

    /// The stage has thrown away its list of work.
    pub(crate) fn unstack_all(&mut self) {
        self.ways.clear();
    }

    fn keep_call(&mut self) {
        if let Some((call, _)) = self.call.take() {
            self.keep(call);
        }
    }
}

impl Drop for ThreadTrace {
    fn drop(&mut self) {
        self.hand_over();
    }
}

fn numbered(epoch: Epoch) -> Option<Epoch> {
    (epoch != FLUSH_EPOCH && epoch != 0).then_some(epoch)
}
