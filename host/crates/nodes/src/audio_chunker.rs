//! AudioChunker: cuts a stream into frames of one length, at one distance from each other.

use std::collections::VecDeque;

use remotemedia_core::{
    AudioBuffer, AudioError, AudioSpec, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port,
    SampleFormat,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::input::{self, AudioStream};
use crate::node_type::NativeNode;

/// What becomes of the end of a stream that does not fill a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastFrame {
    /// It comes out as a shorter frame.
    #[default]
    Short,
    /// It is filled up with silence.
    Pad,
    /// It is left out.
    Drop,
}

/// Params of AudioChunker. Lengths in milliseconds are rounded to whole samples of the stream's rate.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AudioChunkerParams {
    /// Length of a frame in milliseconds. Default: 20, unless `frame_samples` is given.
    #[schemars(range(min = 0.001, max = 3_600_000.0))]
    pub frame_ms: Option<f64>,
    /// Length of a frame in samples per channel.
    #[schemars(range(min = 1))]
    pub frame_samples: Option<u32>,
    /// From the start of a frame to the start of the next, in milliseconds; shorter than a frame, frames overlap.
    /// Default: the length of a frame.
    #[schemars(range(min = 0.001, max = 3_600_000.0))]
    pub hop_ms: Option<f64>,
    /// The same in samples per channel.
    #[schemars(range(min = 1))]
    pub hop_samples: Option<u32>,
    /// What becomes of the end of the stream that does not fill a frame: short, pad or drop. Default: short.
    pub last_frame: LastFrame,
}

/// A length that may wait for the sample rate.
#[derive(Clone, Copy, Debug)]
enum Length {
    Ms(f64),
    Samples(u32),
}

impl Length {
    fn given(ms: Option<f64>, samples: Option<u32>, name: &str) -> Result<Option<Self>, NodeError> {
        match (ms, samples) {
            (Some(_), Some(_)) => {
                Err(NodeError::invalid_params(format!("give `{name}_ms` or `{name}_samples`, not both")))
            }
            (Some(ms), None) if !(ms > 0.0 && ms <= 3_600_000.0) => {
                let message = format!("`{name}_ms` is {ms}; it must be above 0 and at most 3600000");
                Err(NodeError::invalid_params(message))
            }
            (None, Some(0)) => Err(NodeError::invalid_params(format!("`{name}_samples` must be at least 1"))),
            (ms, samples) => Ok(ms.map(Self::Ms).or(samples.map(Self::Samples))),
        }
    }

    fn frames(self, sample_rate_hz: u32) -> Result<usize, NodeError> {
        let frames = match self {
            Self::Samples(samples) => samples as usize,
            Self::Ms(ms) => (ms * f64::from(sample_rate_hz) / 1_000.0).round() as usize,
        };
        let too_short =
            || NodeError::invalid_input(format!("{self:?} is less than a sample at {sample_rate_hz} Hz"));
        if frames == 0 { Err(too_short()) } else { Ok(frames) }
    }
}

/// Emits frame k with the samples from k · hop on, at the time of the first of them. Frames that lie within one
/// packet share its storage. The format is kept; the caps of a stream may not change, the format included.
#[derive(Debug)]
pub struct AudioChunker {
    frame: Length,
    hop: Length,
    last_frame: LastFrame,
    cutting: Option<Cutting>,
}

/// A stream that is being cut. Positions are frame numbers since the stream began.
#[derive(Debug)]
struct Cutting {
    stream: AudioStream,
    frame: usize,
    hop: usize,
    /// What is still needed, oldest first.
    queue: VecDeque<AudioBuffer>,
    /// Position of the queue's first frame.
    queue_start: u64,
    received: u64,
    next: u64,
    /// End of the last frame that came out.
    covered: u64,
}

impl NativeNode for AudioChunker {
    type Params = AudioChunkerParams;
    const NODE_TYPE: &'static str = "AudioChunker";

    fn descriptor() -> NodeDescriptor {
        let summary = "Cuts a stream into frames of a fixed length, overlapping if wanted.";
        NodeDescriptor::transform(Self::NODE_TYPE, PayloadKind::Audio, summary)
    }

    fn from_params(params: AudioChunkerParams) -> Result<Self, NodeError> {
        let frame =
            Length::given(params.frame_ms, params.frame_samples, "frame")?.unwrap_or(Length::Ms(20.0));
        let hop = Length::given(params.hop_ms, params.hop_samples, "hop")?.unwrap_or(frame);
        Ok(Self { frame, hop, last_frame: params.last_frame, cutting: None })
    }
}

impl AudioChunker {
    fn cutting(&mut self, pts_ns: i64, audio: &AudioBuffer) -> Result<&mut Cutting, NodeError> {
        let cutting = match self.cutting.take() {
            Some(cutting) => cutting,
            None => Cutting::new(self.frame, self.hop, pts_ns, audio)?,
        };
        // What is held back must survive a packet that is refused.
        let cutting = self.cutting.insert(cutting);
        cutting.stream.expect_exactly(audio.spec())?;
        Ok(cutting)
    }
}

impl Cutting {
    fn new(frame: Length, hop: Length, pts_ns: i64, audio: &AudioBuffer) -> Result<Self, NodeError> {
        let stream = AudioStream { spec: audio.spec(), origin_ns: pts_ns };
        let rate = stream.spec.sample_rate_hz;
        let (frame, hop) = (frame.frames(rate)?, hop.frames(rate)?);
        Ok(Self {
            stream,
            frame,
            hop,
            queue: VecDeque::new(),
            queue_start: 0,
            received: 0,
            next: 0,
            covered: 0,
        })
    }

    fn push(&mut self, audio: AudioBuffer) {
        self.received += audio.frames() as u64;
        if !audio.is_empty() {
            self.queue.push_back(audio);
        }
    }

    /// The next whole frame, when its last sample is here.
    fn pop(&mut self) -> Result<Option<Packet>, NodeError> {
        if self.next + self.frame as u64 > self.received {
            self.forget();
            return Ok(None);
        }
        let packet = self.cut(self.frame, 0)?;
        self.covered = self.next + self.frame as u64;
        self.next += self.hop as u64;
        Ok(Some(packet))
    }

    /// Drops the packets that no frame needs any more.
    fn forget(&mut self) {
        while let Some(front) = self.queue.front()
            && self.queue_start + front.frames() as u64 <= self.next
        {
            self.queue_start += front.frames() as u64;
            self.queue.pop_front();
        }
    }

    /// `frames` frames from `next` on, followed by `silence` frames of silence.
    fn cut(&mut self, frames: usize, silence: usize) -> Result<Packet, NodeError> {
        self.forget();
        let mut skip = (self.next - self.queue_start) as usize;
        let mut missing = frames;
        let mut pieces = Vec::new();
        for buffer in &self.queue {
            let piece = buffer.slice_frames(skip, missing);
            skip = skip.saturating_sub(buffer.frames());
            missing -= piece.frames();
            pieces.push(piece);
            if missing == 0 {
                break;
            }
        }
        let audio = match pieces.pop() {
            Some(only) if pieces.is_empty() && silence == 0 => only,
            last => {
                pieces.extend(last);
                join(self.stream.spec, &pieces, frames, silence).map_err(input::not_audio)?
            }
        };
        Ok(Packet::new(self.stream.time_ns(self.next, self.stream.spec.sample_rate_hz), audio))
    }

    /// The end of the stream, when it holds samples that no frame held.
    fn finish(&mut self, last_frame: LastFrame) -> Result<Option<Packet>, NodeError> {
        if self.received <= self.covered.max(self.next) || last_frame == LastFrame::Drop {
            return Ok(None);
        }
        let rest = (self.received - self.next) as usize;
        let silence = if last_frame == LastFrame::Pad { self.frame - rest } else { 0 };
        self.cut(rest, silence).map(Some)
    }
}

fn join(
    spec: AudioSpec,
    pieces: &[AudioBuffer],
    frames: usize,
    silence: usize,
) -> Result<AudioBuffer, AudioError> {
    let samples = (frames + silence) * usize::from(spec.channels);
    let (rate, channels) = (spec.sample_rate_hz, spec.channels);
    match spec.format {
        SampleFormat::S16 => {
            AudioBuffer::from_i16(rate, channels, concat(pieces, AudioBuffer::as_i16, samples))
        }
        SampleFormat::S32 => {
            AudioBuffer::from_i32(rate, channels, concat(pieces, AudioBuffer::as_i32, samples))
        }
        SampleFormat::F32 => {
            AudioBuffer::from_f32(rate, channels, concat(pieces, AudioBuffer::as_f32, samples))
        }
    }
}

fn concat<S: Copy + Default>(
    pieces: &[AudioBuffer],
    view: impl Fn(&AudioBuffer) -> Option<&[S]>,
    samples: usize,
) -> Vec<S> {
    let mut joined = Vec::with_capacity(samples);
    for piece in pieces {
        joined.extend_from_slice(view(piece).unwrap_or_default());
    }
    joined.resize(samples, S::default());
    joined
}

impl Node for AudioChunker {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        let cutting = self.cutting(pts_ns, &audio)?;
        cutting.push(audio);
        while let Some(frame) = cutting.pop()? {
            out.push(frame);
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.cutting = None;
        Ok(true)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        if let Some(mut cutting) = self.cutting.take()
            && let Some(rest) = cutting.finish(self.last_frame)?
        {
            out.push(rest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::{AudioBuffer, Outputs, Packet, Port};
    use serde_json::{Value, json};

    use crate::harness::{audio_of, create, noise, run_chunks, try_create};

    fn counting(frames: i16) -> AudioBuffer {
        AudioBuffer::from_i16(8_000, 1, (0..frames).collect()).unwrap()
    }

    fn frames(params: Value, audio: &AudioBuffer, chunk_frames: usize) -> Vec<(i64, Vec<i16>)> {
        let packets = run_chunks(create("AudioChunker", params), audio, chunk_frames);
        packets.iter().map(|packet| (packet.pts_ns, audio_of(packet).as_i16().unwrap().to_vec())).collect()
    }

    #[test]
    fn frames_hold_the_samples_from_k_times_hop_on_at_their_time() {
        for (frame, hop, total) in
            [(160, 160, 1_000), (100, 40, 1_000), (30, 90, 1_000), (7, 3, 100), (50, 50, 20)]
        {
            for chunk_frames in [1, 13, 160, 5_000] {
                let params = json!({"frame_samples": frame, "hop_samples": hop, "last_frame": "drop"});
                let got = frames(params, &counting(total), chunk_frames);
                let starts = (0..total).step_by(hop as usize).filter(|start| start + frame <= total);
                let expected: Vec<_> = starts
                    .map(|start| (i64::from(start) * 125_000, (start..start + frame).collect::<Vec<i16>>()))
                    .collect();
                assert_eq!(got, expected, "frame {frame}, hop {hop}, chunks of {chunk_frames}");
            }
        }
    }

    #[test]
    fn the_end_comes_out_short_or_padded_or_not_at_all() {
        let last = |mode: &str| frames(json!({"frame_samples": 4, "last_frame": mode}), &counting(10), 3);
        assert_eq!(last("short")[2], (1_000_000, vec![8, 9]));
        assert_eq!(last("pad")[2], (1_000_000, vec![8, 9, 0, 0]));
        assert_eq!(last("drop").len(), 2);
        assert_eq!(frames(json!({"frame_samples": 5}), &counting(10), 3).len(), 2);
    }

    #[test]
    fn an_end_that_overlapping_frames_have_held_is_not_repeated() {
        let overlapping = |total| frames(json!({"frame_samples": 4, "hop_samples": 2}), &counting(total), 5);
        assert_eq!(overlapping(8).last().unwrap().1, [4, 5, 6, 7]);
        assert_eq!(overlapping(9).last().unwrap().1, [6, 7, 8]);
        let apart = |total| frames(json!({"frame_samples": 2, "hop_samples": 5}), &counting(total), 4);
        assert_eq!(apart(10).len(), 2);
        assert_eq!(apart(11).last().unwrap().1, [10]);
    }

    #[test]
    fn milliseconds_are_rounded_to_samples() {
        let got = frames(json!({"frame_ms": 1.2, "hop_ms": 0.51}), &counting(20), 20);
        assert_eq!((got[0].1.len(), got[1].1[0]), (10, 4));
    }

    #[test]
    fn a_frame_within_one_packet_shares_its_storage() {
        let audio = noise(48_000, 32, 1.0, 960);
        let packets = run_chunks(create("AudioChunker", json!({"frame_ms": 10})), &audio, 960);
        assert_eq!(packets.len(), 2);
        let start = audio.as_f32().unwrap()[480 * 32..].as_ptr();
        assert_eq!(audio_of(&packets[1]).as_f32().unwrap().as_ptr(), start);
    }

    #[test]
    fn changed_caps_and_contradicting_params_are_refused() {
        let mut node = create("AudioChunker", json!({}));
        let mut out = Outputs::new();
        node.process(Port::FIRST, Packet::new(0, counting(5)), &mut out).unwrap();
        let error = node.process(Port::FIRST, Packet::new(0, noise(8_000, 1, 1.0, 5)), &mut out).unwrap_err();
        assert!(error.message.contains("s16") && error.message.contains("f32"), "{error}");
        node.flush(&mut out).unwrap();
        let (_, rest) = out.drain().next().expect("a refused packet must not cost what came before it");
        assert_eq!(audio_of(&rest).as_i16().unwrap(), [0, 1, 2, 3, 4]);
        for params in [
            json!({"frame_ms": 10, "frame_samples": 4}),
            json!({"frame_ms": 0}),
            json!({"hop_ms": -1}),
            json!({"hop_samples": 0}),
        ] {
            assert!(try_create("AudioChunker", params.clone()).is_err(), "{params}");
        }
        let mut node = create("AudioChunker", json!({"frame_ms": 0.01}));
        assert!(node.process(Port::FIRST, Packet::new(0, counting(5)), &mut out).is_err());
    }
}
