//! `node conform`: runs the conformance checks on one node and prints what was seen.

use std::path::Path;

use crate::Host;
use crate::conform::{CHECKS, Declared, Options, Verdict, conform};
use crate::kit::Project;
use clap::{Args, ValueHint};
use remotemedia_core::{NodeManifest, RuntimeKind};
use serde_json::{Map, Value};

use super::component;
use crate::cli::console;
use crate::cli::failure::Failure;

/// What `node conform` is asked for.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// A `.wasm` file, a node's folder, a native type, or `module:Class` (found from the current folder).
    #[arg(value_name = "FILE.wasm|DIR|TYPE|MODULE:CLASS", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub node: String,
    /// The params of the nodes that are checked; by default made up from what the schema requires.
    #[arg(long, value_name = "JSON")]
    pub params: Option<String>,
    /// Where a promise has another right form for this node, for example
    /// `{"lengths": {"speech": "any"}, "events_on_silence": ["out"], "tolerance_db": -120}`.
    #[arg(long, value_name = "JSON")]
    pub declare: Option<String>,
    /// Seconds instead of minutes: shorter streams, fewer params, 20 s of audio instead of an hour.
    #[arg(long)]
    pub quick: bool,
    /// Run this check only.
    #[arg(long, value_name = "CHECK")]
    pub only: Option<String>,
}

pub fn conform_node(host: &Host, args: &ConformArgs, as_json: bool) -> Result<(), Failure> {
    let (kind, mut node) = subject(host, &args.node)?;
    let runtime = host
        .runtimes()
        .get(kind)
        .ok_or_else(|| Failure::usage(format!("this host has no {kind} runtime to run `{}`", args.node)))?;
    node.params = match &args.params {
        Some(text) => parsed::<Map<String, Value>>("--params", text)?,
        None => Map::new(),
    };
    let declared = match &args.declare {
        Some(text) => parsed::<Declared>("--declare", text)?,
        None => Declared::default(),
    };
    let only = args.only.as_deref().map(check_called).transpose()?;
    let call_timeout_ms = Some(host.policy().maximum.call_timeout_ms);
    let options = Options { quick: args.quick, alone_in_process: true, call_timeout_ms, only };
    let report = conform(&**runtime, &node, &declared, options)?;
    if as_json {
        console::write_json(&serde_json::to_value(&report).unwrap_or_default())?;
    } else {
        console::write(&report.to_string())?;
    }
    if report.verdict == Verdict::Pass {
        return Ok(());
    }
    let names: Vec<&str> = report.failures().map(|check| check.name).collect();
    Err(Failure::nonconforming(format!("`{}` does not keep: {}", report.node_type, names.join(", "))))
}

/// What to run, and on which runtime: as `nodes describe` reads names, and what is there as a file is meant as one.
fn subject(host: &Host, name: &str) -> Result<(RuntimeKind, NodeManifest), Failure> {
    let file = Path::new(name);
    let is_wasm = file.extension().is_some_and(|extension| extension == "wasm");
    // A folder may be called as a native type is.
    if is_wasm || file.is_file() || name == "." || Project::open(file).is_ok() {
        let file = component(file)?;
        let mut node = NodeManifest::new("node", host.describe_component(&file)?.node_type);
        node.component = Some(file.into());
        return Ok((RuntimeKind::Wasm, node));
    }
    let mut node = NodeManifest::new("node", name);
    node.base_dir = ".".into();
    let is_native = host.describe(RuntimeKind::Native, &node)?.is_some();
    Ok((if is_native { RuntimeKind::Native } else { RuntimeKind::Cpython }, node))
}

fn parsed<T: serde::de::DeserializeOwned>(option: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::usage(format!("{option} is not what it must be: {error}")))
}

fn check_called(name: &str) -> Result<&'static str, Failure> {
    CHECKS.iter().map(|check| check.name).find(|known| *known == name).ok_or_else(|| {
        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        Failure::usage(format!("there is no check `{name}`; the checks are {}", names.join(", ")))
    })
}
