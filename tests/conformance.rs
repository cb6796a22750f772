//! The conformance table: every node on every runtime that has it keeps the promises of `remotemedia_host::conform`.
//!
//! Adding a node type demands a row here. What a row declares is what the node's documentation says.

mod liars;
mod rows;

use std::sync::Mutex;

use remotemedia_core::{NodeManifest, RuntimeKind};
use remotemedia_host::Host;
use remotemedia_host::conform::{CHECKS, Declared, Options, Report, Verdict, conform};
use serde_json::Value;

use crate::binary::{remotemedia, repository};
use crate::cpython_wasm::config;
use rows::{Row, rows};

/// Rows that run at the same time: as many as the smallest machine that runs the tests has cores.
const WORKERS: usize = 2;

fn host() -> Host {
    Host::new(config())
}

fn check(host: &Host, row: &Row) -> Result<Report, String> {
    let runtime = host.runtimes().get(row.runtime).unwrap();
    let mut node = NodeManifest::new("node", row.node_type).with_params(row.params.clone());
    node.base_dir = repository().join("tests/conformance");
    if let Some(guest) = row.guest {
        let file = repository().join("target/guests").join(guest).with_extension("wasm");
        assert!(file.is_file(), "{} is not there: run `make setup`, which builds the guests", file.display());
        node.component = Some(file.into());
    }
    let call_timeout_ms = Some(host.policy().maximum.call_timeout_ms);
    let options = Options { quick: true, call_timeout_ms, ..Options::default() };
    conform(&**runtime, &node, &row.declared, options).map_err(|error| error.to_string())
}

#[test]
fn every_node_keeps_every_promise_on_every_runtime_that_has_it() {
    let host = host();
    let rows = rows();
    let waiting = Mutex::new(rows.iter());
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(row) = { waiting.lock().unwrap().next() } {
                    match check(&host, row) {
                        Ok(report) if report.verdict == Verdict::Pass => {}
                        Ok(report) => broken.lock().unwrap().push(report.to_string()),
                        Err(error) => broken.lock().unwrap().push(format!("{}: {error}", row.node_type)),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} of {} rows fail:\n\n{}", broken.len(), rows.len(), broken.join("\n"));
}

#[test]
fn every_native_node_type_has_a_row() {
    for node in host().native_nodes() {
        let has = |row: &Row| row.runtime == RuntimeKind::Native && row.node_type == node.node_type;
        assert!(rows().iter().any(has), "add a row for {} to tests/conformance/rows.rs", node.node_type);
    }
}

#[test]
fn every_guest_has_a_row() {
    let mut seen = 0;
    for entry in std::fs::read_dir(repository().join("target/guests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|kind| kind == "wasm") && !rows::NO_ROWS.contains(&name) {
            seen += 1;
            assert!(
                rows().iter().any(|row| row.guest == Some(name)),
                "add a row for the guest {name} to tests/conformance/rows.rs"
            );
        }
    }
    assert!(seen >= 2, "{seen} guests: run `make setup`, which builds them");
}

/// Classes that do not say what their inputs carry take any Python value: `sdk-python/tests` holds what they promise.
#[test]
fn every_class_of_the_python_package_that_takes_packets_has_a_row() {
    let folder = repository().join("sdk-python/python/remotemedia/nodes");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "py") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let takes_packets = |class: &&str| class.contains("\n    remotemedia_inputs");
        for class in source.split("\nclass ").skip(1).filter(takes_packets) {
            let name = class.split(|letter: char| !letter.is_alphanumeric()).next().unwrap();
            let has = |row: &Row| row.runtime == RuntimeKind::Cpython && row.node_type == name;
            assert!(rows().iter().any(has), "add a row for {name} to tests/conformance/rows.rs");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_check_has_a_node_that_fails_it_and_an_honest_node_fails_none() {
    let honest = liars::report(None, None);
    assert_eq!(honest.verdict, Verdict::Pass, "{honest}");
    assert!(honest.checks.iter().any(|check| check.verdict == Verdict::NotApplicable), "{honest}");
    for check in CHECKS {
        let report = liars::report(Some(check.name), Some(check.name));
        assert_eq!(report.checks.len(), 1);
        assert_eq!(report.checks[0].verdict, Verdict::Fail, "{}: {report}", check.name);
        assert_eq!(report.verdict, Verdict::Fail);
        let words = liars::words_about(check.name);
        assert!(report.checks[0].evidence.contains(words), "{}: {}", check.name, report.checks[0].evidence);
    }
}

/// A class in the sandbox that takes more processor time for every call than `limits.call_timeout_ms` of the policy.
#[test]
fn a_sandboxed_node_that_a_pipeline_would_stop_fails_the_one_check_that_asks_for_time() {
    let folder = tempfile::tempdir().unwrap();
    let class = "import time\n\nclass Slow:\n    remotemedia_inputs = {\"in\": \"text\"}\n    \
                 remotemedia_outputs = {\"out\": \"text\"}\n\n    def process(self, text):\n        \
                 sum(range(1_000_000))\n        return text\n";
    std::fs::write(folder.path().join("nodes.py"), class).unwrap();
    let mut config = config();
    std::sync::Arc::make_mut(&mut config.policy).limits.call_timeout_ms = Some(5);
    let host = Host::new(config);
    let mut node = NodeManifest::new("node", "nodes:Slow");
    node.base_dir = folder.path().to_path_buf();
    let runtime = host.runtimes().get(RuntimeKind::CpythonWasm).unwrap();
    let verdict = |only, call_timeout_ms| {
        let options = Options { quick: true, call_timeout_ms, only: Some(only), ..Options::default() };
        let report = conform(&**runtime, &node, &Declared::default(), options).unwrap();
        (report.verdict, report.to_string())
    };
    let (patient, words) = verdict("refusals", Some(5_000));
    assert_eq!(patient, Verdict::Pass, "{words}");
    let (late, words) = verdict("latency", Some(5_000));
    assert_eq!(late, Verdict::Fail, "{words}");
    assert!(words.contains("did not return within its limit of 5 ms"), "{words}");
}

#[test]
fn the_report_is_json_with_a_version_and_every_check() {
    let report = serde_json::to_value(liars::report(None, None)).unwrap();
    assert_eq!(report["schema_version"], 1);
    assert_eq!((&report["verdict"], &report["node_type"]), (&Value::from("pass"), &Value::from("liar")));
    let names: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, CHECKS.iter().map(|check| check.name).collect::<Vec<_>>());
    assert!(report["checks"][0]["evidence"].as_str().unwrap().contains("1 inputs, 1 outputs"));
}

#[test]
fn the_command_reports_and_its_exit_code_tells() {
    let good = remotemedia(&["node", "conform", "AudioGain", "--quick", "--only", "formats", "--json"]);
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert_eq!((&good.json()["schema_version"], &good.json()["runtime"]), (&1.into(), &"native".into()));
    assert_eq!(good.json()["checks"][0]["verdict"], "pass");
    let strict = remotemedia(&["node", "conform", "AudioLevel", "--quick", "--only", "silence"]);
    assert_eq!(strict.code, 1, "{}", strict.stdout);
    assert!(
        strict.stdout.contains("FAIL") && strict.stderr.contains("does not keep: silence"),
        "{}",
        strict.stderr
    );
    let declared = ["--declare", r#"{"events_on_silence": ["out"]}"#];
    let declared = remotemedia(
        &[&["node", "conform", "AudioLevel", "--quick", "--only", "silence"], &declared[..]].concat(),
    );
    assert_eq!(declared.code, 0, "{}", declared.stderr);
    // A first call into CPython takes longer than a millisecond, which is no question of sample formats.
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("strict.toml");
    std::fs::write(
        &policy,
        "[limits]\ncall_timeout_ms = 1\ndeadline_tick_ms = 1\n[compile]\ncpu_ms = 600000\n",
    )
    .unwrap();
    let guest = repository().join("target/guests/gain-python.wasm");
    let [guest, policy] = [&guest, &policy].map(|path| path.to_str().unwrap());
    let late = remotemedia(&["node", "conform", guest, "--quick", "--only", "formats", "--policy", policy]);
    assert_eq!(late.code, 0, "{}", late.stdout);
    for (wrong, words) in [
        (["AudioGain", "--only", "nonesuch"], "the checks are description, valid_params"),
        (["AudioGain", "--params", "{"], "--params is not what it must be"),
        (["AudioGain", "--declare", r#"{"tolerance": 1}"#], "unknown field `tolerance`"),
        (["Nonesuch", "--only", "silence"], "Nonesuch"),
    ] {
        let done = remotemedia(&[&["node", "conform"], &wrong[..]].concat());
        assert!(done.code != 0 && done.stderr.contains(words), "{wrong:?}: {}", done.stderr);
    }
}
