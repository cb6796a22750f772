//! What a job is: everything that its output depends on and that can be told beforehand, by name.
//!
//! Python code is not looked at: that it puts out the same again is checked when it runs again.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use remotemedia_engine::Plan;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::cli::failure::Failure;
use crate::cli::run::inputs::Inputs;
use crate::cli::run::outputs::Outlets;

/// So much of an input's beginning and of its end is compared.
const INPUT_BYTES: u64 = 64 * 1024;

/// Describes the job, one entry per part of it.
pub fn describe(
    plan: &Plan,
    inputs: &Inputs,
    outlets: &Outlets,
    chunk_ms: u32,
) -> Result<Map<String, Value>, Failure> {
    let mut job = Map::new();
    job.insert("the version of remotemedia".into(), env!("CARGO_PKG_VERSION").into());
    job.insert("--chunk-ms".into(), chunk_ms.into());
    let graph = plan.graph();
    for (index, node) in graph.nodes().iter().enumerate() {
        let (id, manifest) = (&node.manifest.id, &node.manifest);
        let runtime = plan.selection(index).kind;
        job.insert(
            format!("the node `{id}`"),
            json!({"manifest": manifest, "folder": manifest.base_dir, "runtime": runtime}),
        );
        if let Some(file) = manifest.component_path() {
            let digest = digest(&file).map_err(|error| unreadable(&file, &error))?;
            job.insert(format!("the component of node `{id}`"), digest.into());
        }
    }
    let edges: Vec<Value> = graph
        .edges()
        .iter()
        .map(|edge| json!([edge.from, edge.out_port.0, edge.to, edge.in_port.0, edge.queue]))
        .collect();
    job.insert("the connections".into(), edges.into());
    for (nth, (port, name)) in inputs.assigned().iter().enumerate() {
        let file = Path::new(name);
        let mut facts = input(file).map_err(|error| unreadable(file, &error))?;
        facts.insert("port".into(), port.as_str().into());
        job.insert(format!("input {} (`{name}`)", nth + 1), facts.into());
    }
    for (node, port, path) in outlets.files() {
        let path = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
        job.insert(format!("the output `{}`", path.display()), json!([node, port.0]));
    }
    Ok(job)
}

/// The parts in which two jobs differ.
pub fn differences(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> =
        one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))).collect();
    names.retain(|name| one.get(*name) != other.get(*name));
    names.into_iter().cloned().collect()
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read `{}`, which --checkpoint has to know: {error}", file.display()))
}

fn digest(file: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut File::open(file)?, &mut digest)?;
    Ok(format!("{:x}", digest.finalize()))
}

/// Where an input is, how long, how old, and how it begins and ends.
fn input(path: &Path) -> io::Result<Map<String, Value>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut digest = Sha256::new();
    io::copy(&mut (&mut file).take(INPUT_BYTES), &mut digest)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(INPUT_BYTES)))?;
    io::copy(&mut file.take(INPUT_BYTES), &mut digest)?;
    let facts = json!({
        "path": fs::canonicalize(path)?,
        "bytes": metadata.len(),
        "modified": [modified.as_secs(), modified.subsec_nanos()],
        "digest": format!("{:x}", digest.finalize()),
    });
    Ok(facts.as_object().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn jobs_differ_in_what_changed_came_or_went() {
        let one = object(json!({"same": 1, "changed": 1, "went": 1}));
        let other = object(json!({"came": 1, "changed": 2, "same": 1}));
        assert_eq!(differences(&one, &other), ["changed", "went", "came"]);
        assert!(differences(&one, &one).is_empty());
    }

    #[test]
    fn an_input_that_changed_at_either_end_or_in_length_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in");
        let of = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let mut facts = input(&path).unwrap();
            facts.remove("modified");
            facts
        };
        let mut bytes = vec![0; 300_000];
        let first = of(&bytes);
        assert_eq!(of(&bytes), first);
        assert_ne!(of(&bytes[1..]), first);
        for at in [0, 65_535, 300_000 - 65_536, 299_999] {
            bytes[at] = 1;
            assert_ne!(of(&bytes), first);
            bytes[at] = 0;
        }
    }
}
