//! The node `hostile`: misbehaves in the way its param `deed` names, so that tests can show what the host does then.
//! Written on the raw bindings, because the SDK would not let it lie.

mod lies;

use std::cell::{Cell, RefCell};

use remotemedia_node::bindings::exports::remotemedia::node::node::Guest;
use remotemedia_node::bindings::remotemedia::node::host::{Level, log};
use remotemedia_node::bindings::remotemedia::node::types::{
    Descriptor, ErrorKind, NodeError, Output, Packet, Payload, PayloadKind, Port,
};
use remotemedia_node::serde_json::Value;

thread_local! {
    static SEEN: Cell<u32> = const { Cell::new(0) };
    static DEED: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Descriptor {
        let port = |name: &str, kind| Port { name: name.into(), kind };
        Descriptor {
            node_type: "hostile".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Misbehaves in the way its param names.".into(),
            inputs: vec![port("in", PayloadKind::Any)],
            outputs: vec![port("out", PayloadKind::Any), port("audio", PayloadKind::Audio)],
            params_schema:
                r#"{"type":"object","properties":{"deed":{"type":"string"}},"additionalProperties":false}"#
                    .into(),
            stateless: false,
        }
    }

    fn initialize(params_json: String) -> Result<(), NodeError> {
        let params: Value = remotemedia_node::serde_json::from_str(&params_json).unwrap_or_default();
        let deed = params["deed"].as_str().unwrap_or("none").to_owned();
        match deed.as_str() {
            "refuse_params" => return Err(error(ErrorKind::InvalidParams, "deed: no such deed")),
            "loop_in_initialize" => endless_loop(),
            _ => {}
        }
        DEED.set(deed);
        Ok(())
    }

    fn process(_: u16, packet: Packet) -> Result<Vec<Output>, NodeError> {
        let deed = DEED.with_borrow(String::clone);
        match deed.as_str() {
            "none" => {}
            "panic" => trip_over(&[]),
            "allocate" => allocate(),
            "loop" => endless_loop(),
            "recurse" => drop(std::hint::black_box(recurse(&mut [0; 64]))),
            "exit" => std::process::exit(3),
            "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
            "refuse_input" => return Err(error(ErrorKind::InvalidInput, "wants nothing of the kind")),
            "transient" => return Err(error(ErrorKind::Transient, "not now")),
            "log" => log(Level::Warn, "first line\nsecond line"),
            "flood_log" => (0..10_000).for_each(|_| log(Level::Info, &"x".repeat(5_000))),
            "flood_stdout" => (0..10_000).for_each(|_| flood_stdout()),
            "obey" => return obey(packet),
            "long_error" => return Err(error(ErrorKind::Internal, &"long ".repeat(100_000))),
            "read_file" => return sees_nothing(std::fs::read("/etc/passwd").is_ok()),
            "read_env" => return sees_nothing(std::env::vars().next().is_some()),
            lie => return lies::tell(lie, packet),
        }
        Ok(vec![Output { port: 0, packet }])
    }

    fn flush() -> Result<Vec<Output>, NodeError> {
        if DEED.with_borrow(|deed| deed == "panic_in_flush") {
            trip_over(&[]);
        }
        Ok(Vec::new())
    }

    fn cleanup() {
        if DEED.with_borrow(|deed| deed == "loop_in_cleanup") {
            endless_loop();
        }
    }
}

/// Does what the text of the packet says; anything else is answered with the count of packets since the start.
fn obey(packet: Packet) -> Result<Vec<Output>, NodeError> {
    match &packet.payload {
        Payload::Text(order) if order == "panic" => trip_over(&[]),
        Payload::Text(order) if order == "loop" => endless_loop(),
        _ => {}
    }
    let seen = SEEN.get() + 1;
    SEEN.set(seen);
    Ok(vec![Output { port: 0, packet: Packet { payload: Payload::Text(seen.to_string()), ..packet } }])
}

fn error(kind: ErrorKind, message: &str) -> NodeError {
    NodeError { kind, message: message.into() }
}

fn sees_nothing(sees_something: bool) -> Result<Vec<Output>, NodeError> {
    if sees_something { Ok(Vec::new()) } else { Err(error(ErrorKind::Internal, "sees nothing")) }
}

#[expect(clippy::print_stdout, reason = "the flood is the point")]
fn flood_stdout() {
    println!("{}", "y".repeat(5_000));
}

/// Reads past the end, which panics, which traps.
fn trip_over(nothing: &[u8]) {
    std::hint::black_box(nothing[std::hint::black_box(7)]);
}

fn allocate() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn endless_loop() {
    let mut turns = 0_u64;
    while std::hint::black_box(true) {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

#[expect(unconditional_recursion, reason = "the endless recursion is the point")]
fn recurse(frame: &mut [u64; 64]) -> u64 {
    let mut next = *std::hint::black_box(frame);
    next[0] += 1;
    recurse(&mut next) + std::hint::black_box(next[0])
}

remotemedia_node::bindings::export_component!(Hostile with_types_in remotemedia_node::bindings);
