//! What can be seen of a running process from outside: its log, traces and metrics for collectors, and what a running
//! pipeline tells other programs. The engine counts and records; what leaves the process goes through here, one file per
//! way out.

mod exposition;
mod fields;
mod http;
pub mod inspect;
pub mod inspect_client;
pub mod inspect_socket;
mod log;
mod otlp;
mod otlp_client;
mod otlp_metrics;
mod perfetto;
mod prometheus;
mod start;
pub mod trace_file;
mod trace_ids;

pub use log::LogFormat;
pub(crate) use log::{json_line, visible};
pub use otlp_metrics::observe;
pub use prometheus::{PrometheusListener, PrometheusServer};
pub use start::{Telemetry, TelemetryError, TelemetrySettings};
pub use trace_ids::TraceContext;
