//! From the operator's settings to what listens to events and spans, until the end of the process.

use tracing::{Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use super::log::{Log, LogFormat};
use super::otlp::Otlp;
use super::trace_ids::TraceContext;

/// What is logged when nobody says it.
const DEFAULT_FILTER: &str = "warn,symphonia=error";

/// What is seen of this process, and where.
#[derive(Clone, Debug, Default)]
pub struct TelemetrySettings {
    /// What is logged, in the syntax of `tracing`'s env filter.
    pub log_filter: Option<String>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The collector that traces and metrics go to.
    pub otlp: Option<String>,
    /// The trace that this process is a part of.
    pub trace_context: Option<TraceContext>,
}

/// Why nothing can be seen. Says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter means nothing.
    #[error("REMOTEMEDIA_LOG or RUST_LOG is no log filter such as `info` or `remotemedia_wasm=debug`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector or the trace context means nothing.
    #[error("{0}")]
    Otlp(String),
    /// Somebody else listens.
    #[error("the log of this process is somebody else's: {0}")]
    Taken(#[from] TryInitError),
}

/// What listens. To be ended before the process does.
pub struct Telemetry {
    otlp: Option<Otlp>,
    span: Span,
}

impl Telemetry {
    /// Starts to listen; once per process. Everything until the end belongs to one span called `command`.
    ///
    /// # Errors
    /// When the settings mean nothing.
    pub fn start(settings: &TelemetrySettings, command: &'static str) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(settings.log_filter.as_deref().unwrap_or(DEFAULT_FILTER))?;
        let parent = settings.trace_context.as_ref().filter(|_| settings.otlp.is_some());
        let parent = parent.map(TraceContext::to_otel).transpose().map_err(TelemetryError::Otlp)?;
        let otlp = settings.otlp.as_deref().map(Otlp::new).transpose().map_err(TelemetryError::Otlp)?;
        let traces = otlp.as_ref().map(|otlp| {
            tracing_opentelemetry::layer()
                .with_tracer(otlp.tracer())
                .with_location(false)
                .with_threads(false)
                .with_filter(FilterFn::new(is_of_this_program).with_max_level_hint(LevelFilter::DEBUG))
        });
        let log = Log::on_stderr(settings.log_format).with_filter(filter);
        // The log comes first: its layer asks that of the traces for ids.
        tracing_subscriber::registry().with(traces).with(log).try_init()?;
        if settings.log_format == LogFormat::Json {
            log_panics();
        }
        let span = tracing::error_span!("command", otel.name = command);
        if let Some(parent) = parent {
            // Fails only where there is no layer for traces.
            let _ = span.set_parent(parent);
        }
        Ok(Self { otlp, span })
    }

    /// Runs `body` inside the span of this command.
    pub fn in_scope<R>(&self, body: impl FnOnce() -> R) -> R {
        self.span.in_scope(body)
    }

    /// What this process hands on as the context of its trace; `None` where traces go nowhere.
    #[must_use]
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.otlp.as_ref().and_then(|_| TraceContext::of(&self.span.context()))
    }

    /// Sends what still waits, in bounded time. A collector that does not answer costs a warning.
    pub fn end(self) {
        let Self { otlp, span } = self;
        drop(span);
        if let Some(otlp) = otlp {
            otlp.end();
        }
    }
}

/// Traces tell of the pipeline and of calls before and after the stream; one span per packet would be too many.
fn is_of_this_program(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("remotemedia") && *metadata.level() <= tracing::Level::DEBUG
}

/// Panics as lines of the log, where every line must be JSON.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!(target: "remotemedia::panic", thread, place, "panicked: {message}");
    }));
}
