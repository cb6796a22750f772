//! What the runner says about a Python exception, as a `NodeError`: one JSON object {kind, message, trace} in the
//! message of the boundary, which has four kinds and one line.

use std::path::Path;

use remotemedia_core::{ErrorKind, NodeError};
use serde_json::Value;

use crate::guest_log::printable;

/// Where the guest sees the class's folder.
pub(crate) const CLASS_FOLDER: &str = "/node";

/// The error that the runner describes in `error`; `error` itself when it is the sandbox's own.
/// `origin` is the folder that the guest sees as [`CLASS_FOLDER`].
pub(crate) fn read(error: NodeError, origin: Option<&Path>, memory_bytes: usize) -> NodeError {
    let Ok(said) = serde_json::from_str::<Value>(&error.message) else { return error };
    let (Some(kind), Some(message)) = (said["kind"].as_str(), said["message"].as_str()) else { return error };
    let kind = kind_named(kind);
    let mut message = printable(&with_origin(message, origin));
    if kind == ErrorKind::LimitExceeded {
        message = format!(
            "{message}: the node's memory limit is {} MiB; raise `limits.memory_mb` of the node, or have the operator \
             raise the policy's",
            memory_bytes >> 20
        );
    }
    let error = NodeError::new(kind, message);
    match said["trace"].as_str().filter(|trace| !trace.is_empty()) {
        Some(trace) => {
            let lines: Vec<String> = with_origin(trace, origin).lines().map(printable).collect();
            error.with_trace(lines.join("\n") + "\n")
        }
        None => error,
    }
}

/// The author knows the folder by its own path, not by the one inside the sandbox.
fn with_origin(text: &str, origin: Option<&Path>) -> String {
    match origin {
        Some(origin) => text.replace(&format!("{CLASS_FOLDER}/"), &format!("{}/", origin.display())),
        None => text.to_owned(),
    }
}

fn kind_named(name: &str) -> ErrorKind {
    [
        ErrorKind::InvalidParams,
        ErrorKind::InvalidInput,
        ErrorKind::Transient,
        ErrorKind::Timeout,
        ErrorKind::Unavailable,
        ErrorKind::LimitExceeded,
    ]
    .into_iter()
    .find(|kind| kind.name() == name)
    .unwrap_or(ErrorKind::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, message: &str, trace: &str) -> NodeError {
        let words = serde_json::json!({"kind": kind, "message": message, "trace": trace});
        read(NodeError::internal(words.to_string()), Some(Path::new("/home/a/nodes")), 64 << 20)
    }

    #[test]
    fn kind_message_and_trace_arrive_with_the_folder_s_own_path() {
        let error = said(
            "invalid_params",
            "bad",
            "Traceback:\n  File \"/node/m.py\", line 3, in process\nValueError: bad\n",
        );
        assert_eq!((error.kind, &*error.message), (ErrorKind::InvalidParams, "bad"));
        assert_eq!(
            error.trace.as_deref(),
            Some("Traceback:\n  File \"/home/a/nodes/m.py\", line 3, in process\nValueError: bad\n")
        );
    }

    #[test]
    fn a_guest_forges_neither_lines_nor_kinds() {
        let error = said("cancelled", "one\nerror: two\u{1b}[2J", "");
        assert_eq!(error.kind, ErrorKind::Internal);
        assert_eq!(&*error.message, "one\\nerror: two\\u{1b}[2J");
        assert_eq!(error.trace, None);
        let own = NodeError::new(ErrorKind::Trap, "the component trapped");
        assert_eq!(read(own.clone(), None, 0), own);
    }

    #[test]
    fn running_out_of_memory_names_the_limit() {
        let error = said("limit_exceeded", "MemoryError", "");
        assert_eq!(error.kind, ErrorKind::LimitExceeded);
        assert!(error.message.contains("limit is 64 MiB"), "{error}");
    }
}
