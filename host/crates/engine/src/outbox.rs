//! The packets that left the graph and wait for the caller.

use std::collections::VecDeque;

use remotemedia_core::{Packet, Port};

use super::epochs::Epoch;
use super::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

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
    /// Packets of this epoch and before are void.
    cut: Epoch,
    interrupted: u64,
    ended: bool,
    /// How many threads wait for a packet, and for room: to wake nobody costs a system call too.
    readers: usize,
    writers: usize,
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

    /// Waits for room when there is a bound. Once the stream has ended, or when it is void, the packet is dropped.
    pub(crate) fn push(&self, epoch: Epoch, output: Output) {
        let mut state = lock(&self.state);
        if let Some(max) = self.max_waiting {
            while !state.ended && epoch > state.cut && state.waiting.len() >= max {
                state.writers += 1;
                state = self.writable.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.writers -= 1;
            }
        }
        if epoch <= state.cut {
            state.interrupted += 1;
        } else if !state.ended {
            state.waiting.push_back(output);
            let is_awaited = state.readers > 0;
            drop(state);
            if is_awaited {
                self.readable.notify_one();
            }
        }
    }

    pub(crate) fn try_pop(&self) -> Option<Output> {
        self.take(lock(&self.state))
    }

    /// Waits for a packet; `None` once the stream has ended and everything was taken.
    pub(crate) fn pop(&self) -> Option<Output> {
        let mut state = lock(&self.state);
        while !state.ended && state.waiting.is_empty() {
            state.readers += 1;
            state = self.readable.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.readers -= 1;
        }
        self.take(state)
    }

    fn take(&self, mut state: MutexGuard<'_, State>) -> Option<Output> {
        let output = state.waiting.pop_front();
        let is_awaited = output.is_some() && state.writers > 0;
        drop(state);
        if is_awaited {
            self.writable.notify_one();
        }
        output
    }

    /// Discards what waits, and from now on every packet of `cut` and before; returns what was discarded, to be dropped
    /// where nobody waits for it.
    pub(crate) fn interrupt(&self, cut: Epoch) -> VecDeque<Output> {
        let discarded = {
            let mut state = lock(&self.state);
            state.cut = cut;
            state.interrupted += state.waiting.len() as u64;
            std::mem::take(&mut state.waiting)
        };
        self.writable.notify_all();
        discarded
    }

    /// Most packets that wait, if there is a bound.
    pub(crate) fn max_waiting(&self) -> Option<usize> {
        self.max_waiting
    }

    /// Takes what waits, of a pipeline that is gone.
    pub(crate) fn take_all(&self) -> VecDeque<Output> {
        std::mem::take(&mut lock(&self.state).waiting)
    }

    /// How many packets interruptions discarded.
    pub(crate) fn interrupted(&self) -> u64 {
        lock(&self.state).interrupted
    }

    /// No more packets: wakes whoever waits on either side.
    pub(crate) fn end(&self) {
        lock(&self.state).ended = true;
        self.readable.notify_all();
        self.writable.notify_all();
    }
}
