//! Whole inputs and outputs of a golden case: audio as one buffer, values as a list. Golden files are small; what
//! streams is `remotemedia run`.

use std::path::Path;

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{AudioBuffer, AudioSpec, Packet, Payload, PayloadKind};
use serde_json::Value;

use super::KitError;
use crate::media::{AudioInput, AudioWriter, FileKind, JsonLines, JsonLinesWriter};

/// A golden file holds no more: 64 MiB of samples, or as many values.
const MOST_BYTES: usize = 64 << 20;
const MOST_VALUES: usize = 1_000_000;
const READ_FRAMES: usize = 1 << 14;

/// Everything that goes through one port.
#[derive(Clone, Debug)]
pub(super) enum Stream {
    Audio(AudioBuffer),
    Values(Vec<Value>),
}

/// How audio is cut into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Milliseconds(u32),
    Frames(usize),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Milliseconds(ms) => write!(f, "{ms} ms"),
            Self::Frames(1) => f.write_str("1 frame"),
            Self::Frames(frames) => write!(f, "{frames} frames"),
        }
    }
}

impl Cut {
    fn frames(self, sample_rate_hz: u32) -> usize {
        match self {
            Self::Frames(frames) => frames.max(1),
            Self::Milliseconds(ms) => {
                let frames = u64::from(sample_rate_hz) * u64::from(ms) / 1000;
                usize::try_from(frames).unwrap_or(usize::MAX).max(1)
            }
        }
    }
}

impl Stream {
    /// Reads an audio file or a `.jsonl` file.
    pub fn read(path: &Path) -> Result<Self, KitError> {
        if FileKind::of(path) == FileKind::JsonLines {
            return Self::read_values(path);
        }
        let mut input = AudioInput::open(path)?;
        let spec = input.spec();
        let mut samples = Samples { spec, bytes: Vec::new() };
        while let Some(packet) = input.next_packet(READ_FRAMES)? {
            if let Payload::Audio(audio) = &packet.payload {
                samples.bytes.extend_from_slice(audio.as_bytes());
            }
            if samples.bytes.len() > MOST_BYTES {
                return Err(too_large(path, "64 MiB of samples"));
            }
        }
        samples.whole().map(Self::Audio)
    }

    fn read_values(path: &Path) -> Result<Self, KitError> {
        let mut lines = JsonLines::open(path)?;
        let mut values = Vec::new();
        while let Some(value) = lines.next_value()? {
            if values.len() == MOST_VALUES {
                return Err(too_large(path, "a million values"));
            }
            values.push(value);
        }
        Ok(Self::Values(values))
    }

    /// Writes `path`, whose ending fits.
    pub fn write(&self, path: &Path) -> Result<(), KitError> {
        match self {
            Self::Audio(audio) => {
                let mut writer = AudioWriter::create(path, audio.spec())?;
                writer.write(audio)?;
                writer.finish()?;
            }
            Self::Values(values) => {
                let mut writer = JsonLinesWriter::create(path)?;
                values.iter().try_for_each(|value| writer.write(value))?;
                writer.finish()?;
            }
        }
        Ok(())
    }

    /// The packets of this stream for an input of `kind`.
    pub fn packets(&self, cut: Cut, kind: PayloadKind) -> Vec<Packet> {
        match self {
            Self::Audio(audio) => {
                let rate = audio.spec().sample_rate_hz;
                let frames = cut.frames(rate);
                let starts = (0..audio.frames()).step_by(frames);
                starts
                    .map(|start| {
                        let block = audio.slice_frames(start, frames.min(audio.frames() - start));
                        Packet::new(frames_to_ns(start as u64, rate), block)
                    })
                    .collect()
            }
            Self::Values(values) => values.iter().map(|value| Packet::new(0, payload(value, kind))).collect(),
        }
    }
}

/// As `remotemedia run` does: a string is text for a text port, JSON everywhere else.
fn payload(value: &Value, kind: PayloadKind) -> Payload {
    match (kind, value) {
        (PayloadKind::Text, Value::String(text)) => Payload::Text(text.as_str().into()),
        (_, value) => value.clone().into(),
    }
}

fn too_large(path: &Path, limit: &str) -> KitError {
    KitError::Usage(format!(
        "`{}` holds more than {limit}, which is too much for a golden case",
        path.display()
    ))
}

/// Samples that are being put together again.
pub(super) struct Samples {
    pub spec: AudioSpec,
    pub bytes: Vec<u8>,
}

impl Samples {
    pub fn whole(&self) -> Result<AudioBuffer, KitError> {
        AudioBuffer::from_bytes(self.spec, &self.bytes).map_err(|error| KitError::Usage(error.to_string()))
    }
}
