//! Turns what wasmtime reports into a typed `NodeError`: which limit was hit, where the guest was, what it said.

use remotemedia_core::{ErrorKind, NodeError, SandboxPolicy};
use rustix::io::Errno;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::backtrace;
use crate::counters::Counters;
use crate::guest::Guest;
use crate::guest_log::printable;
use crate::places::Origin;

/// A limit that the guest met in a host call, in words that follow "the component".
#[derive(Debug, thiserror::Error)]
#[error("the component {0}")]
pub(crate) struct LimitReached(pub String);

/// Why a call into the guest did not return.
pub(crate) fn explain(
    error: &wasmtime::Error,
    guest: &Guest,
    origin: &Origin,
    policy: &SandboxPolicy,
    counters: &Counters,
) -> NodeError {
    let (kind, message) = classify(error, guest);
    match kind {
        ErrorKind::Timeout => Counters::add_one(&counters.timeouts),
        ErrorKind::LimitExceeded => Counters::add_one(&counters.limits_exceeded),
        ErrorKind::Unavailable => {}
        _ => Counters::add_one(&counters.traps),
    }
    let error_with_trace = NodeError::new(kind, message);
    match trace(error, guest, origin, policy) {
        Some(trace) => error_with_trace.with_trace(trace),
        None => error_with_trace,
    }
}

fn classify(error: &wasmtime::Error, guest: &Guest) -> (ErrorKind, String) {
    let trap = error.downcast_ref::<Trap>();
    if let Some(late) = guest.deadline.explain() {
        return (ErrorKind::Timeout, late);
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        let message = format!(
            "this host has no room for another wasm node: {full}. Stop others first, or have the operator raise \
             `limits.running_nodes` of the policy"
        );
        return (ErrorKind::LimitExceeded, message);
    }
    if let Some(refusal) = guest.meter.refusal() {
        return (ErrorKind::LimitExceeded, format!("the component {refusal}"));
    }
    if let Some(reached) = error.downcast_ref::<LimitReached>() {
        return (ErrorKind::LimitExceeded, reached.to_string());
    }
    if trap == Some(&Trap::StackOverflow) {
        return (ErrorKind::LimitExceeded, "the component's calls nest too deeply for its stack".into());
    }
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return (ErrorKind::Trap, format!("the component called exit({status}) instead of returning"));
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        let message =
            "the component holds too many open files, streams and timers at once (limits.resources)";
        return (ErrorKind::LimitExceeded, message.into());
    }
    let cause = error.root_cause().to_string();
    if is_shortage(error) {
        let message = format!(
            "this host has no memory or address space for another wasm node: {cause}. Stop others first, or lift the \
             process's limit (`ulimit -v`)"
        );
        return (ErrorKind::Unavailable, message);
    }
    // wasmtime has no public type for these two.
    if cause.contains("fuel allocated for hostcalls") || cause.contains("handle limit exceeded") {
        return (ErrorKind::LimitExceeded, format!("the component asked too much of the host: {cause}"));
    }
    let trapped = if trap.is_some() { "the component trapped" } else { "the component broke its contract" };
    let first_words = guest.log.last_words();
    match first_words.as_deref().map(panic_message) {
        Some(words) if trap == Some(&Trap::UnreachableCodeReached) => {
            (ErrorKind::Trap, format!("{trapped}: {}", printable(&words)))
        }
        _ => (ErrorKind::Trap, format!("{trapped}: {}", cause.trim_start_matches("wasm trap: "))),
    }
}

/// Whether the system refused memory to the host itself.
fn is_shortage(error: &wasmtime::Error) -> bool {
    let errno = error.downcast_ref().copied().or_else(|| Errno::from_io_error(error.downcast_ref()?));
    errno == Some(Errno::NOMEM)
}

/// A Rust panic message takes two lines: place and cause.
fn panic_message(words: &str) -> String {
    let lines: Vec<&str> = words.lines().map(str::trim).collect();
    let from = lines.iter().rposition(|line| line.contains("panicked at")).unwrap_or(0);
    lines[from..].join(" ")
}

fn trace(error: &wasmtime::Error, guest: &Guest, origin: &Origin, policy: &SandboxPolicy) -> Option<String> {
    let frames = error.downcast_ref::<WasmBacktrace>();
    let frames = frames.and_then(|backtrace| backtrace::text(backtrace, origin, policy));
    let words = guest.log.last_words().map(|words| {
        let lines: Vec<String> = words.lines().map(printable).collect();
        format!("the component's last words on stderr:\n{}\n", lines.join("\n"))
    });
    match (words, frames) {
        (None, None) => None,
        (words, frames) => Some(words.unwrap_or_default() + &frames.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_message_is_its_last_two_lines() {
        let words = "loading\nthread '<unnamed>' panicked at src/lib.rs:7:9:\nindex out of bounds";
        assert_eq!(
            panic_message(words),
            "thread '<unnamed>' panicked at src/lib.rs:7:9: index out of bounds"
        );
        assert_eq!(panic_message("no panic"), "no panic");
    }
}
