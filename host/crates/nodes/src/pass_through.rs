//! PassThrough: hands every packet on, untouched. The reference for what a hop costs.

use remotemedia_core::{Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::node_type::NativeNode;

/// PassThrough takes no params.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassThroughParams {}

/// Emits each packet as it came: same time, same storage.
#[derive(Debug)]
pub struct PassThrough;

impl NativeNode for PassThrough {
    type Params = PassThroughParams;
    const NODE_TYPE: &'static str = "PassThrough";
    const ALIASES: &'static [&'static str] = &["PassThroughNode"];

    fn descriptor() -> NodeDescriptor {
        NodeDescriptor {
            stateless: true,
            ..NodeDescriptor::transform(
                Self::NODE_TYPE,
                PayloadKind::Any,
                "Hands every packet on, untouched.",
            )
        }
    }

    fn from_params(_: PassThroughParams) -> Result<Self, NodeError> {
        Ok(Self)
    }
}

impl Node for PassThrough {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        out.push(packet);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::{AudioBuffer, Payload};

    use super::*;

    #[test]
    fn the_output_is_the_input_in_the_same_storage() {
        let audio = AudioBuffer::from_f32(384_000, 32, vec![f32::NAN; 32]).unwrap();
        let storage = audio.as_f32().unwrap().as_ptr();
        let mut out = Outputs::new();
        PassThrough.process(Port::FIRST, Packet::new(77, audio), &mut out).unwrap();
        let (port, packet) = out.drain().next().unwrap();
        let Payload::Audio(audio) = packet.payload else { panic!("audio went in") };
        assert_eq!((port, packet.pts_ns, audio.as_f32().unwrap().as_ptr()), (Port::FIRST, 77, storage));
    }
}
