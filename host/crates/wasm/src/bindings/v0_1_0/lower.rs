//! Core packets as borrowed WIT values: samples are copied once, by wasmtime, into the guest's memory.

use remotemedia_core::{DType, NodeError, Packet, Payload, PayloadKind, SampleFormat};

use super::wit;

/// Storage for what must be written out before it can be borrowed; kept between calls.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    json: Vec<u8>,
    shape: Vec<u32>,
}

impl Lowering {
    /// Borrows `packet` as a WIT packet.
    ///
    /// # Errors
    /// `InvalidInput` for a payload that no guest can open.
    pub fn lower<'a>(&'a mut self, packet: &'a Packet) -> Result<wit::PacketParam<'a>, NodeError> {
        let payload = match &packet.payload {
            Payload::Audio(audio) => {
                let spec = audio.spec();
                wit::PayloadParam::Audio(wit::AudioParam {
                    format: match spec.format {
                        SampleFormat::S16 => wit::SampleFormat::Int16,
                        SampleFormat::S32 => wit::SampleFormat::Int32,
                        SampleFormat::F32 => wit::SampleFormat::Float32,
                    },
                    sample_rate: spec.sample_rate_hz,
                    channels: spec.channels,
                    data: audio.as_bytes(),
                })
            }
            Payload::Text(text) => wit::PayloadParam::Text(text),
            Payload::Json(value) => {
                self.json.clear();
                serde_json::to_writer(&mut self.json, &**value).map_err(|error| {
                    NodeError::invalid_input(format!("cannot be written as JSON: {error}"))
                })?;
                let json = str::from_utf8(&self.json)
                    .map_err(|error| NodeError::internal(format!("JSON that is not UTF-8: {error}")))?;
                wit::PayloadParam::Json(json)
            }
            Payload::Tensor(tensor) => {
                self.shape.clear();
                for &extent in tensor.shape() {
                    self.shape.push(u32::try_from(extent).map_err(|_| {
                        NodeError::invalid_input(format!(
                            "a tensor of shape {:?} is too large",
                            tensor.shape()
                        ))
                    })?);
                }
                wit::PayloadParam::Tensor(wit::TensorParam {
                    dtype: dtype(tensor.dtype()),
                    shape: &self.shape,
                    data: tensor.data(),
                })
            }
            Payload::Bytes(bytes) => wit::PayloadParam::Bytes(bytes),
            // The node has tried to convert it.
            Payload::Object(_) => return Err(packet.payload.refused(PayloadKind::Any)),
        };
        Ok(wit::PacketParam { pts_ns: packet.pts_ns, payload })
    }
}

fn dtype(dtype: DType) -> wit::Dtype {
    match dtype {
        DType::Bool => wit::Dtype::Bool,
        DType::Uint8 => wit::Dtype::Uint8,
        DType::Int8 => wit::Dtype::Int8,
        DType::Uint16 => wit::Dtype::Uint16,
        DType::Int16 => wit::Dtype::Int16,
        DType::Uint32 => wit::Dtype::Uint32,
        DType::Int32 => wit::Dtype::Int32,
        DType::Uint64 => wit::Dtype::Uint64,
        DType::Int64 => wit::Dtype::Int64,
        DType::Float16 => wit::Dtype::Float16,
        DType::Float32 => wit::Dtype::Float32,
        DType::Float64 => wit::Dtype::Float64,
    }
}
