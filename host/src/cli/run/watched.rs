//! What watches a run from beside: the file that records it, and the socket for `remotemedia top`. Begun before anything
//! runs, ended however that ends.

use std::path::PathBuf;

use crate::Host;
use crate::telemetry::inspect::{InspectServer, RunState};
use crate::telemetry::inspect_socket::socket_dir;
use crate::telemetry::trace_file::TraceFile;
use remotemedia_engine::{Pipeline, PipelineOptions};

use crate::cli::args::RunOptions;
use crate::cli::console;
use crate::cli::failure::Failure;

/// The watchers of one run.
pub struct Watched {
    trace: Option<(PathBuf, TraceFile)>,
    /// `Some(None)`: at the usual place.
    inspect: Option<Option<PathBuf>>,
    server: Option<InspectServer>,
}

impl Watched {
    /// Begins what `options` ask for.
    pub fn begin(options: &RunOptions) -> Result<Self, Failure> {
        let create = |path: &PathBuf| match TraceFile::create(path) {
            Ok(file) => Ok((path.clone(), file)),
            Err(error) => Err(Failure::unreadable(&error)),
        };
        let trace = options.trace.as_ref().map(create).transpose()?;
        Ok(Self { trace, inspect: options.inspect.clone(), server: None })
    }

    /// What the pipeline must know to be watched.
    pub fn options(&self, options: PipelineOptions) -> PipelineOptions {
        PipelineOptions { trace: self.trace.as_ref().map(|(_, file)| file.recorder()), ..options }
    }

    /// The pipeline runs.
    pub fn started(&mut self, host: &Host, pipeline: &Pipeline, as_json: bool) -> Result<(), Failure> {
        let Some(path) = &self.inspect else { return Ok(()) };
        let folder = socket_dir(host.config().runtime_dir.as_deref());
        let server = InspectServer::start(path.as_deref(), &folder, pipeline.metrics_reader())
            .map_err(|error| Failure::usage(error.to_string()))?;
        if !as_json {
            let what =
                path.as_ref().map_or(std::process::id().to_string(), |path| path.display().to_string());
            console::tell(&format!("note: `remotemedia top {what}` shows this run"));
        }
        self.server = Some(server);
        Ok(())
    }

    /// The run is over, well or not; its pipeline is gone. Writes the trace, and says where it is.
    pub fn end(self, succeeded: bool, as_json: bool) -> Result<(), Failure> {
        if let Some(server) = self.server {
            server.end(if succeeded { RunState::Finished } else { RunState::Failed });
        }
        let Some((path, file)) = self.trace else { return Ok(()) };
        let written = file.finish(&path).map_err(|error| Failure::media(&error))?;
        let Some(summary) = written else { return Ok(()) };
        if summary.left_out > 0 {
            tracing::warn!(
                "the trace `{}` lacks {} events: it holds the first ones of every thread",
                path.display(),
                summary.left_out
            );
        }
        if !as_json {
            let events = summary.events;
            let path = path.display();
            console::tell(&format!("trace: {path} ({events} events; open it in https://ui.perfetto.dev)"));
        }
        Ok(())
    }
}
