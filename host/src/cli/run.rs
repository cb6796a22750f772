//! `run`: files through a pipeline. This file is the order of events; the parts are beside it.

mod checkpoint;
mod inputs;
mod interrupt;
mod outputs;
mod places;
mod progress;
mod results;
mod sets;
mod speech;
mod watched;

use std::path::Path;
use std::time::Instant;

use crate::Host;
use crate::media::OutputFile;
use crate::report::{Waveform, run_table};
use crate::telemetry;
use remotemedia_engine::{Metrics, Output, Pipeline, PipelineOptions, Plan};
use serde_json::{Value, json};

use super::args::{RunArgs, RunOptions, When};
use super::console;
use super::failure::Failure;
use super::graph::write_file;
use checkpoint::{Checkpoint, Restored};
use inputs::Inputs;
pub use inputs::named;
use interrupt::Interrupt;
use outputs::Outlets;
use progress::Progress;
use results::Results;
pub use sets::suggestion;
use watched::Watched;

pub fn run(host: &Host, args: &RunArgs, as_json: bool) -> Result<(), Failure> {
    let mut manifest = host.load_manifest(&args.manifest)?;
    sets::apply(&mut manifest, &args.sets)?;
    let name = args.manifest.display().to_string();
    let plan = host.plan(&manifest).map_err(|errors| Failure::plan(&name, &errors))?;
    run_plan(host, &plan, &args.options, Some(&args.manifest), as_json)
}

/// Runs what was planned.
pub fn run_plan(
    host: &Host,
    plan: &Plan,
    options: &RunOptions,
    manifest: Option<&Path>,
    as_json: bool,
) -> Result<(), Failure> {
    let truth = options.truth.as_deref().map(speech::read_truth).transpose()?;
    if !as_json {
        for notice in plan.notices() {
            console::tell(&format!("note: {notice}"));
        }
        for source in plan.graph().nodes().iter().map(|node| &node.manifest) {
            if source.live.is_some_and(|live| live.queue().is_some()) {
                console::tell(&format!(
                    "note: node `{}`: `live` has no effect here: files wait, and nothing is dropped",
                    source.id
                ));
            }
        }
    }
    checkpoint::refuse_what_cannot_be_repeated(plan, options)?;
    let interrupt = interrupt::watch(as_json)?;
    // Everything that can be wrong with the files is found before a node is made.
    let inputs = Inputs::open(plan, &options.inputs, options.chunk_ms)?;
    let mut outlets = Outlets::resolve(host, plan, &options.outputs)?;
    places::refuse_clashes(manifest, options, &inputs, &outlets)?;
    for path in [&options.metrics, &options.report].into_iter().flatten() {
        OutputFile::check(path).map_err(|error| Failure::unreadable(&error))?;
    }
    if as_json && outlets.use_stdout() {
        return Err(Failure::usage(
            "`-o -` and --json both write to standard output; give the output a file name",
        ));
    }
    let checkpoint = Checkpoint::open(host, plan, &inputs, &outlets, options)?;
    if let Some(checkpoint) = &checkpoint {
        outlets.keep_names(checkpoint.folder());
        if !as_json && checkpoint.resumed_at() > 0 {
            let (packets, folder) = (checkpoint.resumed_at(), checkpoint.folder().display());
            console::tell(&format!("note: goes on behind packet {packets}, as `{folder}` says"));
        }
    }
    let tables = options.report.is_some() || truth.is_some();
    let results = Results::new(host, plan, as_json || tables, !as_json && !tables);
    let mut job = Job {
        waveform: options.report.is_some().then(Waveform::default),
        progress: Progress::new(inputs.total_seconds(), as_json),
        inputs,
        outlets,
        results,
        checkpoint,
        began: Instant::now(),
    };
    let mut watched = Watched::begin(host, options)?;
    let ran = job.execute(host, plan, options, &interrupt, &mut watched, as_json);
    // A run that failed is the one that people want to see.
    let ended = watched.end(ran.is_ok(), as_json);
    if let (Err(_), Err(unwatched)) = (&ran, &ended) {
        tracing::warn!("{}", unwatched.message());
    }
    if let (Err(_), false, Some(advice)) =
        (&ran, as_json, job.checkpoint.as_ref().and_then(Checkpoint::advice))
    {
        console::tell(&format!("note: {advice}"));
    }
    let metrics = ran?;
    ended?;
    let checkpoint = job.finish(options, plan, &metrics, truth.as_deref(), as_json)?;
    // Only now: a process that dies before has to do the rest again.
    checkpoint.map_or(Ok(()), Checkpoint::remove)
}

/// One run with everything it reads and writes.
struct Job {
    inputs: Inputs,
    outlets: Outlets,
    results: Results,
    waveform: Option<Waveform>,
    progress: Progress,
    checkpoint: Option<Checkpoint>,
    began: Instant,
}

impl Job {
    /// Feeds all input, takes all output, and completes the output files.
    fn execute(
        &mut self,
        host: &Host,
        plan: &Plan,
        wanted: &RunOptions,
        interrupt: &Interrupt,
        watched: &mut Watched,
        as_json: bool,
    ) -> Result<Metrics, Failure> {
        let replay = self.checkpoint.as_ref().map(Checkpoint::replay);
        let taps = self.outlets.taps(plan);
        let options = PipelineOptions { taps, live: false, replay, ..PipelineOptions::default() };
        let options = watched.options(options);
        self.began = Instant::now();
        self.restore()?;
        let mut pipeline = host.start(plan, options)?;
        interrupt.cancels(pipeline.canceller());
        watched.started(&pipeline, as_json)?;
        telemetry::observe(pipeline.metrics_reader());
        interrupt.writes_metrics(pipeline.metrics_reader(), wanted.metrics.as_deref());
        let ran = self.pump(&mut pipeline);
        let counted = write_metrics(wanted, &pipeline.metrics());
        if interrupt.happened() {
            return Err(Failure::interrupted());
        }
        ran?;
        self.progress.finish();
        self.outlets.finish_stdout()?;
        // Files get their names; an interrupt between two of them would leave a part of the results.
        interrupt.commits(|| self.outlets.finish(as_json))?;
        counted?;
        Ok(pipeline.metrics())
    }

    fn pump(&mut self, pipeline: &mut Pipeline) -> Result<(), Failure> {
        while let Some(packet) = self.inputs.next_packet()? {
            if let (Some(waveform), Some(audio)) = (&mut self.waveform, self.inputs.first_audio(&packet)) {
                waveform.push(audio);
            }
            pipeline.feed_port(self.inputs.node_id(), self.inputs.port(), packet)?;
            self.take_waiting(pipeline)?;
            if self.checkpoint.as_mut().is_some_and(Checkpoint::fed) {
                pipeline.quiesce()?;
                self.take_waiting(pipeline)?;
                self.checkpoint.as_mut().map_or(Ok(()), Checkpoint::mark)?;
            }
            self.progress.at(self.inputs.seconds_read());
        }
        self.checkpoint.as_mut().map_or(Ok(()), Checkpoint::at_end)?;
        pipeline.finish()?;
        while let Some(output) = pipeline.next()? {
            self.take(output)?;
        }
        Ok(())
    }

    /// Does again what the files and results need of what an earlier process had put out.
    fn restore(&mut self) -> Result<(), Failure> {
        let Self { checkpoint, outlets, results, .. } = self;
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        checkpoint.restore(|restored| match restored {
            Restored::Output(output) => {
                let written = outlets.write(&output)?;
                results.take(&output, written)
            }
            Restored::Heard { node, port, spec, frames } => {
                results.hear(node, port, spec, frames);
                Ok(())
            }
        })
    }

    fn take_waiting(&mut self, pipeline: &mut Pipeline) -> Result<(), Failure> {
        while let Some(output) = pipeline.try_next()? {
            self.take(output)?;
        }
        Ok(())
    }

    fn take(&mut self, output: Output) -> Result<(), Failure> {
        let output = match &mut self.checkpoint {
            None => output,
            Some(checkpoint) => {
                let in_file = self.outlets.take(output.node, output.port);
                let Some(output) = checkpoint.keep(output, in_file)? else { return Ok(()) };
                output
            }
        };
        let written = self.outlets.write(&output)?;
        self.results.take(&output, written)
    }

    /// Reports what came out.
    fn finish(
        self,
        wanted: &RunOptions,
        plan: &Plan,
        metrics: &Metrics,
        truth: Option<&[speech::TrueSegment]>,
        as_json: bool,
    ) -> Result<Option<Checkpoint>, Failure> {
        let wall_seconds = self.began.elapsed().as_secs_f64();
        let summary = speech::Summary::new(&self.results, truth);
        if let Some(path) = &wanted.report {
            let page = summary.page(plan, metrics, &self.inputs, self.waveform.as_ref(), wall_seconds);
            write_file(path, &page)?;
        }
        if as_json {
            if wanted.table == When::Always {
                console::tell(run_table(metrics).trim_end());
            }
            let mut object = json!({
                "status": "ok",
                "outputs": self.results.to_json(&self.outlets),
                "served_by": served_by(plan, metrics),
                "metrics": metrics,
            });
            if let (Some(object), Some(score)) = (object.as_object_mut(), summary.score_json()) {
                object.insert("score".into(), score);
            }
            if let (Some(object), Some(checkpoint)) = (object.as_object_mut(), &self.checkpoint) {
                object.insert("resumed_at_packet".into(), checkpoint.resumed_at().into());
            }
            console::write_json(&object)?;
            return Ok(self.checkpoint);
        }
        let summary_wanted = wanted.report.is_some() || truth.is_some();
        if summary_wanted {
            let table = if wanted.table == When::Never { String::new() } else { run_table(metrics) };
            let text = format!("{}{table}", summary.text());
            match self.outlets.use_stdout() {
                // Where audio or values go, nothing else does.
                true => console::tell(text.trim_end()),
                false => console::write(&text)?,
            }
        }
        self.results.print_summary(&self.outlets, self.inputs.seconds_read(), wall_seconds);
        let is_rest = self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.resumed_at() > 0);
        let since = if is_rest { " since the run went on" } else { "" };
        for node in metrics.node_metrics.iter().filter(|node| node.policies.skipped > 0) {
            let (id, skipped) = (&node.node_id, node.policies.skipped);
            console::tell(&format!(
                "note: node `{id}` skipped {skipped} of its packets{since} (`on_error: skip`)"
            ));
        }
        if !summary_wanted && console::wants_table(wanted.table) {
            console::tell(&format!("\n{}", run_table(metrics).trim_end()));
        }
        if let Some(path) = &wanted.report {
            console::tell(&format!("report: {}", path.display()));
        }
        Ok(self.checkpoint)
    }
}

/// Writes the file of `--metrics`, if one is wanted.
fn write_metrics(wanted: &RunOptions, metrics: &Metrics) -> Result<(), Failure> {
    wanted.metrics.as_deref().map_or(Ok(()), |path| write_file(path, &metrics_text(metrics)))
}

/// What is in that file.
fn metrics_text(metrics: &Metrics) -> String {
    let metrics = serde_json::to_value(metrics).unwrap_or(Value::Null);
    format!("{metrics:#}\n")
}

/// The runtime of every node: the plan's choice, unless another one had to take over at the start.
fn served_by(plan: &Plan, metrics: &Metrics) -> Value {
    let nodes = plan.graph().nodes().iter().enumerate();
    nodes
        .map(|(index, node)| {
            let id = &node.manifest.id;
            let counted = metrics.node_metrics.iter().find(|metrics| metrics.node_id == *id);
            let kind = counted.map_or(plan.selection(index).kind, |metrics| metrics.served_by);
            (id.clone(), json!(kind))
        })
        .collect()
}
