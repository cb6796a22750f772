//! What a pipeline counts: per node calls, packets, bytes, errors and call times. Recording takes no lock, no locked
//! instruction and no memory; a snapshot is made when somebody asks, while the pipeline runs or later.
//!
//! `lap` is the clock, `counters` and `times` are what the hop writes, `reader` reads it, and `snapshot` is what it looks like.

mod counters;
mod lap;
pub mod process;
mod reader;
mod snapshot;
mod times;

pub(crate) use counters::NodeCounters;
pub use lap::calibrate;
pub(crate) use lap::{Lap, LapClock};
pub use reader::MetricsReader;
pub(crate) use reader::{NodeEntry, Overhead};
pub use snapshot::{
    Metrics, NodeMetrics, PolicyMetrics, QueueMetrics, SCHEMA_VERSION, TimeBucket, TimeMetrics,
};

/// The JSON Schema of [`Metrics`], made from the types.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Metrics).to_value()
}

#[cfg(test)]
mod tests;
