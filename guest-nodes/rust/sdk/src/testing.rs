//! Runs a node without a host, for the unit tests of its author: same path as in the component, minus the sandbox.

use crate::audio::Audio;
use crate::error::NodeError;
use crate::exported::{Instance, describe};
use crate::node::Node;
use crate::packet::{Packet, Payload};

/// A node that was initialized.
pub struct Running<N>(Instance<N>);

impl<N> std::fmt::Debug for Running<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// Makes a node out of its params, as the host would.
///
/// # Errors
/// When the params are not the node's, or the node refuses them.
pub fn start<N: Node>(params_json: &str) -> Result<Running<N>, NodeError> {
    let mut instance = Instance::new();
    instance.initialize(params_json).map_err(NodeError)?;
    Ok(Running(instance))
}

/// The JSON Schema of a node's params, as the host sees it.
///
/// # Errors
/// Never, in practice: the schema is derived.
pub fn params_schema<N: Node>() -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_str(&describe::<N>("0.0.0").params_schema)
}

impl<N: Node> Running<N> {
    /// Runs one packet through the node; gives the packets it emits with their port numbers.
    ///
    /// # Errors
    /// The node's own.
    pub fn process(&mut self, port: u16, packet: Packet) -> Result<Vec<(u16, Packet)>, NodeError> {
        let emitted = self.0.process(port, packet.into()).map_err(NodeError)?;
        emitted.into_iter().map(|output| Ok((output.port, output.packet.try_into()?))).collect()
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// The node's own.
    pub fn flush(&mut self) -> Result<Vec<(u16, Packet)>, NodeError> {
        let emitted = self.0.flush().map_err(NodeError)?;
        emitted.into_iter().map(|output| Ok((output.port, output.packet.try_into()?))).collect()
    }

    /// Runs a block of `f32` samples through the first port; gives the samples of all audio that comes out.
    ///
    /// # Errors
    /// The node's own.
    pub fn audio_f32(
        &mut self,
        sample_rate_hz: u32,
        channels: u16,
        samples: &[f32],
    ) -> Result<Vec<f32>, NodeError> {
        let packet = Packet::new(0, Audio::from_f32(sample_rate_hz, channels, samples));
        let mut all = Vec::new();
        for (_, packet) in self.process(0, packet)? {
            if let Payload::Audio(audio) = packet.payload {
                all.extend(audio.to_f32());
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AudioView, Info, NoParams, Outputs, PayloadKind, Port};

    /// Counts words; holds the count back until the end.
    struct WordCount(u64);

    impl Node for WordCount {
        type Params = NoParams;
        const INFO: Info = Info::new(
            "word_count",
            "Counts the words of a stream.",
            &[Port { name: "in", kind: PayloadKind::Text }],
            &[Port { name: "out", kind: PayloadKind::Json }],
        );

        fn new(_: NoParams) -> Result<Self, NodeError> {
            Ok(Self(0))
        }

        fn process(&mut self, _: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
            let Payload::Text(text) = packet.payload else {
                out.push(Packet::new(0, String::from("must not be sent")));
                return Err(NodeError::invalid_input("wants text"));
            };
            self.0 += text.split_whitespace().count() as u64;
            Ok(())
        }

        fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
            out.push(Packet::new(9, serde_json::json!(self.0)));
            Ok(())
        }
    }

    struct Silent;

    impl Node for Silent {
        type Params = NoParams;
        const INFO: Info = Info::audio("silent", "Silence.").stateless();

        fn new(_: NoParams) -> Result<Self, NodeError> {
            Ok(Self)
        }

        fn audio(&mut self, audio: &mut AudioView<'_>) -> Result<(), NodeError> {
            audio.frames_mut().for_each(|frame| frame.fill(0.0));
            Ok(())
        }
    }

    #[test]
    fn a_node_may_hold_packets_back_until_the_end() {
        let mut node = start::<WordCount>("{}").unwrap();
        assert!(node.process(0, Packet::new(0, String::from("one two"))).unwrap().is_empty());
        assert!(node.process(0, Packet::new(0, vec![1_u8])).is_err());
        let rest = node.flush().unwrap();
        assert_eq!(rest.len(), 1, "what a failed call emitted is not sent");
        assert!(matches!(&rest[0].1.payload, Payload::Json(count) if *count == serde_json::json!(2)));
    }

    #[test]
    fn audio_nodes_refuse_what_is_not_audio() {
        let mut node = start::<Silent>("{}").unwrap();
        assert_eq!(node.audio_f32(8_000, 2, &[1.0; 6]).unwrap(), [0.0; 6]);
        let error = node.process(0, Packet::new(0, String::from("x"))).unwrap_err();
        assert_eq!(error.message(), "`silent` takes audio, got text");
    }

    #[test]
    fn unknown_params_are_refused_and_the_schema_says_so() {
        let error = start::<Silent>(r#"{"level": 1}"#).unwrap_err();
        assert!(error.message().contains("unknown field `level`"), "{error}");
        assert_eq!(params_schema::<Silent>().unwrap()["additionalProperties"], serde_json::json!(false));
    }
}
