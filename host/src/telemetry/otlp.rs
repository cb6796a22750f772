//! Traces and metrics to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! Spans and counts are handed over to threads of their own and sent from there: a collector that is slow, hangs or is not
//! there holds no packet up. What is waiting at the end gets a few seconds; then it is given up with a warning.

use std::collections::HashMap;
use std::error::Error;
use std::sync::mpsc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use percent_encoding::percent_decode_str;

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
        let (endpoint, headers) = without_credentials(endpoint);
        // The paths of OTLP are put behind it. What stands there may be a token, and is not repeated.
        if let Some(at) = endpoint.find(['?', '#']) {
            return Err(format!(
                "the collector's address `{}` goes on after a `{}`, which OTLP has no place for: write the address \
                 without it, and a token into the variable OTEL_EXPORTER_OTLP_HEADERS (authorization=Bearer%20...)",
                &endpoint[..at],
                &endpoint[at..=at],
            ));
        }
        // The crypto provider is one per process; that another one is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: &dyn Error| format!("cannot send to the collector {endpoint}: {error}");
        // Made on a thread of its own: this one may belong to somebody's asynchronous runtime, in which it must not be.
        let making = Builder::new().name("otlp-client".into()).spawn(|| Client::new(ANSWER_LIMIT));
        let made = making.map_err(|error| failed(&error))?.join();
        let for_spans =
            made.map_err(|_| "the HTTP client cannot be made")?.map_err(|error| failed(&error))?;
        let for_counts = for_spans.for_sums();
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(for_spans.clone())
            .with_headers(headers.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(ANSWER_LIMIT)
            .build()
            .map_err(|error| failed(&error))?;
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(for_counts.clone())
            .with_headers(headers)
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
            endpoint,
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
        let (tell_counts, counted) = mpsc::channel();
        let (tell_spans, traced) = mpsc::channel();
        let Self { endpoint, for_spans, for_counts, tracers, meters } = self;
        // A thread, because not all that the library waits for has a limit. Nobody listens any more when it took too long.
        let sending = Builder::new().name("otlp-end".into()).spawn(move || {
            let _ = tell_counts.send(meters.shutdown());
            let _ = tell_spans.send(tracers.shutdown_with_timeout(END_LIMIT));
        });
        let deadline = Instant::now() + END_LIMIT;
        let outcome = |ended: &mpsc::Receiver<OTelSdkResult>, client: &Client| {
            if let Err(error) = &sending {
                return Some(format!("no thread can be started: {error}"));
            }
            match ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                // The library forgets why, and of spans even that.
                Ok(ended) => client.failure().or_else(|| ended.err().map(|error| error.to_string())),
                Err(_) => Some(format!("it did not answer within {} s", END_LIMIT.as_secs())),
            }
        };
        let counts = outcome(&counted, &for_counts);
        let spans = outcome(&traced, &for_spans);
        let (lost, reason) = match (spans, counts) {
            (None, None) => return,
            (Some(reason), Some(_)) => ("traces and metrics", reason),
            (Some(reason), None) => ("traces", reason),
            (None, Some(reason)) => ("metrics", reason),
        };
        tracing::warn!("{lost} are lost, the collector {endpoint} did not take them: {reason}");
    }
}

/// `endpoint` without the user and the password that may stand in it, and the header that takes them to the collector
/// (RFC 7617). Nothing else gets them: what logs addresses would log them too.
fn without_credentials(endpoint: &str) -> (String, HashMap<String, String>) {
    let bare = without_secrets(endpoint, endpoint);
    let mut headers = HashMap::new();
    if let Some((_, rest)) = endpoint.split_once("://")
        && let Some((credentials, _)) = rest.rsplit_once('@')
    {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let [user, password] = [user, password].map(|part| percent_decode_str(part).collect::<Vec<u8>>());
        let credentials = BASE64_STANDARD.encode([&*user, b":", &*password].concat());
        headers.insert("authorization".to_owned(), format!("Basic {credentials}"));
    }
    (bare, headers)
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
    use super::{without_credentials, without_secrets};

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

    #[test]
    fn a_user_and_a_password_go_into_a_header_and_nowhere_else() {
        // By `printf 'Aladdin:open sesame' | base64`, the example of RFC 7617.
        for (endpoint, bare, header) in [
            (
                "http://Aladdin:open%20sesame@host:4318",
                "http://host:4318",
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            ("https://host:4318", "https://host:4318", None),
            // `printf 'token:' | base64`.
            ("http://token@host", "http://host", Some("Basic dG9rZW46")),
        ] {
            let (shown, headers) = without_credentials(endpoint);
            assert_eq!((&*shown, headers.get("authorization").map(String::as_str)), (bare, header));
        }
    }
}
