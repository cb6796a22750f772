//! The input of the checks: a signal that is loud, soft and silent in turn, cut in any way, in order of time.

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{AudioBuffer, AudioError, AudioSpec, Packet, Port, SampleFormat};

use super::running::Feed;

/// The frames of a block where nothing else is said: 10 ms at 48 kHz.
pub(super) const BLOCK: usize = 480;

/// A small generator of pseudo-random numbers (xorshift64*, Vigna 2016): the same seed gives the same checks.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// From 0 to `end`, which is left out.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// From 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 53) as f64
    }
}

/// How a stream is cut into packets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// Blocks of so many frames, the last one shorter.
    Every(usize),
    /// Blocks of 1 to 4,096 frames, every eighth one empty; by that seed.
    Random(u64),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Every(frames) => write!(f, "blocks of {frames}"),
            Self::Random(seed) => write!(f, "random and empty blocks (seed {seed})"),
        }
    }
}

/// What is fed: which caps, how long, how cut, from when on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub spec: AudioSpec,
    pub frames: usize,
    pub cut: Cut,
    pub start_ns: i64,
    pub seed: u64,
}

/// Cuts `audio` into packets for `port`. Packets of even cuts share storage, those of random cuts own theirs, so
/// that nodes which recycle what they are given do both.
pub(super) fn cut(recipe: &Recipe, port: u16, audio: &AudioBuffer) -> Vec<Feed> {
    let mut packets = Vec::new();
    let (mut start, mut random) = (0, Random::new(u64::from(port) + 1));
    if let Cut::Random(seed) = recipe.cut {
        random = Random::new(seed.wrapping_mul(31) + u64::from(port));
    }
    while start < audio.frames() {
        let frames = match recipe.cut {
            Cut::Every(frames) => frames.max(1),
            Cut::Random(_) if random.below(8) == 0 => 0,
            Cut::Random(_) => {
                let most = 1 << random.below(13);
                1 + random.below(most)
            }
        };
        let mut block = audio.slice_frames(start, frames);
        if let Cut::Random(_) = recipe.cut {
            block = AudioBuffer::from_bytes(block.spec(), block.as_bytes()).unwrap_or(block);
        }
        let pts_ns = recipe.start_ns + frames_to_ns(start as u64, audio.spec().sample_rate_hz);
        start += block.frames();
        packets.push((Port(port), Packet::new(pts_ns, block)));
    }
    packets
}

/// The packets of all ports in the order in which a pipeline hands them out: by time, then by port.
pub(super) fn merged(ports: Vec<Vec<Feed>>) -> Vec<Feed> {
    let mut all: Vec<Feed> = ports.into_iter().flatten().collect();
    all.sort_by_key(|(port, packet)| (packet.pts_ns, *port));
    all
}

/// Two tones and noise, in bursts with silence between them; every channel and seed differs. At most ±0.75, on the
/// grid of 16-bit samples, so that every format holds exactly the same values.
pub(super) fn signal(spec: AudioSpec, frames: usize, seed: u64) -> Result<AudioBuffer, AudioError> {
    let mut noise = Random::new(seed);
    let rate = f64::from(spec.sample_rate_hz);
    let mut samples = Vec::with_capacity(frames * usize::from(spec.channels));
    for frame in 0..frames {
        let time = frame as f64 / rate;
        // 0.3 s of signal that fades, 0.1 s of silence.
        let within = time % 0.4;
        let level = if within < 0.3 { 1.0 - within } else { 0.0 };
        for channel in 0..spec.channels {
            let pitch = std::f64::consts::TAU * time * (1.0 + f64::from(channel) / 7.0 + seed as f64 / 13.0);
            let tones = 0.35 * (220.0 * pitch).sin() + 0.2 * (1_733.0 * pitch).sin();
            samples.push(level * (tones + 0.4 * (noise.fraction() - 0.5)));
        }
    }
    encoded(spec, &samples)
}

/// Samples of full scale ±1.0 in the format of `spec`, rounded to 16 bits.
fn encoded(spec: AudioSpec, samples: &[f64]) -> Result<AudioBuffer, AudioError> {
    let steps = samples.iter().map(|sample| (sample * 32_768.0).round() as i16);
    match spec.format {
        SampleFormat::S16 => AudioBuffer::from_i16(spec.sample_rate_hz, spec.channels, steps.collect()),
        SampleFormat::S32 => {
            let wide = steps.map(|step| i32::from(step) << 16).collect();
            AudioBuffer::from_i32(spec.sample_rate_hz, spec.channels, wide)
        }
        SampleFormat::F32 => {
            let floats = steps.map(|step| f32::from(step) / 32_768.0).collect();
            AudioBuffer::from_f32(spec.sample_rate_hz, spec.channels, floats)
        }
    }
}
