//! A collector: takes what arrives by OTLP over HTTP and keeps it. It knows nothing of what should arrive.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as AnyValue};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point::Value as Number};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[derive(Default)]
pub struct Received {
    pub traces: Vec<ExportTraceServiceRequest>,
    pub metrics: Vec<ExportMetricsServiceRequest>,
    /// The header `authorization` of every request that had one.
    pub authorizations: Vec<String>,
}

pub struct Collector {
    pub endpoint: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    /// Listens on a free port as long as the test runs.
    pub fn start() -> Self {
        Self::without(&[])
    }

    /// As [`Collector::start`], for one that knows nothing of `paths`.
    pub fn without(paths: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Received>>::default();
        let keep = Arc::clone(&received);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let keep = Arc::clone(&keep);
                std::thread::spawn(move || serve(connection.unwrap(), paths, &keep));
            }
        });
        Self { endpoint, received }
    }

    pub fn received(&self) -> Received {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

/// One connection with any number of requests.
fn serve(stream: TcpStream, unknown: &[&str], received: &Mutex<Received>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        let mut authorization = None;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match (name.to_ascii_lowercase().as_str(), value) {
                ("content-length", value) => length = value.parse().unwrap(),
                ("authorization", value) => authorization = Some(value.to_owned()),
                ("content-type", value) => assert_eq!(value, "application/x-protobuf"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut received = received.lock().unwrap();
        received.authorizations.extend(authorization);
        match &*path {
            "/v1/traces" => received.traces.push(ExportTraceServiceRequest::decode(&*body).unwrap()),
            "/v1/metrics" => received.metrics.push(ExportMetricsServiceRequest::decode(&*body).unwrap()),
            other => panic!("nobody sends to {other}"),
        }
        drop(received);
        let status = if unknown.contains(&&*path) { "404 Not Found" } else { "200 OK" };
        let headers = "content-type: application/x-protobuf\r\ncontent-length: 0";
        if stream.write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

impl Received {
    /// All spans.
    pub fn spans(&self) -> Vec<&Span> {
        let resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans).collect()
    }

    /// Attributes of everybody who sent something.
    pub fn resources(&self) -> Vec<&[KeyValue]> {
        let traces = self.traces.iter().flat_map(|request| &request.resource_spans).map(|one| &one.resource);
        let metrics =
            self.metrics.iter().flat_map(|request| &request.resource_metrics).map(|one| &one.resource);
        traces.chain(metrics).map(|resource| &*resource.as_ref().unwrap().attributes).collect()
    }

    /// What was sent last of a metric: unit, and value and attributes of every point.
    pub fn metric(&self, name: &str) -> (String, Vec<(f64, &[KeyValue])>) {
        let resources = self.metrics.iter().flat_map(|request| &request.resource_metrics);
        let mut all = resources.flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics);
        let Metric { unit, data, .. } = all.rfind(|metric| metric.name == name).unwrap();
        let points = match data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic, "{name}");
                &sum.data_points
            }
            Data::Gauge(gauge) => &gauge.data_points,
            other => panic!("{name} is {other:?}"),
        };
        let points = points.iter().map(|point| {
            let value = match point.value.as_ref().unwrap() {
                Number::AsInt(number) => *number as f64,
                Number::AsDouble(number) => *number,
            };
            (value, &*point.attributes)
        });
        (unit.clone(), points.collect())
    }
}

/// The value of an attribute, as text.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => Some(text.clone()),
        AnyValue::IntValue(number) => Some(number.to_string()),
        AnyValue::DoubleValue(number) => Some(number.to_string()),
        AnyValue::BoolValue(truth) => Some(truth.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}
