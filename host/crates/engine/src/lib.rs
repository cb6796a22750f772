//! Makes a plan run: chooses runtimes, cuts the graph into stages, moves packets, counts.
//!
//! It knows runtimes only by their trait: nothing here names wasmtime, PyO3 or a native node.
#![forbid(unsafe_code)]

mod assemble;
mod control;
mod epochs;
mod inbox;
mod life;
pub mod metrics;
mod outbox;
mod panics;
mod pipeline;
mod plan;
mod policies;
mod replay;
mod runtimes;
pub mod selector;
mod stage;
mod stages;
mod sync;
pub mod trace;
mod worker;

pub use control::{Canceller, Interrupter};
pub use metrics::{Metrics, MetricsReader, NodeMetrics, QueueMetrics};
pub use outbox::Output;
pub use pipeline::{Pipeline, PipelineOptions};
pub use plan::Plan;
pub use policies::BreakerState;
pub use replay::{Entered, Replay};
pub use runtimes::Runtimes;
pub use selector::{Selection, Settings};
pub use stages::Stages;
pub use trace::TraceRecorder;

#[cfg(test)]
mod tests;
