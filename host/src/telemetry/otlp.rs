//! Traces and metrics to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! Spans and counts are handed over to threads of their own and sent from there: a collector that is slow, hangs or is not
//! there holds no packet up. What is waiting at the end gets a few seconds; then it is given up with a warning.

use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};

use super::otlp_client::Client;

/// What this program is called in traces and metrics.
const NAME: &str = "remotemedia";
/// How long a collector may take to answer one request.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// How long the end of the program may wait for the collector, altogether.
const END_LIMIT: Duration = Duration::from_secs(5);
/// How often counts are sent.
const METRICS_INTERVAL: Duration = Duration::from_secs(10);
/// Spans that may wait; more are dropped and counted.
const MOST_WAITING_SPANS: usize = 4_096;

/// The connection to a collector.
pub(super) struct Otlp {
    endpoint: String,
    for_spans: Client,
    for_counts: Client,
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
}

impl Otlp {
    /// Prepares to send to `endpoint`, such as `http://localhost:4318`. Nothing is sent yet.
    ///
    /// # Errors
    /// When it is no address, or no thread can be started.
    pub(super) fn new(endpoint: &str) -> Result<Self, String> {
        let endpoint = endpoint.trim_end_matches('/');
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(format!(
                "`{}` is no address of an OpenTelemetry collector: write for example http://localhost:4318",
                without_secrets(endpoint, endpoint)
            ));
        }
        // The crypto provider is one per process; that another one is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: &dyn std::error::Error| {
            without_secrets(&format!("cannot send to the collector {endpoint}: {error}"), endpoint)
        };
        // Made on a thread of its own: this one may belong to somebody's asynchronous runtime, in which it must not be.
        let making = std::thread::spawn(|| Client::new(ANSWER_LIMIT)).join();
        let for_spans =
            making.map_err(|_| "the HTTP client cannot be made")?.map_err(|error| failed(&error))?;
        let for_counts = for_spans.another();
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(for_spans.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(ANSWER_LIMIT)
            .build()
            .map_err(|error| failed(&error))?;
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(for_counts.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/metrics"))
            .with_timeout(ANSWER_LIMIT)
            .build()
            .map_err(|error| failed(&error))?;
        let queue = BatchConfigBuilder::default().with_max_queue_size(MOST_WAITING_SPANS).build();
        let spans = BatchSpanProcessor::builder(spans).with_batch_config(queue).build();
        let metrics = PeriodicReader::builder(metrics).with_interval(METRICS_INTERVAL).build();
        let meters = SdkMeterProvider::builder().with_reader(metrics).with_resource(resource()).build();
        opentelemetry::global::set_meter_provider(meters.clone());
        Ok(Self {
            endpoint: endpoint.to_owned(),
            for_spans,
            for_counts,
            meters,
            tracers: SdkTracerProvider::builder()
                .with_span_processor(spans)
                .with_resource(resource())
                .build(),
        })
    }

    /// What makes spans of this program.
    pub(super) fn tracer(&self) -> SdkTracer {
        self.tracers.tracer(NAME)
    }

    /// Sends what waits, in bounded time.
    pub(super) fn end(self) {
        let (sender, ended) = mpsc::channel();
        let Self { endpoint, for_spans, for_counts, tracers, meters } = self;
        // A thread, because not all that the library waits for has a limit.
        let sending = std::thread::Builder::new().name("otlp-end".into()).spawn(move || {
            let counts = meters.shutdown();
            let spans = tracers.shutdown_with_timeout(END_LIMIT);
            // Nobody listens any more when it took too long.
            let _ = sender.send((spans, counts));
        });
        let (spans, counts) = match sending.map(|_| ended.recv_timeout(END_LIMIT)) {
            // The library forgets why, and of spans even that.
            Ok(Ok((spans, counts))) => (
                for_spans.last_failure().or_else(|| spans.err().map(|error| error.to_string())),
                for_counts.last_failure().or_else(|| counts.err().map(|error| error.to_string())),
            ),
            Ok(Err(_)) => {
                let late = Some(format!("it did not answer within {} s", END_LIMIT.as_secs()));
                (late.clone(), late)
            }
            Err(error) => {
                let none = Some(format!("no thread can be started: {error}"));
                (none.clone(), none)
            }
        };
        let (lost, reason) = match (spans, counts) {
            (None, None) => return,
            (Some(reason), Some(_)) => ("traces and metrics", reason),
            (Some(reason), None) => ("traces", reason),
            (None, Some(reason)) => ("metrics", reason),
        };
        let text = format!("{lost} are lost, the collector {endpoint} did not take them: {reason}");
        tracing::warn!("{}", without_secrets(&text, &endpoint));
    }
}

/// `text` without the user and the password that may stand in `endpoint`.
fn without_secrets(text: &str, endpoint: &str) -> String {
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| endpoint.strip_prefix(scheme));
    match rest.unwrap_or(endpoint).rfind('@') {
        Some(at) => text.replace(&rest.unwrap_or(endpoint)[..=at], ""),
        None => text.to_owned(),
    }
}

/// Who sends. More attributes come from the standard variable OTEL_RESOURCE_ATTRIBUTES.
fn resource() -> Resource {
    Resource::builder()
        .with_service_name(NAME)
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("process.pid", i64::from(std::process::id())),
        ])
        .build()
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn an_endpoint_is_shown_without_user_and_password() {
        for (endpoint, shown) in [
            ("https://user:se@cr/et@host:4318/x", "https://host:4318/x"),
            ("http://token@host", "http://host"),
            ("user:secret@host:4318", "host:4318"),
            ("http://host:4318", "http://host:4318"),
        ] {
            let said = format!("cannot reach {endpoint}: url ({endpoint}/v1/traces)");
            let right = format!("cannot reach {shown}: url ({shown}/v1/traces)");
            assert_eq!(without_secrets(&said, endpoint), right);
        }
    }
}
