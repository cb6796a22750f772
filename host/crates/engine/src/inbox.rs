//! The bounded queues that end at one stage.
//!
//! Every connection that leads into the stage from another one has its own lane, bounded as its manifest says.
//! All lanes share one lock, because the stage waits for all of them at once. Nothing here knows nodes.
//!
//! Fan-in is deterministic: packets carry the epoch of the `feed` that caused them, and lanes are merged by
//! (epoch, lane) as long as the producers' progress allows it. See docs/decisions/0001-ordered-fan-in.md.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use remotemedia_core::manifest::{OnFull, QueueSpec};
use remotemedia_core::{Packet, Port};

pub(crate) use super::epochs::{Epoch, FLUSH_EPOCH};
use super::sync::{Condvar, Mutex, PoisonError, lock};
use crate::trace::mark::Mark;

/// A packet for one node of the stage.
pub(crate) struct Delivery {
    pub(crate) epoch: Epoch,
    pub(crate) node: usize,
    pub(crate) port: Port,
    pub(crate) packet: Packet,
    /// `None` when nobody records the pipeline.
    pub(crate) mark: Option<Box<Mark>>,
    /// When it entered a queue that is timed.
    pub(crate) queued_at: Option<Instant>,
}

impl Delivery {
    pub(crate) fn new(epoch: Epoch, node: usize, port: Port, packet: Packet) -> Self {
        Self { epoch, node, port, packet, mark: None, queued_at: None }
    }
}

/// What a stage finds in its inbox.
pub(crate) enum Received {
    /// A packet.
    Packet(Delivery),
    /// No packet of this epoch or an earlier one will come any more; told only where somebody needs to know.
    Progress(Epoch),
    /// The pipeline was interrupted: what was received so far is void.
    Interrupted,
    /// Every lane has ended.
    End,
    /// The pipeline stops.
    Stopped,
}

struct Lane {
    waiting: VecDeque<Delivery>,
    waiting_ns: i64,
    max_packets: usize,
    max_ns: Option<i64>,
    on_full: OnFull,
    /// Every packet of this epoch and earlier ones has been pushed.
    complete: Epoch,
    ended: bool,
    drops: Drops,
    interrupted: u64,
    high_water: usize,
    blocked: Duration,
    /// The producer waits for room.
    blocked_since: Option<Instant>,
}

impl Lane {
    /// The time that the producer waited for room, until now.
    fn blocked(&self) -> Duration {
        self.blocked + self.blocked_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn unblock(&mut self) {
        self.blocked = self.blocked();
        self.blocked_since = None;
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= self.max_packets
            || self.max_ns.is_some_and(|max_ns| !self.waiting.is_empty() && self.waiting_ns >= max_ns)
    }

    fn push(&mut self, mut delivery: Delivery) {
        self.waiting_ns += delivery.packet.duration_ns();
        if let Some(mark) = &mut delivery.mark {
            mark.enter(self.waiting.len() + 1);
        }
        self.waiting.push_back(delivery);
        self.high_water = self.high_water.max(self.waiting.len());
    }

    fn pop(&mut self) -> Option<Delivery> {
        let mut delivery = self.waiting.pop_front()?;
        self.waiting_ns -= delivery.packet.duration_ns();
        if let Some(mark) = &mut delivery.mark {
            mark.leave(self.waiting.len());
        }
        Some(delivery)
    }

    /// Nothing of `epoch` or earlier is still to be pushed.
    fn is_past(&self, epoch: Epoch) -> bool {
        self.ended || self.complete >= epoch
    }
}

/// Packets dropped because a lane was full.
#[derive(Default)]
struct Drops {
    total: u64,
    untold: u64,
    told: Option<Instant>,
}

impl Drops {
    /// The log is for people: it need not hear of every packet.
    const TOLD_EVERY: Duration = Duration::from_secs(10);

    /// Counts packets; how many are to be told, when it is time for that.
    fn count(&mut self, packets: usize) -> Option<u64> {
        self.total += packets as u64;
        self.untold += packets as u64;
        let now = Instant::now();
        if self.told.is_some_and(|told| now - told < Self::TOLD_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// What a lane counted, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Packets discarded by interruptions.
    pub interrupted: u64,
    /// Packets that wait now.
    pub waiting: usize,
    /// Most packets that ever waited.
    pub high_water: usize,
    /// How many packets fit.
    pub max_packets: usize,
    /// Time that the producer waited for room.
    pub blocked: Duration,
}

struct State {
    lanes: Vec<Lane>,
    /// The epoch up to which progress was told to the stage.
    told: Epoch,
    stopped: bool,
    /// Packets of this epoch and before are void.
    cut: Epoch,
    /// The stage was not told yet.
    interrupted: bool,
    /// The consumer waits although packets are there: their turn depends on a lane that is empty.
    starved: bool,
    /// The consumer has served everything that it took, and waits.
    waits: bool,
    /// Somebody wants to know when that is so.
    watched: bool,
}

/// All queues into one stage.
pub(crate) struct Inbox {
    state: Mutex<State>,
    readable: Condvar,
    writable: Condvar,
    idle: Condvar,
    /// Somebody downstream merges lanes, so progress must be passed on even when no packet comes.
    tells_progress: bool,
    /// Somebody counts how long packets and producers wait.
    is_timed: bool,
    /// What the lanes are called in the log.
    names: Vec<String>,
}

impl Inbox {
    pub(crate) fn new(specs: &[QueueSpec], tells_progress: bool) -> Self {
        let lanes = specs
            .iter()
            .map(|spec| Lane {
                waiting: VecDeque::with_capacity(spec.max_packets.min(64)),
                waiting_ns: 0,
                max_packets: spec.max_packets.max(1),
                max_ns: spec.max_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000)),
                on_full: spec.on_full,
                complete: 0,
                ended: false,
                drops: Drops::default(),
                interrupted: 0,
                high_water: 0,
                blocked: Duration::ZERO,
                blocked_since: None,
            })
            .collect();
        Self {
            state: Mutex::new(State {
                lanes,
                told: 0,
                stopped: false,
                cut: 0,
                interrupted: false,
                starved: false,
                waits: false,
                watched: false,
            }),
            readable: Condvar::new(),
            writable: Condvar::new(),
            idle: Condvar::new(),
            tells_progress,
            is_timed: false,
            names: Vec::new(),
        }
    }

    /// The same, which also measures how long packets and producers wait.
    pub(crate) fn timed(self, is_timed: bool) -> Self {
        Self { is_timed, ..self }
    }

    /// With names for the log, one per lane.
    pub(crate) fn named(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    /// Puts `delivery` into `lane`, waiting for room if that is what the lane does when full. False when the
    /// pipeline stops: the packet is gone. What was lent to this thread only is copied. A packet that is void is
    /// discarded, and its producer waits no longer.
    pub(crate) fn push(&self, lane: usize, delivery: Delivery) -> bool {
        let mut delivery = Delivery { packet: delivery.packet.into_own(), ..delivery };
        let mut state = lock(&self.state);
        if state.lanes[lane].on_full == OnFull::Block {
            if let Some(mark) = &mut delivery.mark {
                mark.blocked = state.lanes[lane].is_full();
            }
            // A consumer that is starved by an empty lane could otherwise wait for this very producer.
            let must_wait = |state: &mut State| {
                !state.stopped && !state.starved && delivery.epoch > state.cut && state.lanes[lane].is_full()
            };
            if must_wait(&mut state) {
                state.lanes[lane].blocked_since = self.is_timed.then(Instant::now);
                state = self.writable.wait_while(state, must_wait).unwrap_or_else(PoisonError::into_inner);
                state.lanes[lane].unblock();
            }
        }
        if state.stopped {
            return false;
        }
        if delivery.epoch <= state.cut {
            state.lanes[lane].interrupted += 1;
            return true;
        }
        let queue = &mut state.lanes[lane];
        let mut dropped = Vec::new();
        match queue.on_full {
            OnFull::DropNewest if queue.is_full() => dropped.push(delivery),
            on_full => {
                while on_full == OnFull::DropOldest && queue.is_full() {
                    dropped.extend(queue.pop());
                }
                delivery.queued_at = self.is_timed.then(Instant::now);
                queue.push(delivery);
            }
        }
        let told = if dropped.is_empty() { None } else { queue.drops.count(dropped.len()) };
        let is_awaited = state.waits;
        drop(state);
        // To wake nobody costs a system call too.
        if is_awaited {
            self.readable.notify_one();
        }
        if let Some(dropped) = told {
            self.tell_drops(lane, dropped);
        }
        true
    }

    #[cold]
    fn tell_drops(&self, lane: usize, dropped: u64) {
        let queue = self.names.get(lane).map_or("", String::as_str);
        tracing::warn!(
            target: "remotemedia::overload",
            queue,
            dropped,
            "the stage does not keep up: {dropped} packets were dropped before {queue} (told at most every {} s)",
            Drops::TOLD_EVERY.as_secs()
        );
    }

    /// Every packet of `epoch` and earlier ones has been pushed into `lane`.
    pub(crate) fn progress(&self, lane: usize, epoch: Epoch) {
        if self.tells_progress {
            let mut state = lock(&self.state);
            let lane = &mut state.lanes[lane];
            lane.complete = lane.complete.max(epoch);
            if state.waits {
                self.readable.notify_one();
            }
        }
    }

    /// Discards what waits, and from now on every packet of `cut` and before; returns what was discarded, to be dropped
    /// where nobody waits for it. That a lane has ended is not forgotten.
    pub(crate) fn interrupt(&self, cut: Epoch) -> Vec<Delivery> {
        let mut discarded = Vec::new();
        {
            let state = &mut *lock(&self.state);
            state.cut = cut;
            state.interrupted = true;
            state.starved = false;
            for lane in &mut state.lanes {
                lane.complete = lane.complete.max(cut);
                lane.interrupted += lane.waiting.len() as u64;
                lane.waiting_ns = 0;
                discarded.extend(lane.waiting.drain(..));
            }
        }
        self.readable.notify_one();
        self.writable.notify_all();
        discarded
    }

    /// Takes what waits, of a pipeline that is gone.
    pub(crate) fn take_all(&self) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for lane in &mut lock(&self.state).lanes {
            lane.waiting_ns = 0;
            taken.extend(std::mem::take(&mut lane.waiting));
        }
        taken
    }

    /// Nothing more will be pushed into `lane`.
    pub(crate) fn end(&self, lane: usize) {
        lock(&self.state).lanes[lane].ended = true;
        self.readable.notify_one();
    }

    /// Wakes everybody, to end.
    pub(crate) fn stop(&self) {
        lock(&self.state).stopped = true;
        self.readable.notify_all();
        self.writable.notify_all();
        self.idle.notify_all();
    }

    /// Waits until the stage has served everything that was pushed, when nothing more of `epoch` or before will be.
    /// False when the pipeline stops.
    pub(crate) fn wait_idle(&self, epoch: Epoch) -> bool {
        let mut state = lock(&self.state);
        state.watched = true;
        let is_busy = |state: &mut State| {
            let told = !self.tells_progress || state.told >= epoch;
            let empty = state.lanes.iter().all(|lane| lane.waiting.is_empty());
            !(state.stopped || state.waits && empty && told && !state.interrupted)
        };
        let mut state = self.idle.wait_while(state, is_busy).unwrap_or_else(PoisonError::into_inner);
        state.watched = false;
        !state.stopped
    }

    /// Waits for the next thing to do.
    pub(crate) fn receive(&self) -> Received {
        let mut state = lock(&self.state);
        loop {
            if state.stopped {
                return Received::Stopped;
            }
            if std::mem::take(&mut state.interrupted) {
                return Received::Interrupted;
            }
            if let Some(lane) = next_lane(&state.lanes) {
                state.starved = false;
                if self.tells_progress {
                    let complete = complete(&state.lanes);
                    if complete > state.told {
                        state.told = complete;
                        return Received::Progress(complete);
                    }
                }
                let was_full = state.lanes[lane].is_full();
                if let Some(delivery) = state.lanes[lane].pop() {
                    drop(state);
                    if was_full {
                        self.writable.notify_all();
                    }
                    return Received::Packet(delivery);
                }
            }
            if state.lanes.iter().all(|lane| lane.ended && lane.waiting.is_empty()) {
                return Received::End;
            }
            if self.tells_progress {
                let complete = complete(&state.lanes);
                if complete > state.told {
                    state.told = complete;
                    return Received::Progress(complete);
                }
            }
            if !state.starved && state.lanes.iter().any(|lane| !lane.waiting.is_empty()) {
                state.starved = true;
                self.writable.notify_all();
            }
            state.waits = true;
            if state.watched {
                self.idle.notify_all();
            }
            state = self.readable.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waits = false;
        }
    }

    /// The lane whose turn it is.
    #[cfg(test)]
    pub(crate) fn next_lane(&self) -> Option<usize> {
        next_lane(&lock(&self.state).lanes)
    }

    /// What each lane counted so far.
    pub(crate) fn counts(&self) -> Vec<LaneCounts> {
        let state = lock(&self.state);
        let count = |lane: &Lane| LaneCounts {
            dropped: lane.drops.total,
            interrupted: lane.interrupted,
            waiting: lane.waiting.len(),
            high_water: lane.high_water,
            max_packets: lane.max_packets,
            blocked: lane.blocked(),
        };
        state.lanes.iter().map(count).collect()
    }
}

/// The lane whose front packet's turn has come: the lowest (epoch, lane), when no empty lane can still bring a
/// lower one.
fn next_lane(lanes: &[Lane]) -> Option<usize> {
    let (candidate, epoch) = lanes
        .iter()
        .enumerate()
        .filter_map(|(index, lane)| lane.waiting.front().map(|delivery| (index, delivery.epoch)))
        .min_by_key(|&(index, epoch)| (epoch, index))?;
    let all_past = lanes.iter().enumerate().all(|(index, lane)| {
        let before = if index < candidate { epoch } else { epoch.saturating_sub(1) };
        index == candidate || !lane.waiting.is_empty() || lane.is_past(before)
    });
    all_past.then_some(candidate)
}

/// The epoch up to which nothing more will come from any lane.
fn complete(lanes: &[Lane]) -> Epoch {
    let lane_complete = |lane: &Lane| match lane.waiting.front() {
        Some(delivery) => delivery.epoch.saturating_sub(1),
        None if lane.ended => FLUSH_EPOCH,
        None => lane.complete,
    };
    lanes.iter().map(lane_complete).min().unwrap_or(FLUSH_EPOCH)
}
