//! The integration tests: one binary, one module per behaviour.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod cli_run;
#[cfg(test)]
mod cli_verbs;
#[cfg(test)]
mod compat;
#[cfg(test)]
mod compile_limits;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod corpora;
#[cfg(test)]
mod cpython_pipeline;
#[cfg(test)]
mod cpython_wasm;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod media_files;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod node_golden;
#[cfg(test)]
mod node_kit;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod reliability;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod top;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod vad_labelled_set;
#[cfg(test)]
mod wasm_nodes;
#[cfg(test)]
mod watched;
