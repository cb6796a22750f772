//! What a guest returned, checked and turned into core packets. Nothing here trusts the guest.

use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{
    AudioBuffer, AudioSpec, DType, ErrorKind, NodeDescriptor, NodeError, Outputs, Packet, Payload, Port,
    SampleFormat, Tensor,
};

use super::wit;

/// Emits the packets that a call returned. `input` is the packet that the call took: its sample storage is used
/// again when the output is of the same shape and nobody else holds it, so that a steady stream allocates nothing
/// for its samples.
///
/// # Errors
/// `Trap` or `LimitExceeded` when the returned values break the contract. What was emitted before is not whole.
pub(super) fn emit(
    returned: Vec<wit::Output>,
    input: Option<Packet>,
    descriptor: &NodeDescriptor,
    limits: &SandboxLimits,
    out: &mut Outputs,
) -> Result<(), NodeError> {
    if returned.len() > limits.packets_per_call {
        return Err(NodeError::new(
            ErrorKind::LimitExceeded,
            format!(
                "the component returned {} packets from one call, and the limit is {}",
                returned.len(),
                limits.packets_per_call
            ),
        ));
    }
    let mut storage = input.and_then(|packet| match packet.payload {
        Payload::Audio(audio) => Some(audio),
        _ => None,
    });
    for wit::Output { port, packet } in returned {
        let payload = payload(packet.payload, &mut storage, limits)?;
        let Some(declared) = descriptor.outputs.get(usize::from(port)) else {
            let count = descriptor.outputs.len();
            return Err(broken(format!(
                "a packet on output port {port}, and it declares {count} output ports"
            )));
        };
        if !payload.kind().fits(declared.kind) {
            return Err(broken(format!(
                "{} on output port `{}`, which it declares to carry {}",
                payload.type_name(),
                declared.name,
                declared.kind.name()
            )));
        }
        out.push_to(Port(port), Packet { pts_ns: packet.pts_ns, payload });
    }
    Ok(())
}

fn broken(what: impl std::fmt::Display) -> NodeError {
    NodeError::new(ErrorKind::Trap, format!("the component returned {what}"))
}

fn payload(
    payload: wit::PayloadResult,
    storage: &mut Option<AudioBuffer>,
    limits: &SandboxLimits,
) -> Result<Payload, NodeError> {
    Ok(match payload {
        wit::PayloadResult::Audio(audio) => Payload::Audio(self::audio(&audio, storage, limits)?),
        wit::PayloadResult::Text(text) => Payload::Text(text.into()),
        wit::PayloadResult::Json(json) => {
            let value: serde_json::Value = serde_json::from_str(&json)
                .map_err(|error| broken(format!("a JSON payload that is not JSON: {error}")))?;
            value.into()
        }
        wit::PayloadResult::Tensor(tensor) => tensor_payload(tensor, limits)?.into(),
        wit::PayloadResult::Bytes(bytes) => bytes::Bytes::from(bytes).into(),
    })
}

fn audio(
    audio: &wit::AudioResult,
    storage: &mut Option<AudioBuffer>,
    limits: &SandboxLimits,
) -> Result<AudioBuffer, NodeError> {
    let spec = AudioSpec {
        sample_rate_hz: audio.sample_rate,
        channels: audio.channels,
        format: match audio.format {
            wit::SampleFormat::Int16 => SampleFormat::S16,
            wit::SampleFormat::Int32 => SampleFormat::S32,
            wit::SampleFormat::Float32 => SampleFormat::F32,
        },
    };
    if spec.sample_rate_hz > limits.sample_rate_hz {
        return Err(broken(format!(
            "audio at {} Hz, above {} Hz",
            spec.sample_rate_hz, limits.sample_rate_hz
        )));
    }
    if spec.channels > limits.channels {
        return Err(broken(format!("audio of {} channels, above {}", spec.channels, limits.channels)));
    }
    if let Some(recycled) = storage.take_if(|storage| storage.spec() == spec)
        && let Some(recycled) = overwrite(recycled, &audio.data)
    {
        return Ok(recycled);
    }
    AudioBuffer::from_bytes(spec, &audio.data).map_err(|error| broken(format!("audio that is none: {error}")))
}

/// `buffer` holding `bytes`, if it has that size, holds `f32` and is nobody else's.
fn overwrite(mut buffer: AudioBuffer, bytes: &[u8]) -> Option<AudioBuffer> {
    if buffer.as_bytes().len() != bytes.len() || !buffer.is_unshared() {
        return None;
    }
    let (words, []) = bytes.as_chunks::<4>() else { return None };
    for (sample, word) in buffer.as_f32_mut()?.iter_mut().zip(words) {
        *sample = f32::from_le_bytes(*word);
    }
    Some(buffer)
}

fn tensor_payload(tensor: wit::TensorResult, limits: &SandboxLimits) -> Result<Tensor, NodeError> {
    if tensor.shape.len() > limits.tensor_dimensions {
        return Err(broken(format!(
            "a tensor of {} dimensions, above {}",
            tensor.shape.len(),
            limits.tensor_dimensions
        )));
    }
    let shape: Vec<usize> = tensor.shape.iter().map(|&extent| extent as usize).collect();
    Tensor::new(dtype(tensor.dtype), &shape, tensor.data.into())
        .map_err(|error| broken(format!("a tensor that is none: {error}")))
}

fn dtype(dtype: wit::Dtype) -> DType {
    match dtype {
        wit::Dtype::Bool => DType::Bool,
        wit::Dtype::Uint8 => DType::Uint8,
        wit::Dtype::Int8 => DType::Int8,
        wit::Dtype::Uint16 => DType::Uint16,
        wit::Dtype::Int16 => DType::Int16,
        wit::Dtype::Uint32 => DType::Uint32,
        wit::Dtype::Int32 => DType::Int32,
        wit::Dtype::Uint64 => DType::Uint64,
        wit::Dtype::Int64 => DType::Int64,
        wit::Dtype::Float16 => DType::Float16,
        wit::Dtype::Float32 => DType::Float32,
        wit::Dtype::Float64 => DType::Float64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(samples: &[f32]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }

    #[test]
    fn the_input_s_storage_is_used_again_only_when_nobody_else_holds_it() {
        let buffer = AudioBuffer::from_f32(8_000, 1, vec![1.0, 2.0]).unwrap();
        let address = buffer.as_f32().unwrap().as_ptr();
        let shared = buffer.clone();
        assert!(overwrite(shared, &bytes(&[3.0, 4.0])).is_none());
        let written = overwrite(buffer, &bytes(&[3.0, 4.0])).unwrap();
        assert_eq!(written.as_f32().unwrap(), [3.0, 4.0]);
        assert_eq!(written.as_f32().unwrap().as_ptr(), address);
        assert!(overwrite(written, &bytes(&[3.0])).is_none());
    }
}
