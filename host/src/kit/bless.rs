//! `node test --bless`: what a node gives today becomes what is expected of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::KitError;
use super::compare::compare;
use super::golden::{Case, files};
use super::replay::Outcome;
use super::stream::{Cut, Stream};
use crate::Host;
use crate::media::FileKind;

/// What blessing a case did to its files.
#[derive(Clone, Debug, Default)]
pub struct Blessed {
    /// What is expected from now on.
    pub written: Vec<PathBuf>,
    /// What was expected before, of another kind or of a port that gives nothing any more.
    pub removed: Vec<PathBuf>,
}

/// Writes what the node gives today as what is expected of it.
///
/// # Errors
/// When the case or the node is wrong, nothing comes out, or what does depends on how the stream is cut: then nothing
/// is written.
pub fn bless_case(host: &Host, component: &Path, folder: &Path) -> Result<Blessed, KitError> {
    let case = Case::open(host, component, folder)?;
    let outcome = agreed(host, &case)?;
    if outcome.iter().all(Option::is_none) {
        return Err(KitError::Usage("nothing came out, so there is nothing to expect".into()));
    }
    let expected = files(&case.folder, "expected", &case.outputs)?;
    let mut blessed = Blessed::default();
    for (port, stream) in outcome.iter().enumerate() {
        let earlier = expected.iter().find_map(|(index, path)| (*index == port).then_some(path));
        let now = stream.as_ref().map(|stream| (stream, file(&case, port, stream, earlier)));
        if let Some((stream, path)) = &now {
            stream.write(path)?;
        }
        let now = now.map(|(_, path)| path);
        // Two files for one port would contradict each other.
        if let Some(earlier) = earlier.filter(|earlier| now.as_ref() != Some(*earlier)) {
            fs::remove_file(earlier).map_err(|error| KitError::io("remove", earlier, error))?;
            blessed.removed.push(earlier.clone());
        }
        blessed.written.extend(now);
    }
    Ok(blessed)
}

/// What comes out, whatever the cut.
fn agreed(host: &Host, case: &Case) -> Result<Outcome, KitError> {
    let mut outcomes = case.cuts.iter().map(|&cut| (cut, case.replay(host, cut)));
    let Some((first_cut, first)) = outcomes.next() else { return Ok(Vec::new()) };
    let first = first?;
    for (cut, outcome) in outcomes {
        must_agree(case, (first_cut, &first), (cut, &outcome?))?;
    }
    Ok(first)
}

/// Where the stream of that output port goes: the earlier file where it can hold it.
fn file(case: &Case, port: usize, stream: &Stream, earlier: Option<&PathBuf>) -> PathBuf {
    let (kind, ending) = match stream {
        Stream::Audio(_) => (FileKind::Wav, "wav"),
        Stream::Values(_) => (FileKind::JsonLines, "jsonl"),
    };
    match earlier.filter(|earlier| FileKind::of(earlier) == kind) {
        Some(earlier) => earlier.clone(),
        None if port == 0 => case.folder.join(format!("expected.{ending}")),
        None => case.folder.join(format!("expected.{}.{ending}", case.outputs[port].name)),
    }
}

/// What two cuts gave must be the same, within the case's tolerance.
fn must_agree(
    case: &Case,
    (first_cut, first): (Cut, &Outcome),
    (cut, outcome): (Cut, &Outcome),
) -> Result<(), KitError> {
    for ((port, first), other) in case.outputs.iter().zip(first).zip(outcome) {
        let compared = match (first, other) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err("something came out of this port".into()),
            (Some(first), other) => compare(first, other.as_ref(), case.tolerance_db),
        };
        compared.map_err(|difference| {
            KitError::Usage(format!(
                "the output `{}` depends on how the stream is cut, so nothing was written. Cut into {cut} instead of \
                 {first_cut}: {difference}",
                port.name
            ))
        })?;
    }
    Ok(())
}
