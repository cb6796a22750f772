//! What conformance found, for programs and people. It judges nothing.

use remotemedia_core::RuntimeKind;
use serde::Serialize;
use serde_json::{Map, Value};

use super::subject::Subject;
use crate::report::{Align, Table};

/// The version of the JSON report. It changes when a field changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The node holds to it.
    Pass,
    /// It does not.
    Fail,
    /// The check means nothing for such a node.
    NotApplicable,
}

impl Verdict {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// What a check hands back.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    verdict: Verdict,
    evidence: String,
    numbers: Map<String, Value>,
}

impl Outcome {
    fn new(verdict: Verdict, evidence: impl Into<String>) -> Self {
        Self { verdict, evidence: evidence.into(), numbers: Map::new() }
    }

    pub fn pass(evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, evidence)
    }

    pub fn fail(evidence: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, evidence)
    }

    /// With the reason why.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::new(Verdict::NotApplicable, reason)
    }

    pub fn number(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.numbers.insert(name.into(), value.into());
        self
    }
}

/// One check's result.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    /// Which check.
    pub name: &'static str,
    /// What a node that passes holds to.
    pub promise: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen: numbers, or the first difference.
    pub evidence: String,
    /// The numbers of the evidence, by name; units are in the names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub numbers: Map<String, Value>,
}

impl CheckResult {
    pub(super) fn new(name: &'static str, promise: &'static str, outcome: Outcome) -> Self {
        let Outcome { verdict, evidence, numbers } = outcome;
        Self { name, promise, verdict, evidence, numbers }
    }
}

/// Everything that was found out about one node.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The type that was checked.
    pub node_type: String,
    /// Its version.
    pub version: String,
    /// Which runtime ran it.
    pub runtime: RuntimeKind,
    /// The params of the nodes that were checked, unless the check is about params.
    pub params: Map<String, Value>,
    /// Whether the short form ran.
    pub quick: bool,
    /// `fail` when one check failed, else `pass`.
    pub verdict: Verdict,
    /// In the order of [`super::CHECKS`].
    pub checks: Vec<CheckResult>,
}

impl Report {
    pub(super) fn new(subject: &Subject<'_>, checks: Vec<CheckResult>) -> Self {
        let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
        Self {
            schema_version: SCHEMA_VERSION,
            node_type: subject.descriptor.node_type.clone(),
            version: subject.descriptor.version.clone(),
            runtime: subject.runtime_kind(),
            params: subject.node.params.clone(),
            quick: subject.options.quick,
            verdict: if failed { Verdict::Fail } else { Verdict::Pass },
            checks,
        }
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Fail)
    }
}

impl std::fmt::Display for Report {
    /// The table for a terminal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let params = Value::Object(self.params.clone());
        writeln!(f, "{} {} ({}), params {params}\n", self.node_type, self.version, self.runtime)?;
        let mut table =
            Table::new(&[("CHECK", Align::Left), ("VERDICT", Align::Left), ("EVIDENCE", Align::Left)]);
        for check in &self.checks {
            let verdict = match check.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "FAIL",
                Verdict::NotApplicable => "-",
            };
            table.row([check.name, verdict, &check.evidence]);
        }
        table.fmt(f)
    }
}
