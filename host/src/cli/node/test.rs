//! `node test`: unit tests of the language, then golden cases in the sandbox.

use std::path::{Path, PathBuf};

use crate::Host;
use crate::kit::{self, Blessed, CaseReport, Project};
use crate::report::{Align, Table};
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
            "`{}` has no golden case: make a folder golden/NAME with an input.wav, then `remotemedia node test --bless`",
            project.folder.display()
        )));
    }
    let cases = kit::cases_called(cases, &args.cases)?;
    if args.bless {
        return bless(host, component, &cases, !args.cases.is_empty(), as_json);
    }
    let unit_tests = args.cases.is_empty() && kit::unit_tests(host, &project)?;
    let reports: Vec<(String, Result<CaseReport, String>)> = cases
        .iter()
        .map(|folder| {
            let report = kit::run_case(host, component, folder);
            (kit::case_name(folder), report.map_err(|error| error.to_string()))
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

/// Blesses what does not pass, or everything that was `named`; what cannot be blessed is told at the end.
fn bless(
    host: &Host,
    component: &Path,
    cases: &[PathBuf],
    named: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let (mut done, mut kept, mut failures) = (Blessed::default(), Vec::new(), Vec::new());
    for folder in cases {
        if !named && kit::run_case(host, component, folder).is_ok_and(|report| report.passed()) {
            kept.push(kit::case_name(folder));
            continue;
        }
        match kit::bless_case(host, component, folder) {
            Ok(blessed) => {
                done.written.extend(blessed.written);
                done.removed.extend(blessed.removed);
            }
            Err(error) => failures.push(format!("{}: {error}", kit::case_name(folder))),
        }
    }
    let status = if failures.is_empty() { "ok" } else { "failed" };
    if as_json {
        console::write_json(
            &json!({"status": status, "written": done.written, "removed": done.removed, "kept": kept}),
        )?;
    } else {
        console::write(&told(&done, &kept))?;
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::node_check(failures.join("\n"))) }
}

fn told(done: &Blessed, kept: &[String]) -> String {
    let kept = kept.iter().map(|name| format!("kept {name}, which passes\n"));
    let removed = done.removed.iter().map(|path| format!("removed {}\n", path.display()));
    let written = done.written.iter().map(|path| format!("wrote {}\n", path.display()));
    let mut text: String = kept.chain(removed).chain(written).collect();
    if !done.written.is_empty() {
        text.push_str(
            "Listen to what was written or read it before you commit it: from now on it is right.\n",
        );
    }
    text
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
