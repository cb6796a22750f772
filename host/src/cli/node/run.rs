//! `node run`: one component on files, through the same machinery as `run`.

use std::path::Path;

use crate::Host;
use crate::kit;
use remotemedia_core::PortSpec;

use super::args::NodeRunArgs;
use super::component;
use crate::cli::args::RunOptions;
use crate::cli::failure::Failure;
use crate::cli::run::{named, run_plan, suggestion};

pub fn run(host: &Host, args: &NodeRunArgs, as_json: bool) -> Result<(), Failure> {
    let plan = kit::single_plan(host, &component(&args.target)?, kit::params_of(&args.params)?)?;
    let Some(node) = plan.graph().nodes().first() else { return Ok(()) };
    let descriptor = &node.descriptor;
    // `PORT=FILE` of the one node is `NODE.PORT=FILE` of its pipeline.
    let of_node = |option, specs: &[String], ports: &[PortSpec]| -> Result<Vec<String>, Failure> {
        specs.iter().map(|spec| of_node(&descriptor.node_type, option, spec, ports)).collect()
    };
    let options = RunOptions {
        inputs: of_node("-i", &args.inputs, &descriptor.inputs)?,
        outputs: of_node("-o", &args.outputs, &descriptor.outputs)?,
        chunk_ms: args.chunk_ms,
        metrics: args.metrics.clone(),
        ..RunOptions::default()
    };
    run_plan(host, &plan, &options, None, as_json)
}

fn of_node(id: &str, option: &str, spec: &str, ports: &[PortSpec]) -> Result<String, Failure> {
    let Some((port, _)) = named(spec).filter(|_| !Path::new(spec).exists()) else { return Ok(spec.into()) };
    let names = ports.iter().map(|port| port.name.as_str());
    if names.clone().any(|name| name == port) {
        return Ok(format!("{id}.{spec}"));
    }
    Err(Failure::usage(format!("{option} {spec}: the node has no such port{}", suggestion(port, names))))
}
