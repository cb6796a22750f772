//! What watches a run from beside: the file that records it, the socket for `remotemedia top`, and the port for
//! Prometheus. Begun before a node is made, so that what cannot be is told at once; ended however the run ends.

use std::path::PathBuf;

use crate::Host;
use crate::telemetry::inspect::{InspectServer, RunState};
use crate::telemetry::inspect_socket::{BoundSocket, socket_dir};
use crate::telemetry::trace_file::TraceFile;
use crate::telemetry::{PrometheusListener, PrometheusServer};
use remotemedia_engine::{Pipeline, PipelineOptions};

use crate::cli::args::RunOptions;
use crate::cli::console;
use crate::cli::failure::Failure;

/// The watchers of one run.
pub struct Watched {
    trace: Option<(PathBuf, TraceFile)>,
    /// Until the pipeline runs, with what `top` is told.
    socket: Option<(String, BoundSocket)>,
    inspect: Option<InspectServer>,
    /// Until the pipeline runs.
    listener: Option<PrometheusListener>,
    prometheus: Option<PrometheusServer>,
}

impl Watched {
    /// Begins what `options` ask for.
    pub fn begin(host: &Host, options: &RunOptions) -> Result<Self, Failure> {
        let create = |path: &PathBuf| match TraceFile::create(path) {
            Ok(file) => Ok((path.clone(), file)),
            Err(error) => Err(Failure::unreadable(&error)),
        };
        let trace = options.trace.as_ref().map(create).transpose()?;
        let bind = |path: &Option<PathBuf>| {
            let what =
                path.as_ref().map_or(std::process::id().to_string(), |path| path.display().to_string());
            let folder = socket_dir(host.config().runtime_dir.as_deref());
            match BoundSocket::new(path.as_deref(), &folder) {
                Ok(socket) => Ok((what, socket)),
                Err(error) => Err(Failure::usage(error.to_string())),
            }
        };
        let socket = options.inspect.as_ref().map(bind).transpose()?;
        let listen = |address| {
            PrometheusListener::bind(address).map_err(|error| {
                Failure::usage(format!("cannot serve metrics at {address} (--prometheus): {error}"))
            })
        };
        let listener = options.prometheus.map(listen).transpose()?;
        Ok(Self { trace, socket, inspect: None, listener, prometheus: None })
    }

    /// What the pipeline must know to be watched.
    pub fn options(&self, options: PipelineOptions) -> PipelineOptions {
        PipelineOptions { trace: self.trace.as_ref().map(|(_, file)| file.recorder()), ..options }
    }

    /// The pipeline runs.
    pub fn started(&mut self, pipeline: &Pipeline, as_json: bool) -> Result<(), Failure> {
        let no_thread = |error: std::io::Error| Failure::output(format!("cannot start a thread: {error}"));
        if let Some((what, socket)) = self.socket.take() {
            self.inspect = Some(InspectServer::start(socket, pipeline.metrics_reader()).map_err(no_thread)?);
            if !as_json {
                console::tell(&format!("note: `remotemedia top {what}` shows this run"));
            }
        }
        if let Some(listener) = self.listener.take() {
            let server = listener.serve(pipeline.metrics_reader()).map_err(no_thread)?;
            let note = format!("metrics at http://{}/metrics", server.address());
            if as_json {
                // Standard error is for the log then; with port 0 nothing else tells where they are.
                tracing::info!("{note}");
            } else {
                console::tell(&format!("note: {note}"));
            }
            self.prometheus = Some(server);
        }
        Ok(())
    }

    /// The run is over, well or not; its pipeline is gone. Writes the trace, and says where it is.
    pub fn end(self, succeeded: bool, as_json: bool) -> Result<(), Failure> {
        drop(self.prometheus);
        if let Some(server) = self.inspect {
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
        if summary.held_back > 0 {
            tracing::warn!(
                "the trace `{}` lacks the last {} events of threads whose call has not returned",
                path.display(),
                summary.held_back
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
