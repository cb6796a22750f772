//! Taking a packet apart: the payload a node wants, or an error that says what came instead; and the caps of a
//! stream, which must stay what they were. No samples are touched here.

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{AudioBuffer, AudioError, AudioSpec, NodeError, Packet};

/// The packet's time and audio.
pub(crate) fn audio(packet: Packet) -> Result<(i64, AudioBuffer), NodeError> {
    Ok((packet.pts_ns, packet.payload.into_audio()?))
}

/// The same audio in `f32`; untouched when it is `f32` already.
pub(crate) fn into_f32(audio: AudioBuffer) -> Result<AudioBuffer, NodeError> {
    if audio.as_f32().is_some() {
        return Ok(audio);
    }
    let AudioSpec { sample_rate_hz, channels, .. } = audio.spec();
    AudioBuffer::from_f32(sample_rate_hz, channels, audio.to_f32().into_owned()).map_err(not_audio)
}

/// For audio that a node made itself: a fault of the node.
pub(crate) fn not_audio(error: AudioError) -> NodeError {
    NodeError::internal(format!("the node made audio that is none: {error}"))
}

/// The rate and channel count of a stream, and its time. A stream is taken as gapless from its first packet
/// on: times are counted in frames, so they do not depend on how the stream was cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AudioStream {
    /// Caps of the first packet. Later packets may differ in `format` only.
    pub(crate) spec: AudioSpec,
    /// Time of the stream's first frame.
    pub(crate) origin_ns: i64,
}

impl AudioStream {
    /// The stream that `slot` holds, which `audio` must fit, or a new one that begins with `audio`.
    pub(crate) fn enter(
        slot: &mut Option<Self>,
        pts_ns: i64,
        audio: &AudioBuffer,
    ) -> Result<Self, NodeError> {
        let spec = audio.spec();
        let stream = *slot.get_or_insert(Self { spec, origin_ns: pts_ns });
        // Nodes read every format as f32.
        let spec_now = AudioSpec { format: stream.spec.format, ..spec };
        if spec_now == stream.spec { Ok(stream) } else { Err(stream.changed(spec)) }
    }

    /// For nodes that keep the format, which then may not change either.
    pub(crate) fn expect_exactly(&self, spec: AudioSpec) -> Result<(), NodeError> {
        if spec == self.spec { Ok(()) } else { Err(self.changed(spec)) }
    }

    fn changed(&self, spec: AudioSpec) -> NodeError {
        NodeError::invalid_input(format!(
            "the stream changed from {} to {spec}; this node keeps the caps of its first packet: convert the \
             stream to one rate, channel count and format before it",
            self.spec
        ))
    }

    /// The time of frame number `frame` at `sample_rate_hz`, which need not be the stream's own rate.
    pub(crate) fn time_ns(&self, frame: u64, sample_rate_hz: u32) -> i64 {
        self.origin_ns.saturating_add(frames_to_ns(frame, sample_rate_hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_rate_is_refused_with_both_caps_named() {
        let mut slot = None;
        let first = AudioBuffer::from_f32(16_000, 1, vec![0.0; 4]).unwrap();
        let second = AudioBuffer::from_i16(44_100, 2, vec![0; 4]).unwrap();
        AudioStream::enter(&mut slot, 5, &first).unwrap();
        let error = AudioStream::enter(&mut slot, 9, &second).unwrap_err();
        assert!(error.message.contains("16000 Hz, 1 ch, f32"), "{error}");
        assert!(error.message.contains("44100 Hz, 2 ch, s16"), "{error}");
    }

    #[test]
    fn a_changed_format_is_the_same_stream() {
        let mut slot = None;
        let first = AudioBuffer::from_f32(16_000, 1, vec![0.0; 4]).unwrap();
        let second = AudioBuffer::from_i16(16_000, 1, vec![0; 4]).unwrap();
        AudioStream::enter(&mut slot, 1_000, &first).unwrap();
        let stream = AudioStream::enter(&mut slot, 2_000, &second).unwrap();
        assert_eq!(stream.time_ns(16, 16_000), 1_001_000);
    }

    #[test]
    fn other_payloads_are_named_in_the_error() {
        let error = audio(Packet::new(0, "hello")).unwrap_err();
        assert_eq!(&*error.message, "wants audio, got text");
    }
}
