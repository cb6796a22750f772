//! The frozen guest `shout`: text to upper case with an ending, and at the end of the stream how many texts there were.
//! With `gain` and `biquad` it uses every verb of the world, both ways of failing, and more ports than one.

use remotemedia_node::{Info, Node, NodeError, Outputs, Packet, Payload, PayloadKind, Port, log};

/// The params of a manifest.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What every text ends with; at most 8 characters.
    #[serde(default)]
    #[schemars(length(max = 8))]
    ending: String,
}

#[derive(Debug)]
struct Shout {
    ending: String,
    texts: u64,
    last_pts_ns: i64,
}

const IN: &[Port] = &[Port { name: "in", kind: PayloadKind::Text }];
const OUT: &[Port] = &[
    Port { name: "out", kind: PayloadKind::Text },
    Port { name: "count", kind: PayloadKind::Json },
];

impl Node for Shout {
    type Params = Params;
    const INFO: Info = Info::new("shout", "Turns text to upper case and counts it.", IN, OUT);

    fn new(params: Params) -> Result<Self, NodeError> {
        if params.ending.chars().count() > 8 {
            return Err(NodeError::invalid_params("ending is longer than 8 characters"));
        }
        Ok(Self { ending: params.ending, texts: 0, last_pts_ns: 0 })
    }

    fn process(&mut self, _: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Payload::Text(text) = packet.payload else {
            return Err(NodeError::invalid_input(format!("takes text, got {}", packet.payload.kind_name())));
        };
        if text.is_empty() {
            return Err(NodeError::invalid_input("there is nothing to shout in an empty text"));
        }
        self.texts += 1;
        self.last_pts_ns = packet.pts_ns;
        out.push(Packet::new(packet.pts_ns, Payload::Text(text.to_uppercase() + &self.ending)));
        Ok(())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        log::info("the stream is over");
        let count = Payload::Json(serde_json::json!({ "texts": self.texts }));
        out.push_to(1, Packet::new(self.last_pts_ns, count));
        Ok(())
    }
}

remotemedia_node::export!(Shout);
