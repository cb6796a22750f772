//! What happens around the calls of a node. This file says in which order, and why; each policy has a file of its own.
//!
//! A policy is a node around a node. A node whose manifest asks for none is not wrapped: its calls go straight to it.

mod breaker;
mod circuit;
pub(crate) mod clock;
pub(crate) mod counts;
mod on_error;
mod retry;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use remotemedia_core::manifest::OnError;
use remotemedia_core::{Node, NodeError, NodeManifest, RuntimeKind};

pub use breaker::BreakerState;

use breaker::{Breakers, Guarded};
use clock::{Clock, SystemClock};
use counts::Counts;
use on_error::Skip;
use retry::Retry;

use crate::control::Control;
use crate::metrics::PolicyMetrics;

/// What the pipelines of one host share.
pub(crate) struct Shared {
    breakers: Breakers,
    clock: Arc<dyn Clock>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock::new()))
    }
}

impl Shared {
    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { breakers: Breakers::default(), clock }
    }
}

/// The policies of one node, as its slot sees them.
pub(crate) struct Policies {
    id: Arc<str>,
    on_error: OnError,
    counts: Arc<Counts>,
}

impl Policies {
    pub(crate) fn snapshot(&self) -> PolicyMetrics {
        self.counts.snapshot()
    }

    /// What becomes of a packet that was refused before it reached the node.
    pub(crate) fn refused(&self, error: NodeError, pts_ns: i64) -> Result<(), NodeError> {
        match self.on_error {
            OnError::Fail => Err(error),
            OnError::Skip => on_error::skip(&self.id, &self.counts, error, pts_ns),
        }
    }
}

/// True when a call of the node may wait for long before it is done: then it has a stage, and a thread, to itself.
pub(crate) fn may_wait(node: &NodeManifest) -> bool {
    node.retry.is_some()
}

/// Wraps `node` into the policies that `manifest` asks for; without any it stays as it is.
pub(crate) fn wrap(
    node: Box<dyn Node>,
    manifest: &NodeManifest,
    stateless: bool,
    runtime: RuntimeKind,
    shared: &Shared,
    control: &Arc<Control>,
) -> (Box<dyn Node>, Option<Policies>) {
    let skips = manifest.on_error == OnError::Skip;
    if manifest.retry.is_none() && manifest.circuit_breaker.is_none() && !skips {
        return (node, None);
    }
    let id: Arc<str> = manifest.id.as_str().into();
    let breaker = manifest.circuit_breaker.map(|spec| shared.breakers.of(manifest, runtime, spec));
    let counts = Arc::new(Counts { breaker: breaker.clone(), ..Counts::default() });
    let mut node = node;
    // The order of all policies, from the call outwards.
    // 1. The timeout is the runtime's own and limits one attempt: a retry gets its whole time again.
    // 2. Retries are next to the node: an error that passes is nobody else's business.
    if let Some(spec) = manifest.retry {
        let (id, counts) = (Arc::clone(&id), Arc::clone(&counts));
        let (clock, control) = (Arc::clone(&shared.clock), Arc::clone(control));
        // The sandbox stops a guest that takes too long, and a packet that stopped its node is never tried again.
        let timeout_is_final = runtime.is_sandboxed();
        node = Box::new(Retry { inner: node, id, spec, stateless, timeout_is_final, counts, clock, control });
    }
    // 3. The breaker counts calls whose retries are used up, and an open circuit spares the waits of retries too.
    if let Some(breaker) = breaker {
        node =
            Box::new(Guarded { inner: node, id: Arc::clone(&id), breaker, clock: Arc::clone(&shared.clock) });
    }
    // 4. Skipping is outermost: it gives up on a packet when nothing else could save it.
    if skips {
        node = Box::new(Skip { inner: node, id: Arc::clone(&id), counts: Arc::clone(&counts) });
    }
    (node, Some(Policies { id, on_error: manifest.on_error, counts }))
}
