//! The OS thread of one stage: set-up, the stage's whole life, clean-up, always.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use remotemedia_core::{NodeError, Runtime};
use tracing::Span;

use crate::control::Control;
use crate::inbox::Inbox;
use crate::life::StageLife;
use crate::stage::Stage;

/// Python code recurses on the thread's own stack: give it what a main thread has. It is only address space.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// What a stage's thread shares with the pipeline that started it.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) stage: Stage,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) enter: Vec<Arc<dyn Runtime>>,
    pub(crate) control: Arc<Control>,
    pub(crate) initialized: Sender<(usize, Result<(), NodeError>)>,
    pub(crate) life: Arc<StageLife>,
    /// The span of the pipeline.
    pub(crate) pipeline: Span,
}

impl Worker {
    /// Starts the thread. It reports its initialization on `initialized` and then serves its inbox until the
    /// stream ends or the pipeline stops.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn spawn(self) -> Result<JoinHandle<()>, NodeError> {
        let life = Arc::clone(&self.life);
        let name = self.stage.slots().first().map_or_else(String::new, |slot| slot.id.to_string());
        std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || self.run()).map_err(
            |error| {
                life.end();
                NodeError::internal(format!("cannot start a thread for a stage: {error}"))
            },
        )
    }

    fn run(self) {
        let Self { number, mut stage, inbox, enter, control, initialized, life, pipeline } = self;
        let first = stage.slots().first().map_or("", |slot| &slot.id);
        let span = tracing::error_span!(parent: &pipeline, "stage", stage = first);
        drop(pipeline);
        let entered = span.entered();
        let mut initialized = Some(initialized);
        let mut body = || {
            let result = stage.initialize();
            let ready = result.is_ok();
            // Dropped as soon as it is used: the pipeline waits until the last sender is gone.
            if let Some(initialized) = initialized.take() {
                // A pipeline that has given up on starting does not listen; then the inbox is stopped too.
                let _ = initialized.send((number, result));
            }
            if ready && let Err(error) = stage.serve(&inbox) {
                control.fail(error);
            }
            stage.cleanup();
        };
        if catch_unwind(AssertUnwindSafe(|| enter_all(&enter, &mut body))).is_err() {
            control.fail(NodeError::internal("a runtime panicked around a stage's thread"));
        }
        // Gone and closed before anybody learns that the stage has ended.
        drop(stage);
        drop(entered);
        life.end();
    }
}

/// Runs `body` inside the per-thread set-up of every runtime.
fn enter_all(runtimes: &[Arc<dyn Runtime>], body: &mut dyn FnMut()) {
    match runtimes.split_first() {
        Some((runtime, rest)) => runtime.enter_thread(&mut || enter_all(rest, body)),
        None => body(),
    }
}
