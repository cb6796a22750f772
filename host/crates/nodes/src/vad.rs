//! VAD: finds speech. Emits each segment when it is over, and on request a probability per 16 ms and the
//! segment's audio.
//!
//! This file owns the node: ports, time, packets. The engines and rules are in `vad/`; they know samples and
//! frames only. It does not resample.

mod detector;
mod energy;
mod history;
mod hysteresis;
mod level_gate;
mod median;
mod mono;
mod neural;
mod noise_floor;
mod params;
mod spectrum;

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{
    AudioBuffer, Node, NodeDescriptor, NodeError, Outputs, Packet, PayloadKind, Port, PortSpec,
};
use serde_json::json;

use crate::input;
use crate::node_type::NativeNode;
use detector::{Detector, Finding};
use history::History;
use params::VadParams;

/// `{"type": "speech", "start_ns", "end_ns", "duration_ms", "mean_probability"}` for each segment, at its start.
const SEGMENTS: Port = Port(0);

/// `{"pts_ns", "probability", "is_speech"}` for every 16 ms.
const FRAMES: Port = Port(1);

/// Mono `f32` audio of each segment, one packet each.
const SPEECH: Port = Port(2);

/// Finds speech in audio of any format, channel count and (engine `energy`) rate from 8 kHz. Channels are
/// averaged; NaN and infinity count as silence.
///
/// Time is counted in samples from the first packet's `pts_ns`. A packet that comes more than half a frame (8 ms)
/// earlier or later than the samples before it say is a gap: it ends the open segment, and counting starts again
/// at its `pts_ns`. Without gaps the results do not depend on how the stream was cut into packets.
///
/// A segment is emitted once its hang-over has passed, about 0.3 s after its end. A steady sound that begins
/// suddenly counts as speech until it has become background: noise for about 2 s, a rich hum for up to 6 s.
pub struct Vad {
    params: VadParams,
    stream: Option<Stream>,
}

/// What is set up when the first packet tells the rate.
struct Stream {
    sample_rate_hz: u32,
    detector: Detector,
    history: History,
    /// Time of sample 0.
    origin_ns: i64,
}

impl NativeNode for Vad {
    type Params = VadParams;
    const NODE_TYPE: &'static str = "VAD";

    fn descriptor() -> NodeDescriptor {
        NodeDescriptor {
            outputs: vec![
                PortSpec::new("segments", PayloadKind::Json),
                PortSpec::new("frames", PayloadKind::Json),
                PortSpec::new("speech", PayloadKind::Audio),
            ],
            ..NodeDescriptor::transform(
                Self::NODE_TYPE,
                PayloadKind::Audio,
                "Finds speech: segments with start and end, a probability per 16 ms, and each segment's audio.",
            )
        }
    }

    fn from_params(params: VadParams) -> Result<Self, NodeError> {
        params.validate()?;
        Ok(Self { params, stream: None })
    }
}

impl Node for Vad {
    fn process(&mut self, _: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let (pts_ns, audio) = input::audio(packet)?;
        if audio.is_empty() {
            return Ok(());
        }
        let sample_rate_hz = audio.spec().sample_rate_hz;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            slot => slot.insert(Stream {
                sample_rate_hz,
                detector: Detector::new(&self.params, sample_rate_hz)?,
                history: History::default(),
                origin_ns: pts_ns,
            }),
        };
        if stream.sample_rate_hz != sample_rate_hz {
            return Err(NodeError::invalid_input(format!(
                "the stream changed from {} Hz to {sample_rate_hz} Hz; VAD keeps the rate of its first packet: put \
                 AudioResample before it",
                stream.sample_rate_hz
            )));
        }
        stream.bridge_gap(pts_ns, out);
        stream.take(&audio, out);
        Ok(())
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.stream = None;
        Ok(true)
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        if let Some(mut stream) = self.stream.take() {
            stream.finish(out);
        }
        Ok(())
    }
}

impl Stream {
    /// Ends what came before when `pts_ns` does not follow it, and counts from there.
    fn bridge_gap(&mut self, pts_ns: i64, out: &mut Outputs) {
        let expected_ns =
            self.origin_ns.saturating_add(frames_to_ns(self.detector.samples(), self.sample_rate_hz));
        let half_a_frame_ns =
            frames_to_ns(self.detector.hop() as u64, self.sample_rate_hz).unsigned_abs() / 2;
        if pts_ns.abs_diff(expected_ns) > half_a_frame_ns {
            self.finish(out);
            self.detector.restart();
            self.history.reset();
            self.origin_ns = pts_ns;
        }
    }

    fn take(&mut self, audio: &AudioBuffer, out: &mut Outputs) {
        let frames = audio.frames();
        let keeps_audio = out.is_connected(SPEECH);
        let mut done = 0;
        while done < frames {
            let taken = self.detector.fill(frames - done, |target| mono::read_mono(audio, done, target));
            done += taken.len();
            if keeps_audio {
                self.history.append(taken);
            }
            let emitter = Emitter { sample_rate_hz: self.sample_rate_hz, origin_ns: self.origin_ns };
            self.detector.advance(&mut |finding| emitter.emit(finding, &self.history, out));
            if keeps_audio {
                self.history.forget_before(self.detector.earliest_sample());
            }
        }
    }

    fn finish(&mut self, out: &mut Outputs) {
        let emitter = Emitter { sample_rate_hz: self.sample_rate_hz, origin_ns: self.origin_ns };
        self.detector.finish(&mut |finding| emitter.emit(finding, &self.history, out));
    }
}

/// Turns findings in samples into packets in time.
#[derive(Clone, Copy)]
struct Emitter {
    sample_rate_hz: u32,
    origin_ns: i64,
}

impl Emitter {
    fn emit(self, finding: Finding, history: &History, out: &mut Outputs) {
        match finding {
            Finding::Frame(frame) if out.is_connected(FRAMES) => {
                let pts_ns = self.time_ns(frame.start);
                let value = json!({
                    "pts_ns": pts_ns,
                    "probability": shown(frame.probability),
                    "is_speech": frame.is_speech,
                });
                out.push_to(FRAMES, Packet::new(pts_ns, value));
            }
            Finding::Frame(_) => {}
            Finding::Segment(samples, mean_probability) => {
                let (start_ns, end_ns) = (self.time_ns(samples.start), self.time_ns(samples.end));
                let value = json!({
                    "type": "speech",
                    "start_ns": start_ns,
                    "end_ns": end_ns,
                    "duration_ms": (end_ns - start_ns) as f64 / 1e6,
                    "mean_probability": shown(mean_probability),
                });
                out.push_to(SEGMENTS, Packet::new(start_ns, value));
                if out.is_connected(SPEECH) {
                    // The rate came from an audio buffer and mono divides into whole frames: this cannot fail.
                    if let Ok(audio) = AudioBuffer::from_f32(self.sample_rate_hz, 1, history.copy(samples)) {
                        out.push_to(SPEECH, Packet::new(start_ns, audio));
                    }
                }
            }
        }
    }

    fn time_ns(self, sample: u64) -> i64 {
        self.origin_ns.saturating_add(frames_to_ns(sample, self.sample_rate_hz))
    }
}

/// A probability as events show it: four decimals are more than an engine knows.
fn shown(probability: f32) -> f64 {
    (f64::from(probability) * 1e4).round() / 1e4
}

/// Probability of log-odds.
fn probability(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests;
