//! What a run tells about itself while it runs and when it ends: the file of `--metrics`, what Prometheus gets, the table.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{Done, command, remotemedia, repository, write_chain, write_wav};

/// 20 ms at 48 kHz, mono.
const CHUNK_FRAMES: usize = 960;
const CHUNK_BYTES: usize = CHUNK_FRAMES * 4;
const CHUNKS: usize = 200;

/// A run in the middle of its input, and where it serves its metrics.
struct Running {
    child: Child,
    stdin: Option<std::process::ChildStdin>,
    /// What is still to be fed.
    rest: Vec<u8>,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Two nodes, fed [`CHUNKS`] of a longer file through a pipe that stays open.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nodes = [("gain", "AudioGain", json!({"gain_db": -6.0})), ("pass", "PassThrough", json!({}))];
        let manifest = write_chain(folder.path(), &nodes);
        Self::of(folder, &manifest)
    }

    /// The same with nodes of a test's own.
    fn of(folder: tempfile::TempDir, manifest: &str) -> Self {
        let wav =
            write_wav(&folder.path().join("in.wav"), 48_000, 1, (0..2 * CHUNKS * CHUNK_FRAMES).map(|_| 0.5));
        let mut child = command(&["run", manifest, "-i", "-", "--prometheus", "127.0.0.1:0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut fed = fs::read(wav).unwrap();
        let rest = fed.split_off(CHUNKS * CHUNK_BYTES);
        stdin.write_all(&fed).unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let note = told.find_map(|line| Some(line.strip_prefix("note: metrics at http://")?.to_owned()));
        let address = note.unwrap().strip_suffix("/metrics").unwrap().parse().unwrap();
        // What it says later may fill a pipe.
        std::thread::spawn(move || told.for_each(drop));
        Self { child, stdin: Some(stdin), rest, address, _folder: folder }
    }

    /// The answer to what is sent as it is: (status and headers, body).
    fn ask(&self, request: &[u8]) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head.to_owned(), body.to_owned())
    }

    fn scrape(&self, accept: &str) -> (String, String) {
        self.ask(format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n").as_bytes())
    }

    /// The first scrape that is as `wanted`.
    fn scrape_when(&self, wanted: impl Fn(&str) -> bool, accept: &str) -> String {
        let began = Instant::now();
        loop {
            let (head, body) = self.scrape(accept);
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            if wanted(&body) {
                return body;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "it never came to what was waited for:\n{body}"
            );
            std::thread::yield_now();
        }
    }

    /// A scrape from a moment at which `node` had got at least `calls` packets.
    fn scrape_after(&self, node: &str, calls: f64, accept: &str) -> String {
        let got = |page: &str| value(page, "remotemedia_node_input_packets_total", &[("node", node)]);
        self.scrape_when(|page| got(page) >= calls, accept)
    }

    fn finish(mut self) {
        self.stdin.take().unwrap().write_all(&self.rest).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

/// The value of the series called `name` that has all of `labels`.
fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let found = page.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (its_labels, number) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let has = |(label, value): &(&str, &str)| its_labels.contains(&format!("{label}=\"{value}\""));
        labels.iter().all(has).then(|| number.parse().unwrap())
    });
    found.unwrap_or_else(|| panic!("no {name} with {labels:?} in:\n{page}"))
}

#[test]
fn prometheus_gets_true_counts_while_the_pipeline_runs() {
    let running = Running::start();
    let of = |page: &str, node, name| {
        value(page, name, &[("node", node), ("runtime", "native"), ("pipeline", "test-0")])
    };
    // The last chunks may be in a buffer until the input ends. The counts of a page are read one after the other, so
    // those of a moment at which a packet is on its way need not fit each other: they do when all nodes wait for more.
    let all_fit = |page: &str| {
        let packets = of(page, "gain", "remotemedia_node_input_packets_total");
        let node_fits = |node| {
            of(page, node, "remotemedia_node_input_packets_total") == packets
                && of(page, node, "remotemedia_node_output_packets_total") == packets
                && of(page, node, "remotemedia_node_input_bytes_total") == packets * CHUNK_BYTES as f64
                && of(page, node, "remotemedia_node_call_duration_seconds_count") == packets
                && value(
                    page,
                    "remotemedia_node_call_duration_seconds_bucket",
                    &[("node", node), ("le", "+Inf")],
                ) == packets
                && of(page, node, "remotemedia_node_call_duration_seconds_sum") > 0.0
        };
        let audio_seconds = value(page, "remotemedia_pipeline_audio_seconds_total", &[]);
        packets >= CHUNKS as f64 * 0.9
            && ["gain", "pass"].into_iter().all(node_fits)
            && (audio_seconds - packets * 0.02).abs() < 1e-9
    };
    let page = running.scrape_when(all_fit, "text/plain");
    assert_eq!(value(&page, "remotemedia_pipeline_running", &[]), 1.0);
    assert!(value(&page, "process_resident_memory_bytes", &[]) > 1e6);
    assert!(value(&page, "process_cpu_seconds_total", &[]) > 0.0);
    running.finish();
}

#[test]
fn promtool_finds_nothing_to_say_about_the_exposition() {
    let running = Running::start();
    let page = running.scrape_after("pass", 1.0, "text/plain");
    running.finish();
    promtool_agrees_with(&page);
}

/// Fails with every third packet, and once in a way that passes.
const TROUBLED: &str = r#"
from remotemedia.core.exceptions import TransientError

class Troubled:
    def __init__(self): self.calls = 0
    def process(self, data):
        self.calls += 1
        if self.calls == 1:
            raise TransientError("not yet")
        if self.calls % 3 == 0:
            raise ValueError("every third")
        return data
"#;

/// Writes a pipeline in which everything happens that can be counted: a component, a runtime that another one stands in
/// for, a queue, and a Python node that fails.
pub fn write_troubled(folder: &Path) -> String {
    fs::write(folder.join("troubled_nodes.py"), TROUBLED).unwrap();
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "test"},
        "nodes": [
            {"id": "guest", "node_type": "gain", "component": crate::node_kit::guest("gain.wasm")},
            // There is no class of that name, so that the native node takes over at the start.
            {"id": "native", "node_type": "PassThrough", "runtime_hint": "cpython"},
            {"id": "troubled", "node_type": "troubled_nodes:Troubled", "on_error": "skip", "retry": {"base_ms": 1},
             "circuit_breaker": {"failures": 100}},
        ],
        "connections": [{"from": "guest", "to": "native"}, {"from": "native", "to": "troubled", "queue": {}}],
    });
    let path = folder.join("pipeline.json");
    fs::write(&path, manifest.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn promtool_finds_nothing_to_say_about_errors_circuits_memory_and_fallbacks_either() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_troubled(folder.path());
    let running = Running::of(folder, &manifest);
    let page = running.scrape_after("troubled", 10.0, "text/plain");
    running.finish();
    let of = |node, name, more: &[(&str, &str)]| value(&page, name, &[&[("node", node)], more].concat());
    assert!(of("troubled", "remotemedia_node_errors_total", &[("kind", "internal")]) >= 3.0);
    assert_eq!(of("troubled", "remotemedia_node_retries_total", &[]), 1.0);
    assert!(of("troubled", "remotemedia_node_skipped_packets_total", &[]) >= 3.0);
    assert_eq!(of("troubled", "remotemedia_node_breaker_state", &[("state", "closed")]), 1.0);
    assert_eq!(of("troubled", "remotemedia_node_breaker_state", &[("state", "open")]), 0.0);
    assert!(of("troubled", "remotemedia_node_gil_wait_seconds_total", &[]) > 0.0);
    assert_eq!(of("native", "remotemedia_node_fallbacks_total", &[("reason", "start")]), 1.0);
    let memory = of("guest", "remotemedia_node_memory_bytes", &[]);
    assert!(memory >= 65_536.0 && memory <= of("guest", "remotemedia_node_peak_memory_bytes", &[]), "{page}");
    promtool_agrees_with(&page);
}

#[test]
fn two_queues_between_the_same_nodes_are_two_series() {
    let folder = tempfile::tempdir().unwrap();
    let queued = |port: &str| json!({"from": format!("vad.{port}"), "to": "pass", "queue": {}});
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "test"},
        "nodes": [
            {"id": "low", "node_type": "AudioResample", "params": {"target_sample_rate": 16_000}},
            {"id": "vad", "node_type": "VAD"},
            {"id": "pass", "node_type": "PassThrough"},
        ],
        "connections": [{"from": "low", "to": "vad"}, queued("segments"), queued("frames")],
    });
    let path = folder.path().join("pipeline.json");
    fs::write(&path, manifest.to_string()).unwrap();
    let running = Running::of(folder, path.to_str().unwrap());
    let page = running.scrape("text/plain").1;
    running.finish();
    for port in ["segments", "frames"] {
        let labels = [("from", "vad"), ("from_port", port), ("to", "pass"), ("to_port", "in")];
        assert!(value(&page, "remotemedia_queue_max_packets", &labels) > 0.0);
    }
    let mut series: Vec<&str> = page.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    series.retain(|line| !line.starts_with('#'));
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all, "{page}");
    promtool_agrees_with(&page);
}

fn promtool_agrees_with(page: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: install Debian's package prometheus (.ci/system-tools.sh promtool)");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let done = Done::from(promtool.wait_with_output().unwrap());
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "", ""), "{page}");
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let running = Running::start();
    let (head, page) = running.scrape("application/openmetrics-text; version=1.0.0, text/plain;q=0.5");
    assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(
        page.ends_with("# EOF\n") && page.contains("# UNIT remotemedia_node_input_bytes bytes\n"),
        "{page}"
    );
    let (head, page) = running.scrape("*/*");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    assert!(
        !page.contains("# EOF") && page.contains("# TYPE remotemedia_node_input_bytes_total counter\n"),
        "{page}"
    );
    running.finish();
}

#[test]
fn bad_requests_are_answered_and_hold_nothing_up() {
    let running = Running::start();
    let idle: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let status = |request: &[u8]| running.ask(request).0.lines().next().unwrap().to_owned();
    assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(status(b"\x16\x03\x01\x00\xa5\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    // Just as long as may be, and not ended: what was sent is read to its end, so that the answer arrives.
    let mut long = b"GET /metrics HTTP/1.1\r\nx: ".to_vec();
    long.resize(8 * 1024, b'y');
    assert_eq!(status(&long), "HTTP/1.1 431 Request Header Fields Too Large");
    let (head, body) = running.ask(b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty(), "{head} {body}");
    running.scrape_after("pass", CHUNKS as f64 * 0.9, "text/plain");
    drop(idle);
    running.finish();
}

#[test]
fn an_address_that_is_taken_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_chain(folder.path(), &[("a", "PassThrough", json!({}))]);
    let wav = write_wav(&folder.path().join("in.wav"), 8_000, 1, [0.0; 80]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = remotemedia(&["run", &manifest, "-i", &wav, "--prometheus", &address]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains(&address) && done.stderr.contains("--prometheus"), "{}", done.stderr);
}

#[test]
fn a_free_port_is_told_in_the_log_when_the_output_is_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_chain(folder.path(), &[("a", "PassThrough", json!({}))]);
    let wav = write_wav(&folder.path().join("in.wav"), 8_000, 1, [0.0; 80]);
    let args = ["--prometheus", "127.0.0.1:0", "--json", "--log-format", "json"];
    let mut run = command(&[&["run", &manifest, "-i", &wav], &args[..]].concat());
    let output = run.env("REMOTEMEDIA_LOG", "info").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let ports: Vec<u16> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| {
            let address = line["message"].as_str()?.strip_prefix("metrics at http://127.0.0.1:")?;
            address.strip_suffix("/metrics")?.parse().ok()
        })
        .collect();
    assert!(matches!(*ports, [port] if port > 0), "{log}");
}

#[test]
fn metrics_are_written_when_the_run_fails_too() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_chain(folder.path(), &[("a", "PassThrough", json!({}))]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("in.jsonl"), "1\n2\n3\n{no json\n5\n").unwrap();
    let done = remotemedia(&["run", &manifest, "-i", &path("in.jsonl"), "--metrics", &path("m.json")]);
    assert_ne!(done.code, 0, "{}", done.stdout);
    let metrics: Value = serde_json::from_slice(&fs::read(path("m.json")).unwrap()).unwrap();
    assert_eq!(metrics["schema_version"], 1);
    assert_eq!(metrics["node_metrics"][0]["execution_count"], 3);
}

#[test]
fn metrics_are_written_when_the_run_is_interrupted_too() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = write_chain(folder.path(), &[("a", "PassThrough", json!({}))]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // The pipe stays open, so the interrupt finds the process in a read.
    let mut child =
        command(&["run", &manifest, "-i", "-", "--metrics", &path("m.json"), "--prometheus", "127.0.0.1:0"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let wav = write_wav(&folder.path().join("in.wav"), 48_000, 1, (0..100 * CHUNK_FRAMES).map(|_| 0.5));
    stdin.write_all(&fs::read(wav).unwrap()[..50 * CHUNK_BYTES]).unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // Once it says this, it runs.
    stderr.read_line(&mut String::new()).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let metrics: Value = serde_json::from_slice(&fs::read(path("m.json")).unwrap()).unwrap();
    assert_eq!(metrics["node_metrics"][0]["node_id"], "a");
    drop(stdin);
}

/// What the binary prints in a pseudo-terminal of Python's.
fn in_a_terminal(args: &[&str]) -> String {
    let call = command(args);
    let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], lambda fd: os.read(fd, 4096))))";
    let done: Done = Command::new(repository().join(".venv/bin/python"))
        .args(["-c", script])
        .arg(call.get_program())
        .args(call.get_args())
        .stdin(Stdio::null())
        .output()
        .expect("run .ci/python-env.sh first")
        .into();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    done.stdout
}

#[test]
fn the_table_is_for_terminals_unless_somebody_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [("gain", "AudioGain", json!({"gain_db": -6.0})), ("denoise", "Denoise", json!({}))];
    let manifest = write_chain(folder.path(), &nodes);
    let wav =
        write_wav(&folder.path().join("in.wav"), 48_000, 1, (0..480_000).map(|n| (n % 100) as f32 / 200.0));
    let run = |more: &[&str]| {
        let mut args = vec!["run", manifest.as_str(), "-i", wav.as_str()];
        args.extend(more);
        let done = remotemedia(&args);
        assert_eq!(done.code, 0, "{}", done.stderr);
        done
    };
    for more in [&[][..], &["--json"], &["--table=never"]] {
        assert!(!run(more).stderr.contains("bottleneck"), "{more:?}");
    }
    // A terminal is both, standard output and standard error.
    let in_terminal = in_a_terminal(&["run", &manifest, "-i", &wav]);
    assert!(in_terminal.contains("NODE ") && in_terminal.contains("\r\nbottleneck: "), "{in_terminal}");
    let in_terminal = in_a_terminal(&["run", &manifest, "-i", &wav, "--table=never"]);
    assert!(in_terminal.contains("denoise: ") && !in_terminal.contains("bottleneck"), "{in_terminal}");
    for more in [&["--table"][..], &["--table=always", "--json"]] {
        let done = run(more);
        let row = |id: &str| {
            let line = done.stderr.lines().find(|line| line.starts_with(id) && line.contains("native"));
            line.unwrap_or_else(|| panic!("{}", done.stderr)).split_whitespace().collect::<Vec<_>>()
        };
        // 10 s in chunks of 20 ms.
        assert_eq!((row("gain")[1], row("gain")[2]), ("native", "500"));
        assert_eq!((row("denoise")[1], row("denoise")[2]), ("native", "500"));
        let said = done.stderr.lines().find(|line| line.starts_with("bottleneck: "));
        assert!(said.is_some_and(|line| line.contains("denoise: its calls are")), "{}", done.stderr);
        assert!(!done.stdout.contains("bottleneck"));
    }
}

#[test]
fn the_memory_of_a_python_node_is_counted_when_tracemalloc_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // A new list of a million nothings is kept: eight megabytes.
    let source = "class Keeps:\n    def process(self, data):\n        self.kept = [None] * 1_000_000\n        return data\n";
    fs::write(folder.path().join("keeps.py"), source).unwrap();
    let manifest = write_chain(folder.path(), &[("keeps", "keeps:Keeps", json!({}))]);
    let file = folder.path().join("m.json");
    let input = folder.path().join("in.jsonl");
    fs::write(&input, "1\n").unwrap();
    let memory_bytes = |tracemalloc: &str| {
        let (input, file) = (input.to_str().unwrap(), file.to_str().unwrap());
        let output = command(&["run", &manifest, "-i", input, "--metrics", file])
            .env("PYTHONTRACEMALLOC", tracemalloc)
            .output()
            .unwrap();
        let done = Done::from(output);
        assert_eq!(done.code, 0, "{}", done.stderr);
        let metrics: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        metrics["node_metrics"][0]["memory_bytes"].as_u64()
    };
    assert_eq!(memory_bytes("0"), None);
    let counted = memory_bytes("1").expect("tracemalloc was asked for");
    assert!((8_000_000..9_000_000).contains(&counted), "{counted}");
}
