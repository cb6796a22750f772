//! Writing wav: hound's header, the samples as they are, and the two lengths mended at the end. Into a pipe the
//! lengths stay open, as recorders leave them.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hound::WavSpec;
use remotemedia_core::{AudioBuffer, AudioSpec, SampleFormat};

use super::{MediaError, OutputFile};

/// The largest data chunk that 32-bit sizes leave room for.
const MOST_DATA_BYTES: u64 = u32::MAX as u64 - 4096;

/// A wav file or stream being written, in the format of the audio it gets.
pub struct WavWriter {
    path: PathBuf,
    spec: AudioSpec,
    header_bytes: usize,
    data_bytes: u64,
    sink: Sink,
}

enum Sink {
    File(OutputFile),
    Stream(Box<dyn Write + Send>),
}

impl WavWriter {
    /// Begins a file of `spec`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path, spec: AudioSpec) -> Result<Self, MediaError> {
        Self::to(path, OutputFile::create(path)?, spec)
    }

    /// Begins a file of `spec` in `file`, which will be `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn to(path: &Path, file: OutputFile, spec: AudioSpec) -> Result<Self, MediaError> {
        Self::begin(path, spec, Sink::File(file))
    }

    /// Begins a stream of `spec` whose length stays open.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn stream(path: &Path, spec: AudioSpec, sink: Box<dyn Write + Send>) -> Result<Self, MediaError> {
        Self::begin(path, spec, Sink::Stream(sink))
    }

    fn begin(path: &Path, spec: AudioSpec, sink: Sink) -> Result<Self, MediaError> {
        let header = header_of(spec);
        let mut writer = Self { path: path.into(), spec, header_bytes: header.len(), data_bytes: 0, sink };
        writer.put(&header)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        match &mut self.sink {
            Sink::File(file) => file.write_all(bytes),
            Sink::Stream(sink) => sink.write_all(bytes),
        }
        .map_err(|source| MediaError::io("write", &self.path, source))
    }

    /// The file's name, or `-`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The spec that the writer was made with.
    #[must_use]
    pub fn spec(&self) -> AudioSpec {
        self.spec
    }

    /// Appends `audio`, which has the spec that the writer was made with.
    ///
    /// # Errors
    /// When the disk is full, or a file grows past what wav can describe (4 GiB).
    pub fn write(&mut self, audio: &AudioBuffer) -> Result<(), MediaError> {
        self.data_bytes += audio.as_bytes().len() as u64;
        if self.data_bytes > MOST_DATA_BYTES && matches!(self.sink, Sink::File(_)) {
            return Err(MediaError::unsupported(
                &self.path,
                "a wav file cannot hold more than 4 GiB; write flac, or wav through a pipe",
            ));
        }
        self.put(audio.as_bytes())
    }

    /// Mends the header and gives the file its name.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(self) -> Result<(), MediaError> {
        let lengths = [
            (4, self.header_bytes as u64 - 8 + self.data_bytes),
            (self.header_bytes as u64 - 4, self.data_bytes),
        ];
        match self.sink {
            Sink::Stream(mut sink) => {
                sink.flush().map_err(|source| MediaError::io("write", &self.path, source))
            }
            Sink::File(mut file) => {
                if file.is_seekable() {
                    for (at, length) in lengths {
                        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
                        file.seek(SeekFrom::Start(at))
                            .and_then(|_| file.write_all(&length))
                            .map_err(|source| MediaError::io("write", &self.path, source))?;
                    }
                }
                file.commit()
            }
        }
    }
}

/// The header up to and with the data chunk's length, which is its last four bytes.
fn header_of(spec: AudioSpec) -> Vec<u8> {
    let (bits_per_sample, sample_format) = match spec.format {
        SampleFormat::S16 => (16, hound::SampleFormat::Int),
        SampleFormat::S32 => (32, hound::SampleFormat::Int),
        SampleFormat::F32 => (32, hound::SampleFormat::Float),
    };
    WavSpec { channels: spec.channels, sample_rate: spec.sample_rate_hz, bits_per_sample, sample_format }
        .into_header_for_infinite_file()
}
