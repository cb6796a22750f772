//! `run`: files through a pipeline. This file is the order of events; the parts are beside it.

mod inputs;
mod interrupt;
mod outputs;
mod progress;
mod results;
mod sets;
mod speech;
mod watched;

use std::time::Instant;

use crate::Host;
use crate::media::OutputFile;
use crate::report::Waveform;
use remotemedia_engine::{Metrics, Output, Pipeline, PipelineOptions, Plan};
use serde_json::{Value, json};

use super::args::{RunArgs, RunOptions};
use super::console;
use super::failure::Failure;
use super::graph::write_file;
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
    run_plan(host, &plan, &args.options, as_json)
}

/// Runs what was planned.
pub fn run_plan(host: &Host, plan: &Plan, options: &RunOptions, as_json: bool) -> Result<(), Failure> {
    let truth = options.truth.as_deref().map(speech::read_truth).transpose()?;
    if !as_json {
        for notice in plan.notices() {
            console::tell(&format!("note: {notice}"));
        }
        for source in plan.graph().nodes().iter().map(|node| &node.manifest) {
            if source.live.is_some_and(|live| live.queue().is_some()) {
                eprintln!(
                    "note: node `{}`: `live` has no effect here: files wait, and nothing is dropped",
                    source.id
                );
            }
        }
    }
    let interrupt = interrupt::watch()?;
    // Everything that can be wrong with the files is found before a node is made.
    let inputs = Inputs::open(plan, &options.inputs, options.chunk_ms)?;
    let outlets = Outlets::resolve(host, plan, &options.outputs)?;
    for path in [&options.metrics, &options.report].into_iter().flatten() {
        OutputFile::check(path).map_err(|error| Failure::unreadable(&error))?;
    }
    if as_json && outlets.use_stdout() {
        return Err(Failure::usage(
            "`-o -` and --json both write to standard output; give the output a file name",
        ));
    }
    let tables = options.report.is_some() || truth.is_some();
    let results = Results::new(host, plan, as_json || tables, !as_json && !tables);
    let mut job = Job {
        waveform: options.report.is_some().then(Waveform::default),
        progress: Progress::new(inputs.total_seconds(), as_json),
        inputs,
        outlets,
        results,
        began: Instant::now(),
    };
    let mut watched = Watched::begin(options)?;
    let ran = job.execute(host, plan, &interrupt, &mut watched, as_json);
    // A run that failed is the one that people want to see.
    let ended = watched.end(ran.is_ok(), as_json);
    let metrics = ran?;
    ended?;
    job.finish(options, plan, &metrics, truth.as_deref(), as_json)
}

/// One run with everything it reads and writes.
struct Job {
    inputs: Inputs,
    outlets: Outlets,
    results: Results,
    waveform: Option<Waveform>,
    progress: Progress,
    began: Instant,
}

impl Job {
    /// Feeds all input, takes all output, and completes the output files.
    fn execute(
        &mut self,
        host: &Host,
        plan: &Plan,
        interrupt: &Interrupt,
        watched: &mut Watched,
        as_json: bool,
    ) -> Result<Metrics, Failure> {
        let taps = self.outlets.taps(plan);
        let options = PipelineOptions { taps, live: false, ..PipelineOptions::default() };
        let options = watched.options(options);
        self.began = Instant::now();
        let mut pipeline = host.start(plan, options)?;
        interrupt.cancels(pipeline.canceller());
        watched.started(host, &pipeline, as_json)?;
        let ran = self.pump(&mut pipeline);
        if interrupt.happened() {
            return Err(Failure::interrupted());
        }
        ran?;
        self.progress.finish();
        // From here on files get their names; an interrupt between two of them would leave a part of the results.
        self.outlets.finish()?;
        Ok(pipeline.metrics())
    }

    fn pump(&mut self, pipeline: &mut Pipeline) -> Result<(), Failure> {
        while let Some(packet) = self.inputs.next_packet()? {
            if let (Some(waveform), Some(audio)) = (&mut self.waveform, self.inputs.first_audio(&packet)) {
                waveform.push(audio);
            }
            pipeline.feed_port(self.inputs.node_id(), self.inputs.port(), packet)?;
            while let Some(output) = pipeline.try_next()? {
                self.take(output)?;
            }
            self.progress.at(self.inputs.seconds_read());
        }
        pipeline.finish()?;
        while let Some(output) = pipeline.next()? {
            self.take(output)?;
        }
        Ok(())
    }

    fn take(&mut self, output: Output) -> Result<(), Failure> {
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
    ) -> Result<(), Failure> {
        let wall_seconds = self.began.elapsed().as_secs_f64();
        if let Some(path) = &wanted.metrics {
            let metrics = serde_json::to_value(metrics).unwrap_or(Value::Null);
            write_file(path, &format!("{metrics:#}\n"))?;
        }
        let summary = speech::Summary::new(&self.results, truth);
        if let Some(path) = &wanted.report {
            let page = summary.page(plan, metrics, &self.inputs, self.waveform.as_ref(), wall_seconds);
            write_file(path, &page)?;
        }
        if as_json {
            let mut object = json!({
                "status": "ok",
                "outputs": self.results.to_json(&self.outlets),
                "served_by": served_by(plan, metrics),
                "metrics": metrics,
            });
            if let (Some(object), Some(score)) = (object.as_object_mut(), summary.score_json()) {
                object.insert("score".into(), score);
            }
            return console::write_json(&object);
        }
        if wanted.report.is_some() || truth.is_some() {
            console::write(&summary.text(metrics, self.inputs.seconds_read(), wall_seconds))?;
        }
        self.results.print_summary(&self.outlets, self.inputs.seconds_read(), wall_seconds);
        if let Some(path) = &wanted.report {
            console::tell(&format!("report: {}", path.display()));
        }
        Ok(())
    }
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
