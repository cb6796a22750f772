//! Golden cases: the folders `golden/<case>/` with inputs, expected outputs and, where it says something, `case.toml`.
//! A case passes when every cut of its stream gives what is expected. What is expected is written in `bless.rs`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use remotemedia_core::manifest::nearest_name;
use remotemedia_core::{PayloadKind, PortSpec};
use remotemedia_engine::Plan;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::compare::compare;
use super::replay::{Outcome, replay};
use super::stream::{Cut, Stream};
use super::{KitError, single_plan};
use crate::Host;

/// The folder in a node's folder that holds its cases.
const FOLDER: &str = "golden";
const DEFAULT_TOLERANCE_DB: f64 = -90.0;
const DEFAULT_CUTS: [Cut; 3] = [Cut::Milliseconds(20), Cut::Frames(1), Cut::Frames(997)];

/// What one output port of a case gave for one cut.
#[derive(Clone, Debug)]
pub struct Check {
    /// How the stream was cut: `20 ms`, `1 frame` …
    pub cut: String,
    /// The output port.
    pub port: String,
    /// The error in dB relative to the expected signal (`None` for values), or what differs.
    pub result: Result<Option<f64>, String>,
}

/// How a case went.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The name of its folder.
    pub name: String,
    /// Every cut with every expected port.
    pub checks: Vec<Check>,
}

impl CaseReport {
    /// True when everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.result.is_ok())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    /// For people.
    #[serde(default, rename = "summary")]
    _summary: String,
    tolerance_db: Option<f64>,
    chunks: Option<Vec<toml::Value>>,
    #[serde(default)]
    params: Map<String, Value>,
}

/// A case that is ready to run.
pub(super) struct Case {
    pub folder: PathBuf,
    pub name: String,
    pub tolerance_db: f64,
    pub cuts: Vec<Cut>,
    plan: Plan,
    inputs: Vec<(usize, Stream)>,
    pub outputs: Vec<PortSpec>,
}

/// The folders of the cases of the node's folder `project`, sorted; empty when it has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn cases(project: &Path) -> Result<Vec<PathBuf>, KitError> {
    let folder = project.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).map_err(|error| KitError::io("read", &folder, error))?;
    let mut cases: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && !case_name(path).starts_with('.'))
        .collect();
    cases.sort();
    Ok(cases)
}

/// What the case in `folder` is called.
#[must_use]
pub fn case_name(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Those of `cases` that are called one of `names`; all of them when no name is given.
///
/// # Errors
/// When no case has one of the names.
pub fn cases_called(cases: Vec<PathBuf>, names: &[String]) -> Result<Vec<PathBuf>, KitError> {
    let known: Vec<String> = cases.iter().map(|folder| case_name(folder)).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        let hint = match nearest_name(unknown, known.iter().map(String::as_str)) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("the cases are: {}", known.join(", ")),
        };
        return Err(KitError::Usage(format!("no golden case is called `{unknown}`; {hint}")));
    }
    let wanted = |folder: &PathBuf| names.is_empty() || names.contains(&case_name(folder));
    Ok(cases.into_iter().filter(wanted).collect())
}

/// Runs the case in `folder` with every cut.
///
/// # Errors
/// When the case itself is wrong, or the node fails.
pub fn run_case(host: &Host, component: &Path, folder: &Path) -> Result<CaseReport, KitError> {
    let case = Case::open(host, component, folder)?;
    let expected = case.expected()?;
    let mut checks = Vec::new();
    for &cut in &case.cuts {
        let outcome = case.replay(host, cut)?;
        for (port, stream) in &expected {
            let got = outcome.get(*port).and_then(Option::as_ref);
            checks.push(Check {
                cut: cut.to_string(),
                port: case.outputs[*port].name.clone(),
                result: compare(stream, got, case.tolerance_db),
            });
        }
    }
    Ok(CaseReport { name: case.name, checks })
}

impl Case {
    pub fn open(host: &Host, component: &Path, folder: &Path) -> Result<Self, KitError> {
        let file = folder.join("case.toml");
        let wrong = |what: String| KitError::Usage(format!("`{}` is wrong: {what}", file.display()));
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| KitError::io("read", &file, error))?,
        };
        let text: CaseText =
            toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().into()))?;
        let cuts = match &text.chunks {
            None => DEFAULT_CUTS.to_vec(),
            Some(chunks) => {
                chunks.iter().map(|chunk| cut_of(chunk).map_err(wrong)).collect::<Result<_, _>>()?
            }
        };
        if cuts.is_empty() {
            return Err(wrong("`chunks` is empty; leave it out for 20 ms, 1 and 997 frames".into()));
        }
        let tolerance_db = text.tolerance_db.unwrap_or(DEFAULT_TOLERANCE_DB);
        if tolerance_db.is_nan() {
            return Err(wrong("`tolerance_db` is not a number".into()));
        }
        let plan = single_plan(host, component, text.params)?;
        let (inputs, outputs) = match plan.graph().nodes().first() {
            Some(node) => (node.descriptor.inputs.clone(), node.descriptor.outputs.clone()),
            None => (Vec::new(), Vec::new()),
        };
        let inputs: Vec<(usize, Stream)> = streams(folder, "input", &inputs)?;
        if inputs.is_empty() {
            return Err(KitError::Usage(format!(
                "`{}` holds no input: put an `input.wav` or `input.jsonl` there",
                folder.display()
            )));
        }
        // Values are never cut: one run says it all.
        let has_audio = inputs.iter().any(|(_, stream)| matches!(stream, Stream::Audio(_)));
        let cuts = if has_audio { cuts } else { cuts.into_iter().take(1).collect() };
        let name = case_name(folder);
        Ok(Self { folder: folder.into(), name, tolerance_db, cuts, plan, inputs, outputs })
    }

    pub fn replay(&self, host: &Host, cut: Cut) -> Result<Outcome, KitError> {
        replay(host, &self.plan, &self.inputs, cut)
    }

    fn expected(&self) -> Result<Vec<(usize, Stream)>, KitError> {
        let expected = streams(&self.folder, "expected", &self.outputs)?;
        if expected.is_empty() {
            return Err(KitError::Usage(format!(
                "`{}` holds nothing that is expected: `remotemedia node test --bless` writes what comes out today as \
                 `expected.wav` or `expected.jsonl`; listen to it or read it before you commit it",
                self.folder.display()
            )));
        }
        Ok(expected)
    }
}

/// The files `<prefix>.<ending>` (the first port) and `<prefix>.<port>.<ending>` in `folder`, by the port's index.
pub(super) fn files(
    folder: &Path,
    prefix: &str,
    ports: &[PortSpec],
) -> Result<Vec<(usize, PathBuf)>, KitError> {
    let entries = fs::read_dir(folder).map_err(|error| KitError::io("read", folder, error))?;
    let mut found: Vec<(usize, PathBuf)> = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let port = rest.rsplit_once('.').map(|(port, _)| port);
        let index = match port {
            None => 0,
            Some(port) => ports
                .iter()
                .position(|known| known.name == port)
                .ok_or_else(|| no_port(&path, port, ports))?,
        };
        if let Some((_, other)) = found.iter().find(|(known, _)| *known == index) {
            return Err(KitError::Usage(format!(
                "`{}` and `{}` are for the same port: keep one of them",
                other.display(),
                path.display()
            )));
        }
        found.push((index, path));
    }
    found.sort();
    Ok(found)
}

/// What the files hold that [`files`] finds.
fn streams(folder: &Path, prefix: &str, ports: &[PortSpec]) -> Result<Vec<(usize, Stream)>, KitError> {
    files(folder, prefix, ports)?
        .into_iter()
        .map(|(index, path)| {
            let stream = Stream::read(&path)?;
            let kind = ports.get(index).map(|port| port.kind).ok_or_else(|| no_port(&path, "1", ports))?;
            let fits = match &stream {
                Stream::Audio(_) => kind.fits(PayloadKind::Audio),
                Stream::Values(_) => kind != PayloadKind::Audio,
            };
            if fits { Ok((index, stream)) } else { Err(misfit(&path, &ports[index])) }
        })
        .collect()
}

fn no_port(path: &Path, port: &str, ports: &[PortSpec]) -> KitError {
    let names = ports.iter().map(|port| port.name.as_str());
    let hint = match nearest_name(port, names.clone()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the ports are: {}", names.collect::<Vec<_>>().join(", ")),
    };
    KitError::Usage(format!("`{}`: the node has no port `{port}`; {hint}", path.display()))
}

fn misfit(path: &Path, port: &PortSpec) -> KitError {
    KitError::Usage(format!(
        "`{}`: the port `{}` carries {}; audio lies in .wav and .flac files, everything else in .jsonl files",
        path.display(),
        port.name,
        port.kind.name()
    ))
}

/// `20ms` or a number of frames.
fn cut_of(value: &toml::Value) -> Result<Cut, String> {
    let cut = match value {
        toml::Value::Integer(frames) => {
            usize::try_from(*frames).ok().filter(|&frames| frames > 0).map(Cut::Frames)
        }
        toml::Value::String(text) => text
            .strip_suffix("ms")
            .and_then(|number| number.trim_end().parse().ok())
            .filter(|&ms| (1..=60_000).contains(&ms))
            .map(Cut::Milliseconds),
        _ => None,
    };
    cut.ok_or_else(|| {
        let shown = match value {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::String(text) => format!("\"{text}\""),
            other => other.type_str().to_owned(),
        };
        format!("a chunk is a number of frames (997) or of milliseconds (\"20ms\"), not {shown}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_frames_or_milliseconds() {
        assert_eq!(cut_of(&toml::Value::Integer(997)), Ok(Cut::Frames(997)));
        assert_eq!(cut_of(&toml::Value::String("20ms".into())), Ok(Cut::Milliseconds(20)));
        assert_eq!(cut_of(&toml::Value::String("20 ms".into())), Ok(Cut::Milliseconds(20)));
        for wrong in [toml::Value::Integer(0), toml::Value::String("20".into()), toml::Value::Float(1.5)] {
            assert!(cut_of(&wrong).unwrap_err().contains("997"), "{wrong:?}");
        }
    }
}
