//! `node run`: one component on files, through the same machinery as `run`.

use remotemedia_host::Host;
use remotemedia_host::kit;

use super::args::NodeRunArgs;
use crate::cli::args::RunOptions;
use crate::cli::failure::Failure;
use crate::cli::run::{named, run_manifest};

pub fn run(host: &Host, args: &NodeRunArgs, as_json: bool) -> Result<(), Failure> {
    let manifest = kit::single_node(host, &args.file, kit::params_of(&args.params)?)?;
    let id = manifest.nodes.first().map_or("", |node| node.id.as_str());
    // `PORT=FILE` of the one node is `NODE.PORT=FILE` of its pipeline.
    let of_node = |specs: &[String]| specs.iter().map(|spec| of_node(id, spec)).collect();
    let options = RunOptions {
        inputs: of_node(&args.inputs),
        outputs: of_node(&args.outputs),
        chunk_ms: args.chunk_ms,
        metrics: args.metrics.clone(),
        ..RunOptions::default()
    };
    run_manifest(host, &manifest, &args.file.display().to_string(), &options, as_json)
}

fn of_node(id: &str, spec: &str) -> String {
    match named(spec) {
        Some(_) if !std::path::Path::new(spec).exists() => format!("{id}.{spec}"),
        _ => spec.to_owned(),
    }
}
