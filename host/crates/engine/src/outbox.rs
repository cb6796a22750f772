//! The packets that left the graph and wait for the caller.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use remotemedia_core::{Packet, Port};

use crate::control::lock;

/// A packet that left the graph.
#[derive(Clone, Debug)]
pub struct Output {
    /// Index of the node, as in [`remotemedia_core::graph::Graph::nodes`].
    pub node: usize,
    /// Which of its outputs.
    pub port: Port,
    /// What came out.
    pub packet: Packet,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Output>,
    ended: bool,
}

/// An optionally bounded queue from the sinks to the caller.
#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    readable: Condvar,
    writable: Condvar,
    max_waiting: Option<usize>,
}

impl Outbox {
    pub(crate) fn new(max_waiting: Option<usize>) -> Self {
        Self { max_waiting, ..Self::default() }
    }

    /// Waits for room when there is a bound. Once the stream has ended the packet is dropped.
    pub(crate) fn push(&self, output: Output) {
        let mut state = lock(&self.state);
        if let Some(max) = self.max_waiting {
            state = self
                .writable
                .wait_while(state, |state| !state.ended && state.waiting.len() >= max)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !state.ended {
            state.waiting.push_back(output);
            drop(state);
            self.readable.notify_one();
        }
    }

    pub(crate) fn try_pop(&self) -> Option<Output> {
        let output = lock(&self.state).waiting.pop_front();
        if output.is_some() && self.max_waiting.is_some() {
            self.writable.notify_one();
        }
        output
    }

    /// Waits for a packet; `None` once the stream has ended and everything was taken.
    pub(crate) fn pop(&self) -> Option<Output> {
        let mut state = self
            .readable
            .wait_while(lock(&self.state), |state| !state.ended && state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let output = state.waiting.pop_front();
        drop(state);
        self.writable.notify_one();
        output
    }

    /// No more packets: wakes whoever waits on either side.
    pub(crate) fn end(&self) {
        lock(&self.state).ended = true;
        self.readable.notify_all();
        self.writable.notify_all();
    }
}
