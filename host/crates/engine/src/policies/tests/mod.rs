//! The policies at work, by a clock that only the tests move.

mod breaker;
mod circuit;
mod fallback;
mod on_error;
mod retry;
mod timeout;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use remotemedia_core::{ErrorKind, Manifest, NodeError, Packet, PayloadKind};
use serde_json::Value;

use super::clock::Clock;
use crate::control::Control;
use crate::epochs::Epoch;
use crate::tests::TestRuntime;
use crate::{Pipeline, PipelineOptions, Plan, Runtimes, Settings};

/// Moves when somebody waits for it or a test says so, and remembers the waits.
#[derive(Default)]
pub(super) struct VirtualClock {
    now: Mutex<Duration>,
    waits_ms: Mutex<Vec<u128>>,
}

impl VirtualClock {
    pub(super) fn advance(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    pub(super) fn waits_ms(&self) -> Vec<u128> {
        self.waits_ms.lock().unwrap().clone()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn wait(&self, time: Duration, pipeline: &Control, cut: Epoch) -> bool {
        self.waits_ms.lock().unwrap().push(time.as_millis());
        self.advance(time);
        !pipeline.is_stopped() && pipeline.epochs.cut() <= cut
    }
}

/// A runtime with the type `Flaky`, whose calls fail as `fails` says: for the number of the call, from 0, and its
/// packet. What fails emits first, so that a policy has something to take back.
pub(super) struct Flaky {
    pub(super) runtime: TestRuntime,
    pub(super) calls: Arc<AtomicUsize>,
}

pub(super) fn flaky(fails: impl Fn(usize, &Packet) -> Option<ErrorKind> + Send + Sync + 'static) -> Flaky {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let runtime = TestRuntime::new().with("Flaky", PayloadKind::Any, move |_, _, packet, out| {
        let kind = fails(counted.fetch_add(1, Ordering::Relaxed), &packet);
        out.push(packet);
        kind.map_or(Ok(()), |kind| Err(NodeError::new(kind, "not now")))
    });
    Flaky { runtime, calls }
}

impl Flaky {
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// `Flaky` alone, with further fields of the manifest's entry.
pub(super) fn one(fields: Value) -> Manifest {
    let mut manifest = crate::tests::manifest(&[("f", "Flaky")], &[]);
    let mut node = serde_json::to_value(&manifest.nodes[0]).unwrap();
    node.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    manifest.nodes[0] = serde_json::from_value(node).unwrap();
    manifest
}

pub(super) fn start(manifest: &Manifest, runtimes: &Runtimes) -> Pipeline {
    let plan = Plan::new(manifest, runtimes, &Settings::default()).unwrap();
    Pipeline::start(&plan, runtimes, PipelineOptions::default()).unwrap()
}
