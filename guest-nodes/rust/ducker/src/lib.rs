//! The node `ducker`: turns the programme down while the side chain speaks, as a radio does with music under a voice.
//!
//! Frame n of `programme` is turned down by frame n of `sidechain`, however the two were cut into blocks and in whatever
//! order the blocks came; the programme waits for the side chain. What the side chain lacks at its end counts as silence:
//! at the end of the stream, or when it is ten seconds behind.

mod follower;

use std::collections::VecDeque;

use follower::{Curve, Follower};
use remotemedia_node::{
    Audio, Info, Node, NodeError, Outputs, Packet, Payload, PayloadKind, Port, SampleFormat, frames_ns,
};

/// How long the programme waits, and how far the side chain may run ahead, in seconds.
const LONGEST_WAIT_S: u32 = 10;
const FARTHEST_AHEAD_S: u32 = 60;

/// The params of a manifest.
#[derive(Clone, Copy, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Level of the side chain (its loudest channel) from which the programme is turned down, in dB of full scale.
    #[serde(default = "of_speech")]
    #[schemars(range(min = -100.0, max = 0.0))]
    threshold_db: f64,
    /// Of so many dB above the threshold, one is left: the gain falls by the rest.
    #[serde(default = "four_to_one")]
    #[schemars(range(min = 1.0, max = 100.0))]
    ratio: f64,
    /// How fast the programme is turned down: time constant in ms.
    #[serde(default = "ten")]
    #[schemars(range(min = 0.1, max = 1000.0))]
    attack_ms: f64,
    /// How fast the programme comes back: time constant in ms.
    #[serde(default = "three_hundred")]
    #[schemars(range(min = 1.0, max = 10000.0))]
    release_ms: f64,
}

fn of_speech() -> f64 {
    -40.0
}

fn four_to_one() -> f64 {
    4.0
}

fn ten() -> f64 {
    10.0
}

fn three_hundred() -> f64 {
    300.0
}

/// One stream of programme of unchanging caps, with the side chain that belongs to it.
#[derive(Debug)]
struct Stream {
    format: SampleFormat,
    sample_rate_hz: u32,
    channels: u16,
    follower: Follower,
    /// Samples that came in and did not leave yet.
    waiting: VecDeque<f32>,
    /// Time of the last packet, and how many frames came before it.
    last_packet: (i64, u64),
    frames_in: u64,
    frames_out: u64,
}

/// The side chain's amplitudes that no programme met yet.
#[derive(Debug, Default)]
struct SideChain {
    sample_rate_hz: Option<u32>,
    amplitudes: VecDeque<f32>,
    /// Frames that come too late: they counted as silence.
    missed: u64,
}

/// The ducker.
#[derive(Debug)]
struct Ducker {
    params: Params,
    stream: Option<Stream>,
    side_chain: SideChain,
}

impl Stream {
    fn new(params: Params, audio: &Audio) -> Self {
        let frames_per_ms = f64::from(audio.sample_rate_hz()) / 1000.0;
        Self {
            format: audio.format(),
            sample_rate_hz: audio.sample_rate_hz(),
            channels: audio.channels(),
            follower: Follower::new(Curve {
                threshold_db: params.threshold_db,
                ratio: params.ratio,
                attack_frames: params.attack_ms * frames_per_ms,
                release_frames: params.release_ms * frames_per_ms,
            }),
            waiting: VecDeque::new(),
            last_packet: (0, 0),
            frames_in: 0,
            frames_out: 0,
        }
    }

    fn fits(&self, audio: &Audio) -> bool {
        (self.format, self.sample_rate_hz, self.channels)
            == (audio.format(), audio.sample_rate_hz(), audio.channels())
    }

    fn frames_waiting(&self) -> usize {
        self.waiting.len() / usize::from(self.channels)
    }

    /// Lets so many frames leave, turned down by the side chain, or by silence where it has nothing.
    fn advance(&mut self, frames: usize, side_chain: &mut SideChain, out: &mut Outputs) {
        if frames == 0 {
            return;
        }
        let channels = usize::from(self.channels);
        let mut leaving = Vec::with_capacity(frames * channels);
        for _ in 0..frames {
            let amplitude = side_chain.amplitudes.pop_front().unwrap_or_else(|| {
                side_chain.missed += 1;
                0.0
            });
            let gain = self.follower.next(amplitude);
            leaving.extend(self.waiting.drain(..channels).map(|sample| (f64::from(sample) * gain) as f32));
        }
        let (pts_ns, frames_before) = self.last_packet;
        let distance_ns = |frames| frames_ns(frames, self.sample_rate_hz);
        let pts_ns = if self.frames_out < frames_before {
            pts_ns.saturating_sub(distance_ns(frames_before - self.frames_out))
        } else {
            pts_ns.saturating_add(distance_ns(self.frames_out - frames_before))
        };
        self.frames_out += frames as u64;
        out.push(Packet::new(
            pts_ns,
            Audio::from_f32_as(self.format, self.sample_rate_hz, self.channels, &leaving),
        ));
    }
}

impl SideChain {
    fn take(&mut self, audio: &Audio) {
        let samples = audio.to_f32();
        let peaks = samples
            .chunks_exact(usize::from(audio.channels()))
            // NaN never wins `max`; an infinity is as loud as a number can be.
            .map(|frame| frame.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs())).min(f32::MAX));
        let late = usize::try_from(self.missed).unwrap_or(usize::MAX).min(peaks.len());
        self.missed -= late as u64;
        self.amplitudes.extend(peaks.skip(late));
    }
}

impl Ducker {
    fn programme(&mut self, pts_ns: i64, audio: &Audio, out: &mut Outputs) -> Result<(), NodeError> {
        // A change of caps ends one stream and starts another.
        if let Some(mut ended) = self.stream.take_if(|stream| !stream.fits(audio)) {
            ended.advance(ended.frames_waiting(), &mut self.side_chain, out);
            if ended.sample_rate_hz != audio.sample_rate_hz() {
                self.side_chain = SideChain::default();
            }
        }
        same_rate(self.side_chain.sample_rate_hz, Some(audio.sample_rate_hz()))?;
        let stream = self.stream.get_or_insert_with(|| Stream::new(self.params, audio));
        stream.last_packet = (pts_ns, stream.frames_in);
        stream.waiting.extend(audio.to_f32());
        stream.frames_in = stream.frames_out + stream.frames_waiting() as u64;
        Ok(())
    }

    fn side_chain(&mut self, audio: &Audio) -> Result<(), NodeError> {
        let rate_hz = audio.sample_rate_hz();
        same_rate(Some(rate_hz), self.stream.as_ref().map(|stream| stream.sample_rate_hz))?;
        same_rate(Some(rate_hz), self.side_chain.sample_rate_hz)?;
        let ahead = self.side_chain.amplitudes.len() as u64;
        if ahead > u64::from(rate_hz) * u64::from(FARTHEST_AHEAD_S) {
            return Err(NodeError::invalid_input(format!(
                "`sidechain` is {FARTHEST_AHEAD_S} s ahead of `programme`: send both at the same pace"
            )));
        }
        self.side_chain.sample_rate_hz = Some(rate_hz);
        self.side_chain.take(audio);
        Ok(())
    }

    fn advance(&mut self, out: &mut Outputs) {
        let Some(stream) = &mut self.stream else { return };
        let longest_wait = stream.sample_rate_hz as usize * LONGEST_WAIT_S as usize;
        let overdue = stream.frames_waiting().saturating_sub(longest_wait);
        let frames = stream.frames_waiting().min(self.side_chain.amplitudes.len()).max(overdue);
        stream.advance(frames, &mut self.side_chain, out);
    }
}

fn same_rate(side_chain_hz: Option<u32>, other_hz: Option<u32>) -> Result<(), NodeError> {
    match (side_chain_hz, other_hz) {
        (Some(side_chain), Some(other)) if side_chain != other => Err(NodeError::invalid_input(format!(
            "`sidechain` has {side_chain} Hz where {other} Hz are expected: resample one of the inputs"
        ))),
        _ => Ok(()),
    }
}

impl Node for Ducker {
    type Params = Params;
    const INFO: Info = Info::new(
        "ducker",
        "Turns the programme down while the side chain speaks.",
        &[
            Port { name: "programme", kind: PayloadKind::Audio },
            Port { name: "sidechain", kind: PayloadKind::Audio },
        ],
        &[Port { name: "out", kind: PayloadKind::Audio }],
    );

    fn new(params: Params) -> Result<Self, NodeError> {
        let checks = [
            ("threshold_db", params.threshold_db, -100.0..=0.0),
            ("ratio", params.ratio, 1.0..=100.0),
            ("attack_ms", params.attack_ms, 0.1..=1000.0),
            ("release_ms", params.release_ms, 1.0..=10_000.0),
        ];
        for (name, value, range) in checks {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(NodeError::invalid_params(format!(
                    "{name} is {value}, must be from {least} to {most}"
                )));
            }
        }
        Ok(Self { params, stream: None, side_chain: SideChain::default() })
    }

    fn process(&mut self, port: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Payload::Audio(audio) = packet.payload else {
            return Err(NodeError::invalid_input("`ducker` takes audio"));
        };
        if port == 0 {
            self.programme(packet.pts_ns, &audio, out)?;
        } else {
            self.side_chain(&audio)?;
        }
        self.advance(out);
        Ok(())
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        if let Some(mut stream) = self.stream.take() {
            stream.advance(stream.frames_waiting(), &mut self.side_chain, out);
        }
        Ok(())
    }
}

remotemedia_node::export!(Ducker);

#[cfg(test)]
mod tests;
