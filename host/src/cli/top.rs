//! `top`: what a running pipeline does, live. This file finds the pipeline; what is shown is beside it.

mod rates;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use serde_json::json;

use super::console;
use super::failure::Failure;
use crate::Host;
use crate::telemetry::inspect::Snapshot;
use crate::telemetry::inspect_client::{InspectClient, running};
use crate::telemetry::inspect_socket::socket_dir;

/// What to look at, and how often.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The process that `run --inspect` runs in, or its socket. Without it, the only one there is.
    #[arg(value_name = "PID|SOCKET", value_hint = ValueHint::FilePath)]
    pub target: Option<String>,
    /// Print one view as plain text, and end.
    #[arg(long)]
    pub once: bool,
    /// How often to look, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub interval_ms: u64,
}

pub fn top(host: &Host, args: &TopArgs, as_json: bool) -> Result<(), Failure> {
    let folder = socket_dir(host.config().runtime_dir.as_deref());
    let path = match &args.target {
        Some(target) => socket_of(target, &folder),
        None => the_only_one(&folder)?,
    };
    let (client, first) = InspectClient::connect(&path).map_err(|error| {
        Failure::usage(format!(
            "cannot look at `{}`: {error}; is `remotemedia run --inspect` still running there?",
            path.display()
        ))
    })?;
    if as_json {
        return console::write_json(&json!(first));
    }
    if args.once {
        return console::write(&view::as_text(&first, None));
    }
    screen::show(client, first, Duration::from_millis(args.interval_ms), host.config().no_color)
}

/// A number is a process; all else is a path.
fn socket_of(target: &str, folder: &Path) -> PathBuf {
    match target.parse::<u32>() {
        Ok(pid) => folder.join(format!("{pid}.sock")),
        Err(_) => PathBuf::from(target),
    }
}

fn the_only_one(folder: &Path) -> Result<PathBuf, Failure> {
    let mut found = running(folder);
    if found.len() > 1 {
        let line = |(_, snapshot): &(PathBuf, Snapshot)| {
            format!("  remotemedia top {:<8} {}", snapshot.pid, snapshot.metrics.pipeline_name)
        };
        let lines: Vec<String> = found.iter().map(line).collect();
        return Err(Failure::usage(format!("several pipelines run; choose one:\n{}", lines.join("\n"))));
    }
    found.pop().map(|(path, _)| path).ok_or_else(|| {
        Failure::usage(format!(
            "no pipeline that can be looked at runs (none in `{}`); start one with `remotemedia run --inspect …`",
            folder.display()
        ))
    })
}
