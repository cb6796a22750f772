//! `--otlp`: traces and metrics arrive, belong to the trace that began elsewhere, and a collector that is none costs a
//! warning.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use super::collector::{Collector, Received, attribute};
use super::{lines, run};
use crate::binary::{remotemedia, write_wav};
use crate::metrics::write_troubled;

/// The example of the W3C recommendation: who called us.
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What one run sent, its metrics file, what it put out, and its log.
struct Seen {
    received: Received,
    metrics: Value,
    outputs: Vec<Value>,
    log: Vec<Value>,
}

fn traced_run() -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let (metrics, outputs) = (folder.path().join("metrics.json"), folder.path().join("out.jsonl"));
    let (file, out) = (metrics.display().to_string(), outputs.display().to_string());
    let mut command = run(folder.path(), &["--otlp", &collector.endpoint, "--metrics", &file, "-o", &out]);
    command
        .env("TRACEPARENT", format!("00-{TRACE_ID}-{PARENT_ID}-01"))
        .env("TRACESTATE", "congo=t61rcWkgMzE");
    let output = command.output().unwrap();
    let log = lines(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log:?}");
    assert!(
        log.iter().all(|line| line["message"].as_str().is_some_and(|text| !text.contains("are lost"))),
        "{log:?}"
    );
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    Seen {
        received: collector.received(),
        metrics: json(&std::fs::read_to_string(metrics).unwrap()),
        outputs: std::fs::read_to_string(outputs).unwrap().lines().map(json).collect(),
        log,
    }
}

fn named<'a>(spans: &[&'a Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).copied().collect()
}

#[test]
fn spans_belong_to_the_trace_that_began_elsewhere_and_the_trace_goes_on_in_python_and_in_the_log() {
    let Seen { received, outputs, log, .. } = traced_run();
    let spans = received.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE_ID), "{spans:?}");
    let [command] = &*named(&spans, "run") else { panic!("{spans:?}") };
    assert_eq!(
        (hex(&command.parent_span_id).as_str(), command.trace_state.as_str()),
        (PARENT_ID, "congo=t61rcWkgMzE")
    );
    let [pipeline] = &*named(&spans, "pipeline") else { panic!("{spans:?}") };
    assert_eq!(pipeline.parent_span_id, command.span_id);
    let session = attribute(&pipeline.attributes, "session").unwrap();
    assert!(session.starts_with("talk-"), "{session}");
    for verb in ["create", "initialize", "flush", "cleanup"] {
        let nodes: BTreeSet<_> =
            named(&spans, verb).iter().map(|span| attribute(&span.attributes, "node").unwrap()).collect();
        assert_eq!(nodes, BTreeSet::from(["first", "talker"].map(str::to_owned)), "{verb}");
    }
    // Everything else descends from the command.
    let ids: BTreeSet<_> = spans.iter().map(|span| hex(&span.span_id)).collect();
    let known = |span: &&&Span| ids.contains(&hex(&span.parent_span_id));
    assert_eq!(spans.iter().filter(known).count(), spans.len() - 1, "{spans:?}");
    assert!(spans.iter().all(|span| span.start_time_unix_nano <= span.end_time_unix_nano));
    // Out: into the environment of Python nodes and of what they start, and into the log.
    let handed_on = format!("00-{TRACE_ID}-{}-01", hex(&command.span_id));
    for output in &outputs {
        let found = output.pointer("/value").unwrap_or(output);
        assert_eq!((&found["own"], &found["child"]), (&json!(handed_on), &json!(handed_on)), "{output}");
    }
    let of_python: Vec<_> = log.iter().filter(|line| line["target"] == "remotemedia::python").collect();
    assert!(!of_python.is_empty() && !outputs.is_empty());
    for line in of_python {
        assert_eq!(line["trace_id"], TRACE_ID, "{line}");
        assert!(ids.contains(line["span_id"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn metrics_are_those_of_the_metrics_file_with_their_units_and_say_who_sent_them() {
    let Seen { received, metrics, .. } = traced_run();
    for (name, unit, field) in [
        ("remotemedia.node.calls", "{call}", "execution_count"),
        ("remotemedia.node.retries", "{call}", "retries"),
        ("remotemedia.node.skipped", "{packet}", "skipped"),
    ] {
        let (sent_unit, points) = received.metric(name);
        assert_eq!((&*sent_unit, points.len()), (unit, 2), "{name}");
        for node in metrics["node_metrics"].as_array().unwrap() {
            let id = node["node_id"].as_str().unwrap();
            let of_it =
                points.iter().find(|(_, of)| attribute(of, "remotemedia.node.id").as_deref() == Some(id));
            let (value, attributes) = of_it.unwrap();
            assert_eq!(Some(*value), node[field].as_f64(), "{name} of {id}");
            let session = attribute(attributes, "remotemedia.session");
            assert_eq!(session.as_deref(), metrics["pipeline_id"].as_str());
            assert_eq!(attribute(attributes, "remotemedia.runtime").as_deref(), node["served_by"].as_str());
        }
    }
    let (unit, points) = received.metric("remotemedia.node.packets");
    let came_in: f64 = points
        .iter()
        .filter(|(_, of)| attribute(of, "remotemedia.direction").as_deref() == Some("in"))
        .map(|(value, _)| value)
        .sum();
    let counted =
        metrics["node_metrics"].as_array().unwrap().iter().map(|node| node["packets_in"].as_f64().unwrap());
    assert_eq!((&*unit, came_in, counted.sum::<f64>()), ("{packet}", 4.0, 4.0));
    let (unit, points) = received.metric("remotemedia.pipeline.duration");
    let seconds = metrics["total_duration_us"].as_f64().unwrap() / 1e6;
    assert!(unit == "s" && (points[0].0 - seconds).abs() < 1e-9, "{points:?} {seconds}");
    assert!(!received.resources().is_empty());
    for resource in received.resources() {
        assert_eq!(attribute(resource, "service.name").as_deref(), Some("remotemedia"));
        assert!(attribute(resource, "service.version").is_some());
        assert!(attribute(resource, "process.pid").unwrap().parse::<u32>().is_ok());
    }
}

#[test]
fn everything_that_was_counted_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let wav = write_wav(&folder.path().join("in.wav"), 48_000, 1, [0.25; 48_000]);
    let manifest = write_troubled(folder.path());
    let done = remotemedia(&[
        "run",
        &manifest,
        "-i",
        &wav,
        "--otlp",
        &collector.endpoint,
        "--metrics",
        &path("metrics.json"),
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let metrics: Value =
        serde_json::from_str(&std::fs::read_to_string(path("metrics.json")).unwrap()).unwrap();
    let received = collector.received();
    // A number of a node, with another attribute.
    let of = |name: &str, node: &str, more: Option<(&str, &str)>| {
        let (unit, points) = received.metric(name);
        let is = |of: &[KeyValue], name: &str, value: &str| attribute(of, name).as_deref() == Some(value);
        let mut found = points.iter().filter(|(_, of)| {
            is(of, "remotemedia.node.id", node) && more.is_none_or(|(name, value)| is(of, name, value))
        });
        let (value, _) = found.next().unwrap_or_else(|| panic!("{name} of {node}: {points:?}"));
        (*value, unit)
    };
    let counted = |node: usize, field: &str| metrics["node_metrics"][node][field].as_f64().unwrap();
    let [guest, troubled] = [0, 2];
    for (name, field) in
        [("remotemedia.node.memory", "memory_bytes"), ("remotemedia.node.peak_memory", "peak_memory_bytes")]
    {
        assert_eq!(of(name, "guest", None), (counted(guest, field), "By".into()), "{name}");
    }
    let failed = metrics["node_metrics"][troubled]["errors_by_kind"]["internal"].as_f64().unwrap();
    assert!(failed > 1.0, "{metrics}");
    let kind = Some(("error.type", "internal"));
    assert_eq!(of("remotemedia.node.errors", "troubled", kind), (failed, "{error}".into()));
    let reason = Some(("remotemedia.fallback.reason", "start"));
    assert_eq!(of("remotemedia.node.fallbacks", "native", reason), (1.0, "{fallback}".into()));
    for (state, value) in [("closed", 1.0), ("half_open", 0.0), ("open", 0.0)] {
        let state = Some(("remotemedia.breaker.state", state));
        assert_eq!(of("remotemedia.node.breaker", "troubled", state), (value, "1".into()));
    }
    let (waited, unit) = of("remotemedia.node.queue_wait", "troubled", None);
    let waited_us = metrics["node_metrics"][troubled]["queue_wait"]["total_us"].as_f64().unwrap();
    assert!(unit == "s" && (waited - waited_us / 1e6).abs() < 1e-9 && waited > 0.0, "{waited} {waited_us}");
    for (name, unit, least) in [
        ("remotemedia.queue.waiting", "{packet}", 0.0),
        ("remotemedia.queue.high_water", "{packet}", 1.0),
        ("remotemedia.queue.dropped", "{packet}", 0.0),
        ("remotemedia.queue.blocked", "s", 0.0),
        ("remotemedia.queue.interrupted", "{packet}", 0.0),
        ("remotemedia.pipeline.interruptions", "{interruption}", 0.0),
        ("remotemedia.pipeline.metrics_overhead", "s", 1e-9),
        ("remotemedia.process.threads_left_behind", "{thread}", 0.0),
        ("process.memory.usage", "By", 1e6),
    ] {
        let (sent_unit, points) = received.metric(name);
        assert!(sent_unit == unit && points.iter().any(|(value, _)| *value >= least), "{name}: {points:?}");
    }
}

/// The run ends well, with its output, and says that telemetry was lost, and one of the reasons `why`.
fn ends_with_a_warning(endpoint: &str, why: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let output = run(folder.path(), &["--otlp", endpoint]).output().unwrap();
    let took = began.elapsed();
    let log = lines(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log:?}");
    let lost = |line: &&Value| {
        let text = line["message"].as_str().unwrap_or_default();
        let has_reason = || why.iter().any(|why| text.ends_with(why));
        text.contains("are lost") && text.contains(endpoint) && has_reason()
    };
    assert_eq!(log.iter().filter(lost).count(), 1, "{log:?}");
    assert!(took < Duration::from_secs(60), "{took:?} is no bound, even on a busy machine");
}

#[test]
fn a_collector_that_is_not_there_costs_a_warning() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    ends_with_a_warning(&endpoint, &["did not take them: Connection refused (os error 111)"]);
}

#[test]
fn a_collector_that_refuses_costs_a_warning_with_its_answer() {
    for (unknown, lost) in [
        (&["/v1/traces", "/v1/metrics"][..], "traces and metrics are lost"),
        (&["/v1/traces"], "traces are lost"),
        (&["/v1/metrics"], "metrics are lost"),
    ] {
        let endpoint = Collector::without(unknown).endpoint;
        ends_with_a_warning(
            &endpoint,
            &[&format!("{lost}, the collector {endpoint} did not take them: it answered 404 Not Found")],
        );
    }
}

#[test]
fn the_password_of_a_collector_is_told_to_it_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let endpoint = collector.endpoint.replace("http://", "http://user:secret@");
    let mut command = run(folder.path(), &["--otlp", &endpoint]);
    // All that any library says.
    let output = command.env("REMOTEMEDIA_LOG", "trace").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("\"level\":\"trace\"") && !told.contains("secret"), "{told}");
    // By `printf user:secret | base64`.
    let authorizations = collector.received().authorizations;
    assert!(authorizations.len() >= 2, "{authorizations:?}");
    assert!(authorizations.iter().all(|header| header == "Basic dXNlcjpzZWNyZXQ="), "{authorizations:?}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for endpoint in [format!("http://user:secret@{address}"), format!("user:secret@{address}")] {
        let output = run(folder.path(), &["--otlp", &endpoint]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(&address.to_string()) && !told.contains("secret"), "{told}");
    }
}

#[test]
fn a_token_goes_into_the_standard_variable_and_is_refused_in_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start();
    let tried = |endpoint: &str| {
        let mut command = run(folder.path(), &["--otlp", endpoint]);
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret");
        let output = command.env("REMOTEMEDIA_LOG", "trace").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = tried(&collector.endpoint);
    assert!(code == Some(0) && !told.contains("s3cret"), "{told}");
    let authorizations = collector.received().authorizations;
    assert!(authorizations.len() >= 2, "{authorizations:?}");
    assert!(authorizations.iter().all(|header| header == "Bearer s3cret"), "{authorizations:?}");
    for sign in ["/?token=", "#"] {
        let (code, told) = tried(&format!("{}{sign}s3cret", collector.endpoint));
        assert!(told.contains("OTEL_EXPORTER_OTLP_HEADERS") && told.contains(&collector.endpoint), "{told}");
        assert!(code == Some(2) && !told.contains("s3cret"), "{told}");
    }
}

#[test]
fn a_collector_that_never_answers_costs_a_warning_in_bounded_time() {
    // The system takes the connections; nobody reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    ends_with_a_warning(&endpoint, &["it did not answer within 5 s", "operation timed out"]);
}

#[test]
fn an_address_or_a_trace_context_that_is_none_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &[&str], traceparent: &str| {
        let output = run(folder.path(), more).env("TRACEPARENT", traceparent).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--otlp", "localhost:4318"], "").contains("http://localhost:4318"));
    let wrong = refused(&["--otlp", "http://localhost:4318"], "00-no-trace-01");
    assert!(wrong.contains("TRACEPARENT is `00-no-trace-01`"), "{wrong}");
}
