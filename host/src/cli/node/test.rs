//! `node test`: unit tests of the language, then golden cases in the sandbox.

use std::path::{Path, PathBuf};

use remotemedia_host::Host;
use remotemedia_host::kit::{self, CaseReport, Project};
use remotemedia_host::report::{Align, Table};
use serde_json::{Value, json};

use super::args::TestArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn test(host: &Host, args: &TestArgs, as_json: bool) -> Result<(), Failure> {
    let project = Project::open(&args.dir)?;
    let component = project.built_component()?;
    let cases = kit::cases(&project.folder)?;
    if cases.is_empty() {
        return Err(Failure::usage(format!(
            "`{}` has no golden case: make a folder golden/NAME with case.toml (it may be empty) and input.wav, then \
             `remotemedia node test --bless`",
            project.folder.display()
        )));
    }
    if args.bless {
        return bless(host, component, &cases, as_json);
    }
    let unit_tests = kit::unit_tests(host, &project)?;
    let reports: Vec<(String, Result<CaseReport, String>)> = cases
        .iter()
        .map(|folder| {
            let report = kit::run_case(host, component, folder);
            (name(folder), report.map_err(|error| error.to_string()))
        })
        .collect();
    let failed = reports.iter().filter(|(_, report)| !report.as_ref().is_ok_and(CaseReport::passed)).count();
    if as_json {
        let cases: Vec<Value> = reports.iter().map(|(name, report)| to_json(name, report)).collect();
        let status = if failed == 0 { "ok" } else { "failed" };
        console::write_json(&json!({"status": status, "unit_tests": unit_tests, "cases": cases}))?;
    } else {
        console::write(&to_text(&reports))?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::node_check(format!("{failed} of {} golden cases failed", reports.len()))),
    }
}

/// Every case is blessed or none of the rest: the first that cannot be stops it, and says so.
fn bless(host: &Host, component: &Path, cases: &[PathBuf], as_json: bool) -> Result<(), Failure> {
    let mut written = Vec::new();
    for folder in cases {
        written.extend(kit::bless_case(host, component, folder)?);
    }
    let written: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    if as_json {
        return console::write_json(&json!({"status": "ok", "written": written}));
    }
    let lines: String = written.iter().map(|path| format!("wrote {path}\n")).collect();
    console::write(&format!(
        "{lines}Listen to them or read them before you commit them: from now on they are right.\n"
    ))
}

fn name(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn to_json(name: &str, report: &Result<CaseReport, String>) -> Value {
    let report = match report {
        Err(error) => return json!({"name": name, "passed": false, "error": error}),
        Ok(report) => report,
    };
    let checks: Vec<Value> = report
        .checks
        .iter()
        .map(|check| {
            json!({
                "chunk": check.cut,
                "port": check.port,
                "passed": check.result.is_ok(),
                // JSON has no infinity: identical samples are null, too.
                "error_db": check.result.as_ref().ok().copied().flatten().filter(|db| db.is_finite()),
                "difference": check.result.as_ref().err(),
            })
        })
        .collect();
    json!({"name": name, "passed": report.passed(), "checks": checks})
}

fn to_text(reports: &[(String, Result<CaseReport, String>)]) -> String {
    let mut table = Table::new(&[
        ("CASE", Align::Left),
        ("CHUNK", Align::Right),
        ("PORT", Align::Left),
        ("ERROR", Align::Right),
        ("", Align::Left),
    ]);
    let mut differences = String::new();
    for (name, report) in reports {
        let checks = match report {
            Ok(report) => &report.checks,
            Err(error) => {
                table.row([name.as_str(), "", "", "", "FAILED"]);
                differences.push_str(&format!("{name}: {error}\n"));
                continue;
            }
        };
        for check in checks {
            let (error, verdict) = match &check.result {
                Ok(None) => ("equal".to_owned(), "ok"),
                Ok(Some(db)) if db.is_finite() => (format!("{db:.1} dB"), "ok"),
                Ok(Some(_)) => ("identical".to_owned(), "ok"),
                Err(_) => (String::new(), "FAILED"),
            };
            table.row([name.clone(), check.cut.clone(), check.port.clone(), error, verdict.into()]);
            if let Err(difference) = &check.result {
                differences.push_str(&format!("{name}, {}, port {}: {difference}\n", check.cut, check.port));
            }
        }
    }
    format!("{table}{differences}")
}
