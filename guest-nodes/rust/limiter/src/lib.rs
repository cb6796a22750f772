//! The node `limiter`: a look-ahead peak limiter. No sample leaves it above the threshold, all channels get the same
//! gain, and what stays below the threshold passes bit for bit.
//!
//! Latency: it holds `look_ahead_ms` of audio back and emits the rest at the end of the stream. Times are those of the
//! samples themselves, so nothing is shifted, and as many frames leave as came. It limits sample peaks, not the true
//! peaks between samples.

mod envelope;

use std::collections::VecDeque;

use envelope::Envelope;
use remotemedia_node::{Audio, Info, Node, NodeError, Outputs, Packet, Payload, SampleFormat, frames_ns};

/// The params of a manifest.
#[derive(Clone, Copy, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Highest level that leaves the limiter, in dB below full scale.
    #[serde(default = "just_below_full_scale")]
    #[schemars(range(min = -60.0, max = 0.0))]
    threshold_db: f64,
    /// How fast the gain comes back after a peak: time constant in ms.
    #[serde(default = "a_tenth_of_a_second")]
    #[schemars(range(min = 1.0, max = 5000.0))]
    release_ms: f64,
    /// How long before a peak the gain begins to fall, in ms. This is also the latency.
    #[serde(default = "five_milliseconds")]
    #[schemars(range(min = 0.0, max = 20.0))]
    look_ahead_ms: f64,
}

fn just_below_full_scale() -> f64 {
    -1.0
}

fn a_tenth_of_a_second() -> f64 {
    100.0
}

fn five_milliseconds() -> f64 {
    5.0
}

/// One stream of unchanging caps.
#[derive(Debug)]
struct Stream {
    format: SampleFormat,
    sample_rate_hz: u32,
    channels: u16,
    /// Samples that came in and did not leave yet.
    delayed: VecDeque<f32>,
    envelope: Envelope,
    /// Time of the last packet, and how many frames came before it.
    last_packet: (i64, u64),
    frames_in: u64,
    frames_out: u64,
}

/// The limiter.
#[derive(Debug)]
struct Limiter {
    params: Params,
    threshold: f64,
    stream: Option<Stream>,
}

impl Stream {
    fn new(params: Params, audio: &Audio) -> Self {
        let frames_per_ms = f64::from(audio.sample_rate_hz()) / 1000.0;
        let look_ahead = (params.look_ahead_ms * frames_per_ms).round() as usize;
        Self {
            format: audio.format(),
            sample_rate_hz: audio.sample_rate_hz(),
            channels: audio.channels(),
            delayed: VecDeque::new(),
            envelope: Envelope::new(look_ahead, params.release_ms * frames_per_ms),
            last_packet: (0, 0),
            frames_in: 0,
            frames_out: 0,
        }
    }

    fn fits(&self, audio: &Audio) -> bool {
        (self.format, self.sample_rate_hz, self.channels)
            == (audio.format(), audio.sample_rate_hz(), audio.channels())
    }

    /// Runs `samples` through; what leaves is put into `out` as one packet.
    fn run(&mut self, samples: &[f32], threshold: f64, out: &mut Outputs) {
        let channels = usize::from(self.channels);
        let mut leaving = Vec::with_capacity(samples.len());
        for frame in samples.chunks_exact(channels) {
            // NaN never wins `max`: it passes, and harms no other sample.
            let peak = frame.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            let needed = if f64::from(peak) > threshold { threshold / f64::from(peak) } else { 1.0 };
            // An infinity becomes the largest number, so that its gain does not make it NaN.
            self.delayed.extend(frame.iter().map(|sample| sample.clamp(f32::MIN, f32::MAX)));
            self.frames_in += 1;
            self.step(needed, channels, &mut leaving);
        }
        self.emit(&leaving, out);
    }

    /// Lets what is still held back leave.
    fn drain(&mut self, out: &mut Outputs) {
        let mut leaving = Vec::with_capacity(self.delayed.len());
        while !self.delayed.is_empty() {
            self.step(1.0, usize::from(self.channels), &mut leaving);
        }
        self.emit(&leaving, out);
    }

    fn step(&mut self, needed: f64, channels: usize, leaving: &mut Vec<f32>) {
        if let Some(gain) = self.envelope.next(needed) {
            leaving.extend(self.delayed.drain(..channels).map(|sample| (f64::from(sample) * gain) as f32));
        }
    }

    fn emit(&mut self, leaving: &[f32], out: &mut Outputs) {
        if leaving.is_empty() {
            return;
        }
        let (pts_ns, frames_before) = self.last_packet;
        let pts_ns = if self.frames_out < frames_before {
            pts_ns.saturating_sub(frames_ns(frames_before - self.frames_out, self.sample_rate_hz))
        } else {
            pts_ns.saturating_add(frames_ns(self.frames_out - frames_before, self.sample_rate_hz))
        };
        self.frames_out += (leaving.len() / usize::from(self.channels)) as u64;
        out.push(Packet::new(
            pts_ns,
            Audio::from_f32_as(self.format, self.sample_rate_hz, self.channels, leaving),
        ));
    }
}

impl Node for Limiter {
    type Params = Params;
    const INFO: Info = Info::audio("limiter", "A look-ahead peak limiter.");

    fn new(params: Params) -> Result<Self, NodeError> {
        let checks = [
            ("threshold_db", params.threshold_db, -60.0..=0.0),
            ("release_ms", params.release_ms, 1.0..=5000.0),
            ("look_ahead_ms", params.look_ahead_ms, 0.0..=20.0),
        ];
        for (name, value, range) in checks {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(NodeError::invalid_params(format!(
                    "{name} is {value}, must be from {least} to {most}"
                )));
            }
        }
        // As an f32, so that it is a sample value and rounding cannot step over it.
        let threshold = f64::from(10_f64.powf(params.threshold_db / 20.0) as f32);
        Ok(Self { params, threshold, stream: None })
    }

    fn process(&mut self, _: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Payload::Audio(audio) = packet.payload else {
            return Err(NodeError::invalid_input("`limiter` takes audio"));
        };
        // A change of caps ends one stream and starts another.
        if let Some(mut ended) = self.stream.take_if(|stream| !stream.fits(&audio)) {
            ended.drain(out);
        }
        let stream = self.stream.get_or_insert_with(|| Stream::new(self.params, &audio));
        stream.last_packet = (packet.pts_ns, stream.frames_in);
        stream.run(&audio.to_f32(), self.threshold, out);
        Ok(())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        if let Some(mut stream) = self.stream.take() {
            stream.drain(out);
        }
        Ok(())
    }
}

remotemedia_node::export!(Limiter);

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_node::testing::start;

    /// The samples and the time of the first one, of a stream cut into blocks of so many frames.
    fn limited(params: &str, channels: u16, input: &[f32], blocks: &[usize]) -> (i64, Vec<f32>) {
        let mut node = start::<Limiter>(params).unwrap();
        let (mut packets, mut at, mut blocks) = (Vec::new(), 0, blocks.iter().cycle());
        while at < input.len() {
            let end = (at + blocks.next().unwrap() * usize::from(channels)).min(input.len());
            let pts_ns = frames_ns((at / usize::from(channels)) as u64, 8_000) + 1_000;
            let audio = Audio::from_f32(8_000, channels, &input[at..end]);
            packets.extend(node.process(0, Packet::new(pts_ns, audio)).unwrap());
            at = end;
        }
        packets.extend(node.flush().unwrap());
        let first = packets[0].1.pts_ns;
        let samples = packets.into_iter().flat_map(|(_, packet)| match packet.payload {
            Payload::Audio(audio) => audio.to_f32(),
            other => panic!("got {}", other.kind_name()),
        });
        (first, samples.collect())
    }

    fn noise(length: usize) -> Vec<f32> {
        (0..length).map(|n| ((n * n) as f32 * 0.37).sin() * (1.0 + (n as f32 * 0.01).sin())).collect()
    }

    #[test]
    fn no_sample_exceeds_the_threshold_and_none_is_lost() {
        let input = noise(8_000);
        for (db, amplitude) in [(-6.0, 0.501_187_2_f32), (-20.0, 0.1), (0.0, 1.0)] {
            let params = format!(r#"{{"threshold_db": {db}, "release_ms": 20}}"#);
            let (first, out) = limited(&params, 2, &input, &[100]);
            assert_eq!((first, out.len()), (1_000, input.len()));
            let peak = out.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(peak <= amplitude && peak > amplitude * 0.98, "{db} dB: {peak}");
        }
    }

    #[test]
    fn what_stays_below_the_threshold_passes_bit_for_bit() {
        let input: Vec<f32> = noise(500).iter().map(|sample| sample * 0.25).collect();
        assert_eq!(limited("{}", 1, &input, &[64]).1, input);
    }

    #[test]
    fn results_do_not_depend_on_how_the_stream_was_cut() {
        let input = noise(4_000);
        let whole = limited(r#"{"threshold_db": -12}"#, 2, &input, &[4_000]);
        for blocks in [&[1][..], &[0, 3, 1, 500], &[39, 41], &[160]] {
            assert_eq!(limited(r#"{"threshold_db": -12}"#, 2, &input, blocks), whole);
        }
    }

    #[test]
    fn a_steady_tone_above_the_threshold_leaves_at_the_threshold() {
        let (_, out) = limited(r#"{"threshold_db": -20}"#, 1, &[0.8; 2_000], &[160]);
        assert!(out.iter().all(|sample| (sample - 0.1).abs() < 1e-6));
    }

    #[test]
    fn channels_share_one_gain_and_a_change_of_caps_loses_nothing() {
        let stereo: Vec<f32> = (0..400).flat_map(|_| [1.0, 0.25]).collect();
        let (_, out) = limited(r#"{"threshold_db": -20}"#, 2, &stereo, &[100]);
        assert!(out.chunks(2).all(|frame| (frame[0] / frame[1] - 4.0).abs() < 1e-5));
        let mut node = start::<Limiter>("{}").unwrap();
        let held = node.audio_f32(48_000, 1, &[0.5; 100]).unwrap();
        assert!(held.is_empty(), "240 frames are held back");
        assert_eq!(node.audio_f32(44_100, 1, &[0.25; 300]).unwrap().len(), 100 + 300 - 221);
    }

    #[test]
    fn nan_and_infinity_harm_only_themselves() {
        let mut input = vec![0.5_f32; 3_000];
        (input[10], input[500]) = (f32::NAN, f32::INFINITY);
        let (_, out) = limited(r#"{"release_ms": 10}"#, 1, &input, &[100]);
        assert!(out[10].is_nan() && out.iter().filter(|sample| !sample.is_finite()).count() == 1);
        assert!(out[500] <= 1.0 && out[2_990] == 0.5 && out[0] == 0.5);
    }

    #[test]
    fn params_out_of_range_are_refused() {
        let error = start::<Limiter>(r#"{"threshold_db": 3}"#).unwrap_err();
        assert_eq!(error.message(), "threshold_db is 3, must be from -60 to 0");
        assert!(start::<Limiter>(r#"{"release_ms": 0}"#).is_err());
    }
}
