//! Four threads of one pipeline: one feeds and finishes, two are stages, and one interrupts while they do.
//!
//! ```text
//! feed ──▶ fork ──▶ merge ──▶ outputs
//!             └──────▲
//! ```
//! Both branches of the fork are queues into the merge, as shallow as they can be.

use std::sync::Arc;

use remotemedia_core::manifest::{OnFull, QueueSpec};
use remotemedia_core::{Packet, Port};
use shuttle::thread;

use super::epochs::{Epoch, Epochs, FLUSH_EPOCH};
use super::inbox::{Delivery, Inbox, Received};
use super::outbox::{Outbox, Output};

/// What `make test` runs.
const SCHEDULES: usize = 50_000;

/// How many changes of the running thread `shuttle`'s second way of choosing plans for.
const DEPTH: usize = 3;

const FEEDS: i64 = 3;

struct Pipeline {
    epochs: Epochs,
    fork: Inbox,
    merge: Inbox,
    outbox: Outbox,
}

impl Pipeline {
    fn new(on_full: OnFull) -> Arc<Self> {
        let queue = |on_full| QueueSpec { max_packets: 1, max_ms: None, on_full };
        Arc::new(Self {
            epochs: Epochs::default(),
            fork: Inbox::new(&[queue(on_full)], true),
            merge: Inbox::new(&[queue(OnFull::Block), queue(OnFull::Block)], true),
            outbox: Outbox::new(Some(1)),
        })
    }

    /// As `Control::interrupt`.
    fn interrupt(&self) {
        self.epochs.interrupt(|cut| {
            drop(self.fork.interrupt(cut));
            drop(self.merge.interrupt(cut));
            drop(self.outbox.interrupt(cut));
        });
    }

    /// As `Pipeline::feed`.
    fn feed(&self, pts_ns: i64) -> Epoch {
        let epoch = self.epochs.next();
        assert!(self.fork.push(0, delivery(epoch, pts_ns)));
        self.fork.progress(0, epoch);
        epoch
    }

    /// As `Pipeline::finish`.
    fn finish(&self) {
        self.epochs.finish();
        self.fork.end(0);
    }

    /// A stage that hands every packet to both lanes of the merge, and one more at the end.
    fn run_fork(&self) {
        let send = |delivery: &Delivery| {
            for lane in 0..2 {
                assert!(self.merge.push(lane, copy(delivery)));
            }
        };
        serve(&self.fork, &self.epochs, |event| match event {
            Event::Packet(delivery) => send(&delivery),
            Event::Progress(epoch) => (0..2).for_each(|lane| self.merge.progress(lane, epoch)),
            Event::End => {
                send(&delivery(FLUSH_EPOCH, i64::MAX));
                (0..2).for_each(|lane| self.merge.end(lane));
            }
        });
    }

    /// A stage that hands every packet on to the outputs.
    fn run_merge(&self) {
        serve(&self.merge, &self.epochs, |event| {
            if let Event::Packet(Delivery { epoch, port, packet, .. }) = event {
                self.outbox.push(epoch, Output { node: 0, port, packet });
            }
        });
        self.outbox.end();
    }
}

enum Event {
    Packet(Delivery),
    Progress(Epoch),
    End,
}

/// As `Stage::serve`: no packet is processed before the node was reset because of what was interrupted before it.
fn serve(inbox: &Inbox, epochs: &Epochs, mut on: impl FnMut(Event)) {
    let (mut reset_at, mut last) = (0, 0);
    loop {
        match inbox.receive() {
            Received::Packet(delivery) => {
                reset_at = epochs.cut();
                if delivery.epoch > reset_at {
                    assert!(delivery.epoch >= last, "packets come in the order of their feeds");
                    last = delivery.epoch;
                    on(Event::Packet(delivery));
                }
            }
            Received::Progress(epoch) => on(Event::Progress(epoch)),
            Received::Interrupted => {
                assert!(epochs.cut() >= reset_at);
                reset_at = epochs.cut();
            }
            Received::End => return on(Event::End),
            Received::Stopped => unreachable!("nobody stops it"),
        }
    }
}

fn delivery(epoch: Epoch, pts_ns: i64) -> Delivery {
    Delivery {
        epoch,
        node: 0,
        port: Port::FIRST,
        packet: Packet::new(pts_ns, "x"),
        mark: None,
        queued_at: None,
    }
}

fn copy(Delivery { epoch, node, port, packet, .. }: &Delivery) -> Delivery {
    Delivery { epoch: *epoch, node: *node, port: *port, packet: packet.clone(), mark: None, queued_at: None }
}

/// Feeds and takes in one thread, while another one interrupts twice.
fn interrupted_at_any_moment(on_full: OnFull) {
    let pipeline = Pipeline::new(on_full);
    let on = |body: fn(&Pipeline)| {
        let pipeline = Arc::clone(&pipeline);
        thread::spawn(move || body(&pipeline))
    };
    let stages = [on(Pipeline::run_fork), on(Pipeline::run_merge)];
    let interrupting = on(|pipeline| (0..2).for_each(|_| pipeline.interrupt()));
    let taking = {
        let pipeline = Arc::clone(&pipeline);
        thread::spawn(move || {
            let taken = std::iter::from_fn(|| pipeline.outbox.pop());
            taken.map(|output| output.packet.pts_ns).collect::<Vec<_>>()
        })
    };
    let epochs: Vec<Epoch> = (0..FEEDS).map(|pts_ns| pipeline.feed(pts_ns)).collect();
    pipeline.finish();
    let taken = taking.join().unwrap();
    interrupting.join().unwrap();
    stages.into_iter().for_each(|stage| stage.join().unwrap());
    assert!(taken.is_sorted(), "{taken:?}");
    let cut = pipeline.epochs.cut();
    let copies = |wanted: i64| taken.iter().filter(|&&pts_ns| pts_ns == wanted).count();
    for (pts_ns, &epoch) in (0..).zip(&epochs) {
        let whole = on_full == OnFull::Block && epoch > cut;
        assert!(copies(pts_ns) == 2 || copies(pts_ns) < 2 && !whole, "{pts_ns} of {taken:?}, cut at {cut}");
    }
    assert!(copies(i64::MAX) == 2 || cut == FLUSH_EPOCH, "{taken:?}, cut at {cut}");
}

/// What one thread fed before it interrupted is never taken after; what it fed then is.
fn interrupted_between_two_feeds() {
    let pipeline = Pipeline::new(OnFull::Block);
    let stages = [Pipeline::run_fork, Pipeline::run_merge].map(|body: fn(&Pipeline)| {
        let pipeline = Arc::clone(&pipeline);
        thread::spawn(move || body(&pipeline))
    });
    pipeline.feed(0);
    pipeline.interrupt();
    let feeding = {
        let pipeline = Arc::clone(&pipeline);
        thread::spawn(move || {
            pipeline.feed(1);
            pipeline.finish();
        })
    };
    let taken: Vec<_> =
        std::iter::from_fn(|| pipeline.outbox.pop()).map(|output| output.packet.pts_ns).collect();
    assert_eq!(taken, [1, 1, i64::MAX, i64::MAX]);
    feeding.join().unwrap();
    stages.into_iter().for_each(|stage| stage.join().unwrap());
}

#[test]
fn in_50_000_random_schedules_no_interruption_hangs_loses_the_end_or_lets_through_what_is_void() {
    shuttle::check_random(|| interrupted_at_any_moment(OnFull::Block), SCHEDULES / 2);
    shuttle::check_random(|| interrupted_at_any_moment(OnFull::DropOldest), SCHEDULES / 4);
    shuttle::check_random(interrupted_between_two_feeds, SCHEDULES / 4);
}

#[test]
fn nor_in_50_000_schedules_that_change_threads_rarely_and_at_the_worst_moments() {
    shuttle::check_pct(|| interrupted_at_any_moment(OnFull::Block), SCHEDULES / 2, DEPTH);
    shuttle::check_pct(|| interrupted_at_any_moment(OnFull::DropOldest), SCHEDULES / 4, DEPTH);
    shuttle::check_pct(interrupted_between_two_feeds, SCHEDULES / 4, DEPTH);
}
