//! The bounded queues that end at one stage.
//!
//! Every connection that leads into the stage from another one has its own lane, bounded as its manifest says.
//! All lanes share one lock, because the stage waits for all of them at once. Nothing here knows nodes.
//!
//! Fan-in is deterministic: packets carry the epoch of the `feed` that caused them, and lanes are merged by
//! (epoch, lane) as long as the producers' progress allows it. See docs/decisions/0001-ordered-fan-in.md.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use remotemedia_core::manifest::{OnFull, QueueSpec};
use remotemedia_core::{Packet, Port};

use crate::control::lock;

/// Counts the feeds of a pipeline. Flushes happen in [`FLUSH_EPOCH`].
pub(crate) type Epoch = u64;

/// The epoch of everything that the end of the stream brings.
pub(crate) const FLUSH_EPOCH: Epoch = u64::MAX;

/// A packet for one node of the stage.
pub(crate) struct Delivery {
    pub(crate) epoch: Epoch,
    pub(crate) node: usize,
    pub(crate) port: Port,
    pub(crate) packet: Packet,
}

/// What a stage finds in its inbox.
pub(crate) enum Received {
    /// A packet.
    Packet(Delivery),
    /// No packet of this epoch or an earlier one will come any more; told only where somebody needs to know.
    Progress(Epoch),
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
    dropped: u64,
    high_water: usize,
}

impl Lane {
    fn is_full(&self) -> bool {
        self.waiting.len() >= self.max_packets
            || self.max_ns.is_some_and(|max_ns| !self.waiting.is_empty() && self.waiting_ns >= max_ns)
    }

    fn push(&mut self, delivery: Delivery) {
        self.waiting_ns += delivery.packet.duration_ns();
        self.waiting.push_back(delivery);
        self.high_water = self.high_water.max(self.waiting.len());
    }

    fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_front()?;
        self.waiting_ns -= delivery.packet.duration_ns();
        Some(delivery)
    }

    /// Nothing of `epoch` or earlier is still to be pushed.
    fn is_past(&self, epoch: Epoch) -> bool {
        self.ended || self.complete >= epoch
    }
}

/// What a lane counted, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Packets dropped because the queue was full.
    pub dropped: u64,
    /// Most packets that ever waited.
    pub high_water: usize,
}

struct State {
    lanes: Vec<Lane>,
    /// The epoch up to which progress was told to the stage.
    told: Epoch,
    stopped: bool,
    /// The consumer waits although packets are there: their turn depends on a lane that is empty.
    starved: bool,
}

/// All queues into one stage.
pub(crate) struct Inbox {
    state: Mutex<State>,
    readable: Condvar,
    writable: Condvar,
    /// Somebody downstream merges lanes, so progress must be passed on even when no packet comes.
    tells_progress: bool,
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
                dropped: 0,
                high_water: 0,
            })
            .collect();
        Self {
            state: Mutex::new(State { lanes, told: 0, stopped: false, starved: false }),
            readable: Condvar::new(),
            writable: Condvar::new(),
            tells_progress,
        }
    }

    /// Puts `delivery` into `lane`, waiting for room if that is what the lane does when full. False when the
    /// pipeline stops: the packet is gone. What was lent to this thread only is copied.
    pub(crate) fn push(&self, lane: usize, delivery: Delivery) -> bool {
        let delivery = Delivery { packet: delivery.packet.into_own(), ..delivery };
        let mut state = lock(&self.state);
        match state.lanes[lane].on_full {
            // A consumer that is starved by an empty lane could otherwise wait for this very producer.
            OnFull::Block => {
                state = self
                    .writable
                    .wait_while(state, |state| {
                        !state.stopped && !state.starved && state.lanes[lane].is_full()
                    })
                    .unwrap_or_else(PoisonError::into_inner);
            }
            OnFull::DropNewest => {
                let lane = &mut state.lanes[lane];
                if lane.is_full() {
                    lane.dropped += 1;
                    return true;
                }
            }
            OnFull::DropOldest => {
                let lane = &mut state.lanes[lane];
                while lane.is_full() && lane.pop().is_some() {
                    lane.dropped += 1;
                }
            }
        }
        if state.stopped {
            return false;
        }
        state.lanes[lane].push(delivery);
        drop(state);
        self.readable.notify_one();
        true
    }

    /// Every packet of `epoch` and earlier ones has been pushed into `lane`.
    pub(crate) fn progress(&self, lane: usize, epoch: Epoch) {
        if self.tells_progress {
            lock(&self.state).lanes[lane].complete = epoch;
            self.readable.notify_one();
        }
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
    }

    /// Waits for the next thing to do.
    pub(crate) fn receive(&self) -> Received {
        let mut state = lock(&self.state);
        loop {
            if state.stopped {
                return Received::Stopped;
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
            state = self.readable.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What each lane counted so far.
    pub(crate) fn counts(&self) -> Vec<LaneCounts> {
        let state = lock(&self.state);
        let count = |lane: &Lane| LaneCounts { dropped: lane.dropped, high_water: lane.high_water };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(epoch: Epoch, pts_ns: i64) -> Delivery {
        Delivery { epoch, node: 0, port: Port::FIRST, packet: Packet::new(pts_ns, "x") }
    }

    fn spec(max_packets: usize, on_full: OnFull) -> QueueSpec {
        QueueSpec { max_packets, max_ms: None, on_full }
    }

    /// The next packet's time; `None` at the end.
    fn take(inbox: &Inbox) -> Option<i64> {
        loop {
            match inbox.receive() {
                Received::Packet(delivery) => return Some(delivery.packet.pts_ns),
                Received::Progress(_) => {}
                Received::End | Received::Stopped => return None,
            }
        }
    }

    #[test]
    fn lanes_merge_by_epoch_then_lane_whatever_the_order_of_arrival() {
        let inbox = Inbox::new(&[QueueSpec::default(), QueueSpec::default()], true);
        inbox.push(1, delivery(1, 11));
        inbox.push(1, delivery(2, 21));
        inbox.push(0, delivery(2, 20));
        inbox.progress(0, 2);
        inbox.push(0, delivery(3, 30));
        inbox.end(0);
        inbox.end(1);
        let taken: Vec<_> = std::iter::from_fn(|| take(&inbox)).collect();
        assert_eq!(taken, [11, 20, 21, 30]);
    }

    #[test]
    fn a_packet_waits_for_an_empty_lane_that_may_still_bring_an_earlier_one() {
        let inbox = Inbox::new(&[QueueSpec::default(), QueueSpec::default()], true);
        inbox.push(1, delivery(2, 21));
        assert_eq!(next_lane(&lock(&inbox.state).lanes), None);
        inbox.progress(0, 1);
        assert_eq!(next_lane(&lock(&inbox.state).lanes), None, "lane 0 may still bring epoch 2");
        inbox.progress(0, 2);
        assert_eq!(next_lane(&lock(&inbox.state).lanes), Some(1));
    }

    #[test]
    fn a_full_lane_drops_the_newest_or_the_oldest_and_counts_it() {
        for (on_full, kept) in [(OnFull::DropNewest, [0, 1]), (OnFull::DropOldest, [3, 4])] {
            let inbox = Inbox::new(&[spec(2, on_full)], false);
            for pts_ns in 0..5 {
                assert!(inbox.push(0, delivery(1, pts_ns)));
            }
            inbox.end(0);
            assert_eq!(inbox.counts(), [LaneCounts { dropped: 3, high_water: 2 }]);
            assert_eq!([take(&inbox), take(&inbox)], kept.map(Some));
            assert!(matches!(inbox.receive(), Received::End));
        }
    }

    #[test]
    fn a_full_blocking_lane_makes_its_producer_wait_and_loses_nothing() {
        let inbox = Inbox::new(&[spec(3, OnFull::Block)], false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for pts_ns in 0..1_000 {
                    assert!(inbox.push(0, delivery(1, pts_ns)));
                }
                inbox.end(0);
            });
            assert!(std::iter::from_fn(|| take(&inbox)).eq(0..1_000));
        });
        assert!(inbox.counts()[0].high_water <= 3);
    }

    #[test]
    fn a_lane_is_also_bounded_in_time_of_audio() {
        use remotemedia_core::AudioBuffer;
        let spec = QueueSpec { max_packets: 100, max_ms: Some(40), on_full: OnFull::DropNewest };
        let inbox = Inbox::new(&[spec], false);
        for _ in 0..5 {
            let audio = AudioBuffer::from_f32(48_000, 1, vec![0.0; 960]).unwrap();
            let packet = Packet::new(0, audio);
            inbox.push(0, Delivery { epoch: 1, node: 0, port: Port::FIRST, packet });
        }
        assert_eq!(inbox.counts(), [LaneCounts { dropped: 3, high_water: 2 }]);
    }

    #[test]
    fn a_starved_consumer_lets_a_full_lane_grow_instead_of_waiting_in_a_circle() {
        let inbox = Inbox::new(&[spec(1, OnFull::Block), spec(1, OnFull::Block)], true);
        std::thread::scope(|scope| {
            let consumer = scope.spawn(|| std::iter::from_fn(|| take(&inbox)).collect::<Vec<_>>());
            // One producer feeds both lanes of one epoch: lane 1 fills up before lane 0 gets anything.
            for pts_ns in 0..10 {
                assert!(inbox.push(1, delivery(1, pts_ns)));
            }
            assert!(inbox.push(0, delivery(1, -1)));
            inbox.end(0);
            inbox.end(1);
            assert_eq!(consumer.join().unwrap(), [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        });
    }

    #[test]
    fn stopping_wakes_a_waiting_producer_and_consumer() {
        let inbox = Inbox::new(&[spec(1, OnFull::Block)], false);
        inbox.push(0, delivery(1, 0));
        std::thread::scope(|scope| {
            let producer = scope.spawn(|| inbox.push(0, delivery(1, 1)));
            inbox.stop();
            assert!(!producer.join().unwrap());
        });
        assert!(matches!(inbox.receive(), Received::Stopped));
    }
}
