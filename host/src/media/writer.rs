//! What a file name says about its contents, and the writer that goes with it.

use std::path::Path;

use remotemedia_core::{AudioBuffer, AudioSpec};

use super::{FlacWriter, MediaError, OutputFile, WavWriter};

/// What a file holds, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `.wav`
    Wav,
    /// `.flac`
    Flac,
    /// `.jsonl` or `.ndjson`: one JSON value per line.
    JsonLines,
    /// `-`: standard input or output; what it holds shows itself.
    Pipe,
    /// Any other name.
    Other,
}

impl FileKind {
    /// The kind that the name of `path` announces.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        if path == Path::new("-") {
            return Self::Pipe;
        }
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("wav" | "wave") => Self::Wav,
            Some("flac") => Self::Flac,
            Some("jsonl" | "ndjson") => Self::JsonLines,
            _ => Self::Other,
        }
    }
}

/// An audio file or stream being written.
pub enum AudioWriter {
    /// wav.
    Wav(WavWriter),
    /// flac.
    Flac(Box<FlacWriter>),
}

impl AudioWriter {
    /// Begins `path` in the format that its name announces; `-` is wav on standard output.
    ///
    /// # Errors
    /// When the file cannot be written or its format cannot hold such audio.
    pub fn create(path: &Path, spec: AudioSpec) -> Result<Self, MediaError> {
        match FileKind::of(path) {
            FileKind::Wav | FileKind::Flac => Self::to(path, OutputFile::create(path)?, spec),
            FileKind::Pipe => Ok(Self::Wav(WavWriter::stream(path, spec, Box::new(std::io::stdout()))?)),
            FileKind::JsonLines | FileKind::Other => Err(no_audio(path)),
        }
    }

    /// Begins `path` in `file`, in the format that the name of `path` announces.
    ///
    /// # Errors
    /// As [`AudioWriter::create`].
    pub fn to(path: &Path, file: OutputFile, spec: AudioSpec) -> Result<Self, MediaError> {
        match FileKind::of(path) {
            FileKind::Wav => Ok(Self::Wav(WavWriter::to(path, file, spec)?)),
            FileKind::Flac => Ok(Self::Flac(Box::new(FlacWriter::to(path, file, spec)?))),
            _ => Err(no_audio(path)),
        }
    }

    /// Appends `audio`.
    ///
    /// # Errors
    /// When the audio's caps are not those the file began with, or the disk is full.
    pub fn write(&mut self, audio: &AudioBuffer) -> Result<(), MediaError> {
        let (began_with, path) = match self {
            Self::Wav(writer) => (writer.spec(), writer.path()),
            Self::Flac(writer) => (writer.spec(), writer.path()),
        };
        if audio.spec() != began_with {
            return Err(MediaError::unsupported(
                path,
                format!(
                    "the audio changed from {began_with} to {}, and a file has one format; put an AudioResample, \
                     ChannelMixer or FormatConverter node before it",
                    audio.spec()
                ),
            ));
        }
        match self {
            Self::Wav(writer) => writer.write(audio),
            Self::Flac(writer) => writer.write(audio),
        }
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(self) -> Result<(), MediaError> {
        match self {
            Self::Wav(writer) => writer.finish(),
            Self::Flac(writer) => writer.finish(),
        }
    }
}

fn no_audio(path: &Path) -> MediaError {
    MediaError::unsupported(path, "audio is written to .wav and .flac files, or to `-` as a wav stream")
}
