//! Deeds that do not return: endless loops, endless recursion, hoards, exits.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use remotemedia_node::bindings::remotemedia::node::types::{ErrorKind, NodeError, Output, Packet, Payload};

use crate::{Outcome, error, pass};

thread_local! {
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

/// Does that deed.
pub fn wreak(deed: &str, packet: &Packet) -> Outcome {
    match deed {
        "obey" => return Some(obey(packet)),
        "panic" => trip_over(&[]),
        "allocate" => allocate(),
        "loop" => endless_loop(),
        "recurse" => drop(black_box(recurse(&mut [0; 64]))),
        "exit" => std::process::exit(3),
        "sleep" => std::thread::sleep(Duration::from_secs(3_600)),
        "doze" => loop {
            std::thread::sleep(Duration::from_millis(5));
        },
        "refuse_input" => return Some(Err(error(ErrorKind::InvalidInput, "wants nothing of the kind"))),
        "transient" => return Some(Err(error(ErrorKind::Transient, "not now"))),
        _ => return None,
    }
    Some(Ok(Vec::new()))
}

/// Does what the text of the packet says; anything else is answered with the count of packets since the start.
fn obey(packet: &Packet) -> Result<Vec<Output>, NodeError> {
    match &packet.payload {
        Payload::Text(order) if order == "panic" => trip_over(&[]),
        Payload::Text(order) if order == "loop" => endless_loop(),
        _ => {}
    }
    let seen = SEEN.get() + 1;
    SEEN.set(seen);
    pass(Packet { pts_ns: packet.pts_ns, payload: Payload::Text(seen.to_string()) })
}

/// Reads past the end, which panics, which traps.
pub fn trip_over(nothing: &[u8]) {
    black_box(nothing[black_box(7)]);
}

pub fn endless_loop() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn allocate() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "the endless recursion is the point")]
fn recurse(frame: &mut [u64; 64]) -> u64 {
    let mut next = *black_box(frame);
    next[0] += 1;
    recurse(&mut next) + black_box(next[0])
}
