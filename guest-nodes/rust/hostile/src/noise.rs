//! Deeds that say too much: floods, endless lines, long and coloured messages.

use std::io::Write;

use remotemedia_node::bindings::remotemedia::node::host::{Level, log};
use remotemedia_node::bindings::remotemedia::node::types::{ErrorKind, NodeError, Packet};

use crate::{Outcome, error, pass};

const LINES: usize = 200;
const LINE_BYTES: usize = 5_000;

/// Makes that noise, then passes the packet on.
pub fn make(deed: &str, packet: &Packet) -> Outcome {
    match deed {
        "log" => log(Level::Warn, "first line\nsecond line"),
        "flood_log" => (0..LINES).for_each(|_| log(Level::Info, &"x".repeat(LINE_BYTES))),
        "flood_stdout" => (0..LINES).for_each(|_| write(&mut std::io::stdout(), b'\n')),
        "flood_stderr" => (0..LINES).for_each(|_| write(&mut std::io::stderr(), b'\n')),
        "endless_line" => (0..LINES).for_each(|_| write(&mut std::io::stderr(), b'y')),
        "long_error" => return Some(Err(long_error(ErrorKind::Internal))),
        "escape_codes" => {
            let red = "\u{1b}[31mred\u{1b}[0m\r\nerror: a line of the host\u{7}\u{9b}2J";
            return Some(Err(error(ErrorKind::Internal, red)));
        }
        "long_panic" => panic_at_length(),
        _ => return None,
    }
    Some(pass(packet.clone()))
}

/// An error with far too much to read.
pub fn long_error(kind: ErrorKind) -> NodeError {
    error(kind, &"long ".repeat(100_000))
}

fn write(stream: &mut impl Write, last: u8) {
    let mut line = vec![b'y'; LINE_BYTES];
    line.push(last);
    // That the host takes nothing is no reason to stop.
    let _ = stream.write_all(&line);
    let _ = stream.flush();
}

#[expect(clippy::panic, reason = "its message is the point")]
fn panic_at_length() {
    panic!("{}", "woe ".repeat(1_000_000));
}
