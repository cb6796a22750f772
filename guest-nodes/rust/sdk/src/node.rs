//! The one trait that an author implements.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::audio::AudioView;
use crate::error::NodeError;
use crate::info::Info;
use crate::packet::{Outputs, Packet, Payload};

/// A node. The host makes one per pipeline with [`Node::new`], and never calls it concurrently.
///
/// A node that turns audio into as much audio implements [`Node::audio`]. Every other node overrides
/// [`Node::process`], which sees whole packets of every kind.
pub trait Node: Sized + 'static {
    /// The params of a manifest. Doc comments of its fields become descriptions of the node's JSON Schema; units
    /// belong in the names (`gain_db`, `cutoff_hz`).
    type Params: DeserializeOwned + JsonSchema;

    /// Name, summary and ports.
    const INFO: Info;

    /// Makes the node ready for its first packet.
    ///
    /// # Errors
    /// [`NodeError::invalid_params`] for params that do not describe a working node.
    fn new(params: Self::Params) -> Result<Self, NodeError>;

    /// Changes a block of audio in place. Integer formats arrive as `f32` with full scale at ±1.0 and are turned
    /// back, rounded and saturating, afterwards. Blocks have any length, also none: results must not depend on
    /// where a stream was cut.
    ///
    /// # Errors
    /// [`NodeError::invalid_input`] for audio the node does not take.
    fn audio(&mut self, audio: &mut AudioView<'_>) -> Result<(), NodeError> {
        let _ = audio;
        Err(NodeError::invalid_input(format!("`{}` does not take audio", Self::INFO.node_type)))
    }

    /// Takes one packet on an input port and emits any number of packets.
    ///
    /// # Errors
    /// [`NodeError::invalid_input`] for packets the node does not take.
    fn process(&mut self, port: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let _ = port;
        match packet.payload {
            Payload::Audio(mut audio) => {
                audio.edit(packet.pts_ns, out.scratch(), |view| self.audio(view))?;
                out.push(Packet { pts_ns: packet.pts_ns, payload: Payload::Audio(audio) });
                Ok(())
            }
            other => Err(NodeError::invalid_input(format!(
                "`{}` takes audio, got {}",
                Self::INFO.node_type,
                other.kind_name()
            ))),
        }
    }

    /// The end of the stream: emits what the node still holds back.
    ///
    /// # Errors
    /// When the rest cannot be computed.
    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let _ = out;
        Ok(())
    }

    /// The last call.
    fn cleanup(&mut self) {}
}

/// The params of a node that takes none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}
