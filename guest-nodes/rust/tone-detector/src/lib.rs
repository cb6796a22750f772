//! The node `tone-detector`: tells when tones of given frequencies start and end, as JSON events.
//!
//! It looks at windows of `window_ms`, one after the other: a tone is there when it is loud enough and carries enough of
//! the window's energy. Windows are rectangular, so they tell frequencies apart that differ by 1000 / `window_ms` Hz or
//! more. Audio of several channels is averaged.

mod goertzel;

use goertzel::Goertzel;
use remotemedia_node::{
    Audio, Info, Node, NodeError, Outputs, Packet, Payload, PayloadKind, Port, frames_ns, serde_json,
};

const MOST_FREQUENCIES: usize = 64;

/// The params of a manifest.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The tones to look for, in Hz; below half the sample rate.
    #[schemars(length(min = 1, max = 64), inner(range(min = 1.0)))]
    frequencies_hz: Vec<f64>,
    /// Length of a window, in ms: how precise the times are.
    #[serde(default = "forty")]
    #[schemars(range(min = 5.0, max = 1000.0))]
    window_ms: f64,
    /// Quietest tone that counts: its peak level in dB of full scale.
    #[serde(default = "minus_forty")]
    #[schemars(range(min = -120.0, max = 0.0))]
    threshold_db: f64,
    /// Smallest part of the window's energy that the tone must have, 0 to 1. Of two equal tones each has a half.
    #[serde(default = "a_quarter")]
    #[schemars(range(min = 0.0, max = 1.0))]
    purity: f64,
}

fn forty() -> f64 {
    40.0
}

fn minus_forty() -> f64 {
    -40.0
}

fn a_quarter() -> f64 {
    0.25
}

/// One of the tones.
#[derive(Debug)]
struct Tone {
    frequency_hz: f64,
    goertzel: Goertzel,
    heard: bool,
}

/// One stream of unchanging caps.
#[derive(Debug)]
struct Stream {
    sample_rate_hz: u32,
    channels: u16,
    window: usize,
    tones: Vec<Tone>,
    /// Of the window that is being filled.
    filled: usize,
    energy: f64,
    /// Time of the first frame, and frames of all full windows since.
    start_ns: i64,
    frames: u64,
}

/// The detector.
#[derive(Debug)]
struct ToneDetector {
    params: Params,
    stream: Option<Stream>,
}

impl Stream {
    fn new(params: &Params, start_ns: i64, audio: &Audio) -> Result<Self, NodeError> {
        let sample_rate_hz = audio.sample_rate_hz();
        let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
        if let Some(high) = params.frequencies_hz.iter().find(|&&hz| hz >= nyquist_hz) {
            return Err(NodeError::invalid_input(format!(
                "frequencies_hz has {high}, but audio at {sample_rate_hz} Hz holds nothing from {nyquist_hz} Hz on"
            )));
        }
        let tone = |&frequency_hz: &f64| Tone {
            frequency_hz,
            goertzel: Goertzel::new(frequency_hz, f64::from(sample_rate_hz)),
            heard: false,
        };
        Ok(Self {
            sample_rate_hz,
            channels: audio.channels(),
            window: ((params.window_ms * f64::from(sample_rate_hz) / 1000.0).round() as usize).max(1),
            tones: params.frequencies_hz.iter().map(tone).collect(),
            filled: 0,
            energy: 0.0,
            start_ns,
            frames: 0,
        })
    }

    fn take(&mut self, params: &Params, samples: &[f32], out: &mut Outputs) {
        for frame in samples.chunks_exact(usize::from(self.channels)) {
            let sum: f64 = frame.iter().map(|&sample| f64::from(sample)).sum();
            let mono = sum / f64::from(self.channels);
            // A NaN or infinity would spoil the whole window.
            let mono = if mono.is_finite() { mono } else { 0.0 };
            self.energy += mono * mono;
            self.tones.iter_mut().for_each(|tone| tone.goertzel.take(mono));
            self.filled += 1;
            if self.filled == self.window {
                self.finish_window(params, out);
            }
        }
    }

    fn finish_window(&mut self, params: &Params, out: &mut Outputs) {
        let pts_ns = self.now_ns();
        let power = self.energy / self.window as f64;
        let least = 10_f64.powf(params.threshold_db / 10.0);
        for tone in &mut self.tones {
            let squared_amplitude = tone.goertzel.finish(self.window);
            // A sine's power is half of its squared amplitude.
            let heard = squared_amplitude >= least && squared_amplitude / 2.0 >= params.purity * power;
            if heard != tone.heard {
                let level_db = heard.then(|| 10.0 * squared_amplitude.log10());
                out.push(event(pts_ns, tone.frequency_hz, level_db));
            }
            tone.heard = heard;
        }
        (self.filled, self.energy) = (0, 0.0);
        self.frames += self.window as u64;
    }

    /// Reports what still sounds as ended after the last full window.
    fn end(&self, out: &mut Outputs) {
        for tone in self.tones.iter().filter(|tone| tone.heard) {
            out.push(event(self.now_ns(), tone.frequency_hz, None));
        }
    }

    /// Where the window that is being filled begins.
    fn now_ns(&self) -> i64 {
        self.start_ns.saturating_add(frames_ns(self.frames, self.sample_rate_hz))
    }
}

/// A tone that starts with that level, or ends.
fn event(pts_ns: i64, frequency_hz: f64, level_db: Option<f64>) -> Packet {
    let value = match level_db {
        Some(level_db) => {
            let level_db = (level_db * 100.0).round() / 100.0;
            serde_json::json!({"event": "start", "frequency_hz": frequency_hz, "time_ns": pts_ns, "level_db": level_db})
        }
        None => serde_json::json!({"event": "end", "frequency_hz": frequency_hz, "time_ns": pts_ns}),
    };
    Packet::new(pts_ns, value)
}

impl Node for ToneDetector {
    type Params = Params;
    const INFO: Info = Info::new(
        "tone-detector",
        "Reports when tones start and end (Goertzel).",
        &[Port { name: "in", kind: PayloadKind::Audio }],
        &[Port { name: "events", kind: PayloadKind::Json }],
    );

    fn new(params: Params) -> Result<Self, NodeError> {
        let checks = [
            ("window_ms", params.window_ms, 5.0..=1000.0),
            ("threshold_db", params.threshold_db, -120.0..=0.0),
            ("purity", params.purity, 0.0..=1.0),
        ];
        for (name, value, range) in checks {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(NodeError::invalid_params(format!(
                    "{name} is {value}, must be from {least} to {most}"
                )));
            }
        }
        let count = params.frequencies_hz.len();
        if !(1..=MOST_FREQUENCIES).contains(&count) {
            return Err(NodeError::invalid_params(format!(
                "frequencies_hz has {count} entries, must have 1 to {MOST_FREQUENCIES}"
            )));
        }
        if let Some(low) = params.frequencies_hz.iter().find(|&&hz| hz < 1.0) {
            return Err(NodeError::invalid_params(format!("frequencies_hz has {low}, must be 1 or more")));
        }
        Ok(Self { params, stream: None })
    }

    fn process(&mut self, _: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Payload::Audio(audio) = packet.payload else {
            return Err(NodeError::invalid_input("`tone-detector` takes audio"));
        };
        let caps = (audio.sample_rate_hz(), audio.channels());
        // A change of caps ends one stream and starts another.
        if let Some(ended) = self.stream.take_if(|stream| (stream.sample_rate_hz, stream.channels) != caps) {
            ended.end(out);
        }
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => Stream::new(&self.params, packet.pts_ns, &audio)?,
        };
        stream.take(&self.params, &audio.to_f32(), out);
        self.stream = Some(stream);
        Ok(())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        if let Some(stream) = self.stream.take() {
            stream.end(out);
        }
        Ok(())
    }
}

remotemedia_node::export!(ToneDetector);

#[cfg(test)]
mod tests;
