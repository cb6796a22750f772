//! What a packet carries through a queue while its pipeline is recorded.

use std::time::Instant;

use super::Flow;

/// The way of a packet, and when it went into a queue. Boxed in a delivery, which is nothing when nobody records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) flow: Flow,
    /// The queue's number.
    pub(crate) queue: usize,
    /// When the producer came with it.
    pub(crate) came: Instant,
    /// When it was in the queue, and when it was taken.
    pub(crate) entered: Option<Instant>,
    pub(crate) left: Option<Instant>,
    /// The producer had to wait.
    pub(crate) blocked: bool,
    pub(crate) depth_then: usize,
    pub(crate) depth_after: usize,
}

impl Mark {
    pub(crate) fn new(flow: Flow, queue: usize) -> Box<Self> {
        let came = Instant::now();
        let (entered, left, blocked) = (None, None, false);
        Box::new(Self { flow, queue, came, entered, left, blocked, depth_then: 0, depth_after: 0 })
    }

    /// It is in the queue now, as one of `depth`.
    pub(crate) fn enter(&mut self, depth: usize) {
        self.entered = Some(Instant::now());
        self.depth_then = depth;
    }

    /// It was taken, and `depth` packets stay.
    pub(crate) fn leave(&mut self, depth: usize) {
        self.left = Some(Instant::now());
        self.depth_after = depth;
    }
}
