//! What happens around the calls of a node. This file says in which order, and why; each policy has a file of its own.
//!
//! A policy is a node around a node. A node whose manifest asks for none is not wrapped: its calls go straight to it.

mod breaker;
mod circuit;
pub(crate) mod clock;
pub(crate) mod counts;
pub(crate) mod fallback;
mod on_error;
pub(crate) mod panics;
mod retry;
mod timeout;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use remotemedia_core::manifest::OnError;
use remotemedia_core::{Node, NodeDescriptor, NodeError, NodeManifest, Runtime};

pub use breaker::BreakerState;
pub(crate) use timeout::Watch;

use breaker::{Breakers, Guarded};
use clock::{Clock, SystemClock};
use counts::{Counts, add_one};
use fallback::FallsBack;
use on_error::Skip;
use panics::{Caught, Down};
use retry::Retry;
use timeout::{Timed, Watchdog};

use crate::control::Control;
use crate::life::LeftBehind;
use crate::runtimes::Runtimes;
use crate::selector::Selection;

/// What the pipelines of one host share.
pub(crate) struct Shared {
    breakers: Breakers,
    clock: Arc<dyn Clock>,
    watchdog: Arc<Watchdog>,
    pub(crate) left_behind: Arc<LeftBehind>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock::new()))
    }
}

impl Shared {
    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { breakers: Breakers::default(), clock, watchdog: Arc::default(), left_behind: Arc::default() }
    }
}

/// The policies of one node, as its slot sees them.
pub(crate) struct Policies {
    id: Arc<str>,
    on_error: OnError,
    counts: Arc<Counts>,
    /// The watched call of a node that can be left behind.
    pub(crate) watch: Option<Arc<Watch>>,
}

impl Policies {
    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// What becomes of a packet that was refused before it reached the node.
    pub(crate) fn refused(&self, error: NodeError, pts_ns: i64) -> Result<(), NodeError> {
        match self.on_error {
            OnError::Fail => Err(error),
            OnError::Skip => {
                add_one(&self.counts.came);
                on_error::skip(&self.id, &self.counts, error, pts_ns)
            }
        }
    }
}

/// True when a call of the node may wait for long before it is done, or never return: then it has a stage to itself,
/// which never runs on the caller's thread.
pub(crate) fn needs_own_thread(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    runtime: Option<&Arc<dyn Runtime>>,
) -> bool {
    node.retry.is_some()
        || runtime.is_some_and(|runtime| timeout::applies(node, descriptor, runtime.as_ref()))
}

/// What the manifest asks for around the calls of `node` and does not get, one sentence each.
pub(crate) fn notices(
    node: &NodeManifest,
    descriptor: &NodeDescriptor,
    selection: &Selection,
    runtimes: &Runtimes,
) -> impl Iterator<Item = String> {
    let runtime = runtimes.get(selection.kind);
    let timeout = runtime.and_then(|runtime| timeout::notice(node, descriptor, runtime.as_ref()));
    timeout.into_iter().chain(fallback::notice(node, descriptor, selection))
}

/// Wraps `node` into the policies that `manifest` asks for; without any it stays as it is. `others` are the runtimes
/// that may serve calls in its place.
pub(crate) fn wrap(
    node: Box<dyn Node>,
    manifest: &NodeManifest,
    descriptor: &Arc<NodeDescriptor>,
    runtime: &dyn Runtime,
    others: Vec<Arc<dyn Runtime>>,
    shared: &Shared,
    control: &Arc<Control>,
) -> Result<(Box<dyn Node>, Option<Policies>), NodeError> {
    let skips = manifest.on_error == OnError::Skip;
    let limit_ms = manifest.timeout_ms.filter(|_| timeout::applies(manifest, descriptor, runtime));
    let asked = limit_ms.is_some() || manifest.retry.is_some() || manifest.circuit_breaker.is_some() || skips;
    if !asked && others.is_empty() {
        return Ok((node, None));
    }
    let id: Arc<str> = manifest.id.as_str().into();
    let breaker = manifest.circuit_breaker.map(|spec| shared.breakers.of(manifest, runtime.kind(), spec));
    let counts = Arc::new(Counts { breaker: breaker.clone(), ..Counts::default() });
    let down = Down::default();
    // The order of all policies, from the call outwards.
    // 0. A panic is an error like others to all policies. Without policies it is caught by the stage, which costs nothing.
    let mut node: Box<dyn Node> = Box::new(Caught::new(node, &down));
    // 1. The timeout limits one attempt, so that a retry gets its whole time again. A sandbox has one of its own.
    let mut watch = None;
    if let Some(limit_ms) = limit_ms {
        shared.left_behind.allow_one_more()?;
        let breaker = breaker.clone().map(|breaker| (breaker, Arc::clone(&shared.clock)));
        let limit = Duration::from_millis(limit_ms);
        let watched =
            Arc::new(Watch::new(Arc::clone(&id), limit, Arc::clone(control), breaker, Arc::clone(&counts)));
        shared.watchdog.watch(&watched)?;
        node = Box::new(Timed { inner: node, watch: Arc::clone(&watched) });
        watch = Some(watched);
    }
    // 2. Retries are next to the node: an error that passes is nobody else's business.
    if let Some(spec) = manifest.retry {
        let (id, counts) = (Arc::clone(&id), Arc::clone(&counts));
        let (clock, control) = (Arc::clone(&shared.clock), Arc::clone(control));
        // The sandbox stops a guest that takes too long, and a packet that stopped its node is never tried again.
        let (stateless, timeout_is_final) = (descriptor.stateless, runtime.kind().is_sandboxed());
        let cut = control.epochs.cut();
        node = Box::new(Retry {
            inner: node,
            id,
            spec,
            stateless,
            timeout_is_final,
            counts,
            clock,
            control,
            cut,
        });
    }
    // 3. The breaker counts calls whose retries are used up, and an open circuit spares the waits of retries too.
    if let Some(breaker) = breaker {
        node =
            Box::new(Guarded { inner: node, id: Arc::clone(&id), breaker, clock: Arc::clone(&shared.clock) });
    }
    // 4. Another runtime is asked when this one gave up, or is kept from its calls by the breaker.
    if !others.is_empty() {
        node = Box::new(FallsBack::new(node, manifest, descriptor, runtime.kind(), others, &counts, &down));
    }
    // 5. Skipping is outermost: it gives up on a packet when nothing else could save it.
    if skips {
        node = Box::new(Skip { inner: node, id: Arc::clone(&id), counts: Arc::clone(&counts), down });
    }
    Ok((node, Some(Policies { id, on_error: manifest.on_error, counts, watch })))
}
