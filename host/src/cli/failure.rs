//! How a verb fails: an exit code, a message for people, an object for programs.

use std::io::ErrorKind::BrokenPipe;

use crate::media::MediaError;
use crate::{LoadError, LockFailure, PolicyError};
use remotemedia_core::{ErrorKind, ManifestErrors, NodeError};
use serde_json::{Value, json};

use super::console;

/// Everything went well.
pub const EXIT_OK: u8 = 0;
/// The pipeline failed.
pub const EXIT_FAILED: u8 = 1;
/// Wrong usage, manifest or input.
pub const EXIT_USAGE: u8 = 2;
/// Ctrl-C.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Why a verb ends without its result.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    kind: &'static str,
    message: String,
    /// Joined into the error object.
    details: Value,
}

impl Failure {
    fn new(code: u8, kind: &'static str, message: impl Into<String>) -> Self {
        Self { code, kind, message: message.into(), details: json!({}) }
    }

    /// The command line asks for something that cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(EXIT_USAGE, "usage", message)
    }

    /// A file that was to be read or written cannot be, found before anything ran.
    pub fn unreadable(error: &MediaError) -> Self {
        Self::new(EXIT_USAGE, "input", error.to_string())
    }

    /// A file went wrong while the pipeline ran.
    pub fn media(error: &MediaError) -> Self {
        match error {
            MediaError::Io { path, source, .. } if path.as_os_str() == "-" && source.kind() == BrokenPipe => {
                Self::reader_left()
            }
            _ => Self::new(EXIT_FAILED, "media", error.to_string()),
        }
    }

    /// Whoever reads standard output has seen enough (`| head`): the end of the work, but no fault.
    pub fn reader_left() -> Self {
        Self::new(0, "reader_left", "standard output was closed")
    }

    /// A result cannot be written.
    pub fn output(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "output", message)
    }

    /// A run that cannot go on from its checkpoint.
    pub fn checkpoint(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "checkpoint", message)
    }

    /// Something that `doctor` found missing.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "unhealthy", message)
    }

    /// A component whose signature does not count.
    pub fn untrusted(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "untrusted", message)
    }

    /// A node that does not keep what every node promises.
    pub fn nonconforming(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "nonconforming", message)
    }

    /// A node or its component is not what it should be: a refused file, a golden case that differs.
    pub fn node_check(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "node_check", message)
    }

    /// A node that cannot be packed, pushed or pulled.
    pub fn package(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, "package", message)
    }

    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::new(EXIT_INTERRUPTED, "interrupted", "interrupted; no output file was written")
    }

    /// Ctrl-C while the results are told.
    pub fn interrupted_after_the_outputs() -> Self {
        Self::new(EXIT_INTERRUPTED, "interrupted", "interrupted; the output files are written")
    }

    /// The plan of the manifest called `name` cannot be made.
    pub fn plan(name: &str, errors: &ManifestErrors) -> Self {
        let count = errors.0.len();
        let faults = if count == 1 { "a fault" } else { "faults" };
        let message = format!("the manifest `{name}` has {faults}:\n{}", indented(errors));
        Self::new(EXIT_USAGE, "manifest", message).with_details(json!({"errors": errors.0}))
    }

    /// A component does not run with these params.
    pub fn params(message: impl Into<String>, errors: &ManifestErrors) -> Self {
        Self::new(EXIT_USAGE, "params", message).with_details(json!({"errors": errors.0}))
    }

    /// Adds fields to the error object.
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.code
    }

    /// What went wrong, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Writes the failure to standard error.
    pub fn report(&self, as_json: bool) {
        if self.code == 0 {
            return;
        }
        if as_json {
            let mut error = json!({"kind": self.kind, "message": self.message});
            if let (Some(error), Some(details)) = (error.as_object_mut(), self.details.as_object()) {
                error.extend(details.clone());
            }
            console::tell_json(&json!({"status": "error", "exit_code": self.code, "error": error}));
        } else {
            console::tell_error(&self.message, self.details["node_id"].as_str());
        }
    }
}

fn indented(errors: &ManifestErrors) -> String {
    let lines: Vec<String> =
        errors.0.iter().map(|error| format!("  {}", error.to_string().replace('\n', "\n    "))).collect();
    lines.join("\n")
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::Invalid { path, errors } => Self::plan(&path.display().to_string(), errors),
            _ => Self::new(EXIT_USAGE, "manifest", error.to_string()),
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::new(EXIT_USAGE, "policy", error.to_string())
    }
}

impl From<LockFailure> for Failure {
    fn from(error: LockFailure) -> Self {
        match error {
            LockFailure::Load(error) => error.into(),
            LockFailure::Media(error) => Self::unreadable(&error),
            _ => Self::new(EXIT_USAGE, "lock", error.to_string()),
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        if error.kind == ErrorKind::Cancelled {
            return Self::interrupted();
        }
        let code = if error.kind == ErrorKind::InvalidParams { EXIT_USAGE } else { EXIT_FAILED };
        let mut message = error.to_string();
        if let Some(trace) = &error.trace {
            message = format!("{message}\n{}", trace.trim_end());
        }
        Self::new(code, "node", message).with_details(json!({
            "node_id": error.node_id,
            "operation": error.operation,
            "node_error_kind": error.kind,
            "trace": error.trace,
        }))
    }
}
