//! What a guest returned, checked and turned into core packets. Nothing here trusts the guest.

use pulp::Arch;
use remotemedia_core::policy::{NonFinite, SandboxLimits};
use remotemedia_core::{
    AudioBuffer, AudioSpec, DType, ErrorKind, NodeDescriptor, NodeError, Outputs, Packet, Payload, Port,
    SampleFormat, Tensor,
};

use super::wit;
use crate::counters::Counters;
use crate::json_depth::json_depth;

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
    counters: &Counters,
    out: &mut Outputs,
) -> Result<(), NodeError> {
    if returned.len() > limits.packets_per_call {
        return Err(too_much(format!(
            "{} packets from one call, and the limit is {} (limits.packets_per_call)",
            returned.len(),
            limits.packets_per_call
        )));
    }
    let storage = input.and_then(|packet| match packet.payload {
        Payload::Audio(audio) => Some(audio),
        _ => None,
    });
    let mut lifting = Lifting { limits, counters, bytes: 0, storage };
    for wit::Output { port, packet } in returned {
        let payload = lifting.payload(packet.payload)?;
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

fn too_much(what: impl std::fmt::Display) -> NodeError {
    NodeError::new(ErrorKind::LimitExceeded, format!("the component returned {what}"))
}

/// One call's values on their way into the host.
struct Lifting<'a> {
    limits: &'a SandboxLimits,
    counters: &'a Counters,
    /// Of all payloads so far.
    bytes: usize,
    /// The samples of the input, when they may be overwritten.
    storage: Option<AudioBuffer>,
}

impl Lifting<'_> {
    fn payload(&mut self, payload: wit::PayloadResult) -> Result<Payload, NodeError> {
        let bytes = match &payload {
            wit::PayloadResult::Audio(audio) => audio.data.len(),
            wit::PayloadResult::Text(text) => {
                self.one(text.len(), "a text", "text_bytes", self.limits.text_bytes)?
            }
            wit::PayloadResult::Json(json) => {
                self.one(json.len(), "a JSON value", "json_bytes", self.limits.json_bytes)?
            }
            wit::PayloadResult::Tensor(tensor) => tensor.data.len(),
            wit::PayloadResult::Bytes(bytes) => bytes.len(),
        };
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.returned_bytes {
            return Err(too_much(format!(
                "more than {} bytes from one call (limits.returned_bytes)",
                self.limits.returned_bytes
            )));
        }
        Ok(match payload {
            wit::PayloadResult::Audio(audio) => Payload::Audio(self.audio(&audio)?),
            wit::PayloadResult::Text(text) => Payload::Text(text.into()),
            wit::PayloadResult::Json(json) => self.json(&json)?.into(),
            wit::PayloadResult::Tensor(tensor) => tensor_payload(tensor, self.limits)?.into(),
            wit::PayloadResult::Bytes(bytes) => bytes::Bytes::from(bytes).into(),
        })
    }

    /// The size of one value, which has a limit of its own.
    fn one(&self, bytes: usize, what: &str, key: &str, most: usize) -> Result<usize, NodeError> {
        if bytes <= most {
            return Ok(bytes);
        }
        Err(too_much(format!("{what} of {bytes} bytes, and the limit is {most} (limits.{key})")))
    }

    fn json(&self, json: &str) -> Result<serde_json::Value, NodeError> {
        let (depth, most) = (json_depth(json), self.limits.json_depth);
        if depth > most {
            return Err(too_much(format!(
                "a JSON value that nests {depth} deep, and the limit is {most} (limits.json_depth)"
            )));
        }
        serde_json::from_str(json)
            .map_err(|error| broken(format!("a JSON payload that is not JSON: {error}")))
    }

    fn audio(&mut self, audio: &wit::AudioResult) -> Result<AudioBuffer, NodeError> {
        let spec = AudioSpec {
            sample_rate_hz: audio.sample_rate,
            channels: audio.channels,
            format: match audio.format {
                wit::SampleFormat::Int16 => SampleFormat::S16,
                wit::SampleFormat::Int32 => SampleFormat::S32,
                wit::SampleFormat::Float32 => SampleFormat::F32,
            },
        };
        let limits = self.limits;
        if spec.sample_rate_hz > limits.sample_rate_hz {
            return Err(broken(format!(
                "audio at {} Hz, above {} Hz",
                spec.sample_rate_hz, limits.sample_rate_hz
            )));
        }
        if (1..limits.lowest_sample_rate_hz).contains(&spec.sample_rate_hz) {
            return Err(broken(format!(
                "audio at {} Hz, below {} Hz (limits.lowest_sample_rate_hz)",
                spec.sample_rate_hz, limits.lowest_sample_rate_hz
            )));
        }
        if spec.channels > limits.channels {
            return Err(broken(format!("audio of {} channels, above {}", spec.channels, limits.channels)));
        }
        if let Some(recycled) = self.storage.take_if(|storage| storage.spec() == spec)
            && let Some((recycled, non_finite)) = overwrite(recycled, &audio.data, limits.non_finite)
        {
            self.judge(non_finite)?;
            return Ok(recycled);
        }
        let mut buffer = AudioBuffer::from_bytes(spec, &audio.data)
            .map_err(|error| broken(format!("audio that is none: {error}")))?;
        if limits.non_finite != NonFinite::Keep
            && let Some(samples) = buffer.as_f32_mut()
        {
            let non_finite = silence_non_finite(samples);
            self.judge(non_finite)?;
        }
        Ok(buffer)
    }

    /// What the policy says about so many samples that are no numbers.
    fn judge(&self, non_finite: usize) -> Result<(), NodeError> {
        if non_finite == 0 {
            return Ok(());
        }
        if self.limits.non_finite == NonFinite::Refuse {
            return Err(broken(format!(
                "audio with {non_finite} samples that are no numbers (limits.non_finite is `refuse`)"
            )));
        }
        Counters::add(&self.counters.non_finite_samples, non_finite as u64);
        Ok(())
    }
}

/// `buffer` holding `bytes`, if it has that size, holds `f32` and is nobody else's, and how many of its samples are
/// no numbers. Those are silence now, unless they are kept.
fn overwrite(mut buffer: AudioBuffer, bytes: &[u8], policy: NonFinite) -> Option<(AudioBuffer, usize)> {
    if buffer.as_bytes().len() != bytes.len() || !buffer.is_unshared() {
        return None;
    }
    let (words, []) = bytes.as_chunks::<4>() else { return None };
    let samples = buffer.as_f32_mut()?;
    let all_finite = copy(words, samples);
    let non_finite = if all_finite || policy == NonFinite::Keep { 0 } else { silence_non_finite(samples) };
    Some((buffer, non_finite))
}

/// Copies samples, and tells whether all of them are numbers: in one pass, since every block takes it.
fn copy(words: &[[u8; 4]], samples: &mut [f32]) -> bool {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut found = 0;
            for (sample, word) in samples.iter_mut().zip(words) {
                let bits = u32::from_le_bytes(*word);
                *sample = f32::from_bits(bits);
                found |= u32::from(bits & EXPONENT == EXPONENT);
            }
            found == 0
        },
    )
}

/// The exponent of what is no number, and of nothing else.
const EXPONENT: u32 = 0x7f80_0000;

/// Replaces what is no number by silence, and counts it.
fn silence_non_finite(samples: &mut [f32]) -> usize {
    let mut non_finite = 0;
    for sample in samples.iter_mut().filter(|sample| !sample.is_finite()) {
        *sample = 0.0;
        non_finite += 1;
    }
    non_finite
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
        assert!(overwrite(shared, &bytes(&[3.0, 4.0]), NonFinite::Zero).is_none());
        let (written, _) = overwrite(buffer, &bytes(&[3.0, 4.0]), NonFinite::Zero).unwrap();
        assert_eq!(written.as_f32().unwrap(), [3.0, 4.0]);
        assert_eq!(written.as_f32().unwrap().as_ptr(), address);
        assert!(overwrite(written, &bytes(&[3.0]), NonFinite::Zero).is_none());
    }

    #[test]
    fn samples_that_are_no_numbers_become_silence_and_all_others_stay_as_they_are() {
        let smallest = f32::from_bits(1);
        let returned =
            [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, smallest, -0.0, 1.5];
        let expected = [0.0, 0.0, 0.0, 0.0, f32::MAX, f32::MIN, smallest, -0.0, 1.5];
        let buffer = || AudioBuffer::from_f32(8_000, 1, vec![9.0; returned.len()]).unwrap();
        let (written, count) = overwrite(buffer(), &bytes(&returned), NonFinite::Zero).unwrap();
        assert_eq!((written.as_bytes(), count), (&bytes(&expected)[..], 4));
        let (kept, count) = overwrite(buffer(), &bytes(&returned), NonFinite::Keep).unwrap();
        assert_eq!((kept.as_bytes(), count), (&bytes(&returned)[..], 0));
        let mut samples = returned;
        assert_eq!(silence_non_finite(&mut samples), 4);
        assert_eq!(bytes(&samples), bytes(&expected));
    }
}
