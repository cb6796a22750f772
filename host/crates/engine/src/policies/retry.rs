//! Tries a failed call again, when its error may pass, after waits that grow: 100, 200, 400 ms unless set otherwise.
//!
//! The wait is on the thread of the node's stage. A node with retries begins a stage of its own, and that stage never
//! runs on the caller's thread, so only the node itself and what depends on its outputs wait; queues hold what comes
//! meanwhile. A pipeline that stops, or is interrupted, ends the wait at once.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use remotemedia_core::manifest::RetrySpec;
use remotemedia_core::{ErrorKind, Node, NodeError, Outputs, Packet, Port};

use super::clock::Clock;
use super::counts::{Counts, add_one};
use crate::control::Control;
use crate::epochs::Epoch;

/// The waits of one call, one after the other; `None` when all retries are used up.
pub(crate) struct Backoff<'a> {
    spec: &'a RetrySpec,
    used: u32,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(spec: &'a RetrySpec) -> Self {
        Self { spec, used: 0 }
    }

    /// The next wait. `random` is from 0 to 1 and counts only with jitter.
    pub(crate) fn next(&mut self, random: impl FnOnce() -> f64) -> Option<Duration> {
        if self.used >= self.spec.attempts {
            return None;
        }
        let exponent = i32::try_from(self.used).unwrap_or(i32::MAX);
        self.used += 1;
        let grown_ms = self.spec.base_ms as f64 * self.spec.factor.powi(exponent);
        let wait_ms = grown_ms.min(self.spec.max_ms as f64);
        let share = if self.spec.jitter { 0.5 + random() / 2.0 } else { 1.0 };
        Some(Duration::try_from_secs_f64(wait_ms * share / 1_000.0).unwrap_or_default())
    }
}

/// A node whose failed calls are tried again.
pub(crate) struct Retry {
    pub(crate) inner: Box<dyn Node>,
    pub(crate) id: Arc<str>,
    pub(crate) spec: RetrySpec,
    pub(crate) stateless: bool,
    /// A call that took too long stopped the node: there is nobody to try again.
    pub(crate) timeout_is_final: bool,
    pub(crate) counts: Arc<Counts>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) control: Arc<Control>,
    /// The interruption that the node was reset by last: a later one ends a wait.
    pub(crate) cut: Epoch,
}

impl Retry {
    fn may_pass(&self, kind: ErrorKind) -> bool {
        kind.is_retryable(self.stateless) && !(self.timeout_is_final && kind == ErrorKind::Timeout)
    }

    /// Calls until it works, the error is one that does not pass, or all retries are used up.
    fn call(
        &mut self,
        out: &mut Outputs,
        mut call: impl FnMut(&mut dyn Node, &mut Outputs) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let emitted = out.len();
        let Err(mut error) = call(&mut *self.inner, out) else { return Ok(()) };
        let mut backoff = Backoff::new(&self.spec);
        while self.may_pass(error.kind) {
            // What a failed call emitted is not whole.
            out.truncate(emitted);
            let Some(wait) = backoff.next(random) else {
                let message = format!("{}; {} retries did not help", error.message, self.spec.attempts);
                return Err(NodeError { message: message.into(), ..error });
            };
            tracing::debug!(
                target: "remotemedia::policy",
                node = &*self.id,
                wait_ms = wait.as_millis(),
                "the call failed and is tried again: {error}"
            );
            if !self.clock.wait(wait, &self.control, self.cut) {
                let message = format!("stopped while waiting to try again after: {}", error.message);
                return Err(NodeError::new(ErrorKind::Cancelled, message));
            }
            add_one(&self.counts.retries);
            match call(&mut *self.inner, out) {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
        Err(error)
    }
}

impl Node for Retry {
    /// Not tried again: a start that fails is told at once.
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.inner.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(out, |node, out| node.process(port, packet.clone(), out))
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.cut = self.control.epochs.cut();
        self.inner.reset()
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.call(out, |node, out| node.flush(out))
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.inner.memory_bytes()
    }
}

/// From 0 to 1. Good enough to spread retries, for nothing else.
fn random() -> f64 {
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}
