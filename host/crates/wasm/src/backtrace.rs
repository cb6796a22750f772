//! A guest's backtrace for people: its functions, innermost first, with source file and line where the component's
//! debug info has them. Everything in it is the guest's own words, and is made printable.

use std::fmt::Write;

use remotemedia_core::SandboxPolicy;
use wasmtime::{FrameInfo, WasmBacktrace};

use crate::guest_log::printable;
use crate::places::{NoPlaces, Origin, Place, readable};

/// The frames of `backtrace` as text, a line or two for each; `None` when there are none.
pub(crate) fn text(backtrace: &WasmBacktrace, origin: &Origin, policy: &SandboxPolicy) -> Option<String> {
    let frames = backtrace.frames();
    if frames.is_empty() {
        return None;
    }
    let offset = |frame: &FrameInfo| frame.module_offset().unwrap_or_default() as u64;
    let offsets: Vec<u64> = frames.iter().map(offset).collect();
    let found = origin.places(&offsets, policy);
    let mut text = "wasm backtrace, innermost call first:\n".to_owned();
    for (nth, frame) in frames.iter().enumerate() {
        let places = found.as_ref().ok().and_then(|places| places.get(nth)).filter(|of_it| !of_it.is_empty());
        match places {
            Some(places) => places.iter().enumerate().for_each(|(depth, place)| {
                let number = if depth == 0 { format!("{nth}:") } else { String::new() };
                add_place(&mut text, &number, place, frame);
            }),
            // Writing to a String cannot fail.
            None => drop(writeln!(text, "{:>4} {} ({:#x})", format!("{nth}:"), name(frame), offsets[nth])),
        }
    }
    if let Err(reason) = found
        && reason != NoPlaces::SwitchedOff
    {
        let _ = writeln!(text, "(no source lines: {})", printable(&reason.to_string()));
    }
    Some(text)
}

fn add_place(text: &mut String, number: &str, place: &Place, frame: &FrameInfo) {
    let function = place.function.as_deref().map_or_else(|| name(frame), printable);
    let _ = writeln!(text, "{number:>4} {function}");
    if let Some(file) = &place.file {
        let _ = write!(text, "       at {}", printable(file));
        for number in [place.line, place.column].iter().flatten() {
            let _ = write!(text, ":{number}");
        }
        text.push('\n');
    }
}

/// The function's name in the component, or its number.
fn name(frame: &FrameInfo) -> String {
    let module = frame.module().name().unwrap_or("module");
    let function = match frame.func_name() {
        Some(name) => readable(name),
        None => format!("function {}", frame.func_index()),
    };
    printable(&format!("{}!{function}", readable(module)))
}
