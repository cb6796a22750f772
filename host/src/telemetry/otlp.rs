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
    client: Client,
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
        let client = Client::new(ANSWER_LIMIT).map_err(|error| failed(&error))?;
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(ANSWER_LIMIT)
            .build()
            .map_err(|error| failed(&error))?;
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(client.clone())
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
            client,
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
        let Self { endpoint, client, tracers, meters } = self;
        // A thread, because not all that the library waits for has a limit.
        let sending = std::thread::Builder::new().name("otlp-end".into()).spawn(move || {
            let counts = meters.shutdown();
            let spans = tracers.shutdown_with_timeout(END_LIMIT);
            // Nobody listens any more when it took too long.
            let _ = sender.send(counts.and(spans));
        });
        let reason = match sending.map(|_| ended.recv_timeout(END_LIMIT)) {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => client.last_failure().unwrap_or_else(|| error.to_string()),
            Ok(Err(_)) => format!("it did not answer within {} s", END_LIMIT.as_secs()),
            Err(error) => format!("no thread can be started: {error}"),
        };
        let lost =
            format!("traces and metrics are lost, the collector {endpoint} did not take them: {reason}");
        tracing::warn!("{}", without_secrets(&lost, &endpoint));
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
