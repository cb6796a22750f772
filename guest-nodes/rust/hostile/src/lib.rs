//! The node `hostile`: misbehaves in the way its param `deed` names, so that tests can show what the host does then.
//! Written on the raw bindings, because the SDK would not let it lie.

mod hoard;
mod lies;
mod noise;
mod reach;
mod ruin;

use std::cell::RefCell;

use remotemedia_node::bindings::exports::remotemedia::node::node::Guest;
use remotemedia_node::bindings::remotemedia::node::types::{
    Descriptor, ErrorKind, NodeError, Output, Packet, Payload, PayloadKind, Port,
};
use remotemedia_node::serde_json::{Value, from_str};

thread_local! {
    static PARAMS: RefCell<Value> = const { RefCell::new(Value::Null) };
}

/// What a deed comes to: packets, an error, or `None` when it is none of the deeds of that file.
type Outcome = Option<Result<Vec<Output>, NodeError>>;

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
                r#"{"type":"object","properties":{"deed":{"type":"string"},"path":{"type":"string"},
                "to":{"type":"string"}},"additionalProperties":false}"#
                    .into(),
            stateless: false,
        }
    }

    fn initialize(params_json: String) -> Result<(), NodeError> {
        PARAMS.set(from_str(&params_json).unwrap_or_default());
        match param("deed").as_str() {
            "refuse_params" => Err(error(ErrorKind::InvalidParams, "deed: no such deed")),
            "long_error_in_initialize" => Err(noise::long_error(ErrorKind::InvalidParams)),
            "loop_in_initialize" => ruin::endless_loop(),
            "exit_in_initialize" => std::process::exit(0),
            _ => Ok(()),
        }
    }

    fn process(_: u16, packet: Packet) -> Result<Vec<Output>, NodeError> {
        let deed = param("deed");
        if matches!(&*deed, "" | "none" | "panic_in_flush" | "loop_in_cleanup") {
            return pass(packet);
        }
        ruin::wreak(&deed, &packet)
            .or_else(|| noise::make(&deed, &packet))
            .or_else(|| hoard::attempt(&deed))
            .or_else(|| reach::attempt(&deed))
            .or_else(|| lies::tell(&deed, &packet))
            .unwrap_or_else(|| {
                Err(error(ErrorKind::InvalidParams, &format!("hostile knows no deed `{deed}`")))
            })
    }

    fn flush() -> Result<Vec<Output>, NodeError> {
        if param("deed") == "panic_in_flush" {
            ruin::trip_over(&[]);
        }
        Ok(Vec::new())
    }

    fn cleanup() {
        if param("deed") == "loop_in_cleanup" {
            ruin::endless_loop();
        }
    }
}

/// The text that a param holds; empty when it is not there.
fn param(name: &str) -> String {
    PARAMS.with_borrow(|params| params[name].as_str().unwrap_or_default().to_owned())
}

/// What an attempt comes to: what it got, as JSON, or an error that begins with "in vain".
fn told(result: std::io::Result<Value>) -> Result<Vec<Output>, NodeError> {
    let payload = match result {
        Ok(told) => Payload::Json(told.to_string()),
        Err(reason) => return Err(error(ErrorKind::Internal, &format!("in vain: {reason}"))),
    };
    Ok(vec![Output { port: 0, packet: Packet { pts_ns: 0, payload } }])
}

fn error(kind: ErrorKind, message: &str) -> NodeError {
    NodeError { kind, message: message.into() }
}

fn pass(packet: Packet) -> Result<Vec<Output>, NodeError> {
    Ok(vec![Output { port: 0, packet }])
}

remotemedia_node::bindings::export_component!(Hostile with_types_in remotemedia_node::bindings);
