//! Panics of nodes: caught at the node's boundary, with the place in the source that they came from.
//!
//! The place is known to the panic hook alone, so one of this module's is added to that of the program, which is still
//! called first.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use remotemedia_core::NodeError;

thread_local! {
    /// Of the last panic of this thread.
    static LAST: RefCell<Option<Place>> = const { RefCell::new(None) };
}

struct Place {
    /// `file:line:column`.
    text: String,
    /// When the program asks for it (RUST_BACKTRACE).
    trace: Option<String>,
}

/// From now on the places of panics are noted. Done once per process, however often it is called.
pub(crate) fn note_places() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            previous(info);
            let backtrace = Backtrace::capture();
            let trace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
            let place = info.location().map(|place| Place { text: place.to_string(), trace });
            // A thread that is ending has no place for it any more.
            let _ = LAST.try_with(|last| last.replace(place));
        }));
    });
}

/// Runs `body`; its panic is an error that tells message and place.
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> Result<R, NodeError> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| {
        let error = error(&*panic);
        // What a panic carries may panic in its turn when it goes.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
        error
    })
}

fn error(panic: &(dyn Any + Send)) -> NodeError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    match LAST.with_borrow_mut(Option::take) {
        None => NodeError::internal(format!("the node panicked: {text}")),
        Some(Place { text: place, trace }) => {
            let error = NodeError::internal(format!("the node panicked at {place}: {text}"));
            match trace {
                Some(trace) => error.with_trace(trace),
                None => error,
            }
        }
    }
}
