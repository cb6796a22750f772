//! Writing flac, by flacenc, one block at a time: memory stays at one block whatever the length.
//!
//! 16-bit audio becomes 16-bit flac; s32 and f32 become 24-bit flac (rounded, saturated), the most that the
//! encoder writes. Up to 8 channels, as flac defines.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Stream};
use flacenc::config::Encoder;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};
use remotemedia_core::{AudioBuffer, AudioSpec, SampleFormat};

use super::{MediaError, OutputFile};

/// Frames of one block: what the reference encoder uses for rates above 8 kHz.
const BLOCK_FRAMES: usize = 4096;

/// A flac file being written.
pub struct FlacWriter {
    path: PathBuf,
    spec: AudioSpec,
    output: OutputFile,
    config: Verified<Encoder>,
    /// The stream without its frames: what the header is written from.
    stream: Stream,
    block: FrameBuf,
    digest: Context,
    pending: Vec<i32>,
    blocks_written: usize,
    frame_bytes: Option<(usize, usize)>,
}

impl FlacWriter {
    /// Begins a file of `spec`.
    ///
    /// # Errors
    /// When the file cannot be written, or flac cannot hold such audio.
    pub fn create(path: &Path, spec: AudioSpec) -> Result<Self, MediaError> {
        Self::to(path, OutputFile::create(path)?, spec)
    }

    /// Begins a file of `spec` in `file`, which will be `path`.
    ///
    /// # Errors
    /// As [`FlacWriter::create`].
    pub fn to(path: &Path, file: OutputFile, spec: AudioSpec) -> Result<Self, MediaError> {
        let bits = if spec.format == SampleFormat::S16 { 16 } else { 24 };
        let channels = usize::from(spec.channels);
        if channels > flacenc::constant::MAX_CHANNELS {
            return Err(MediaError::unsupported(
                path,
                format!(
                    "flac holds at most {} channels, this audio has {channels}; write wav",
                    flacenc::constant::MAX_CHANNELS
                ),
            ));
        }
        let refused = |reason: &dyn std::fmt::Display| {
            MediaError::unsupported(path, format!("flac cannot hold {spec} ({reason}); write wav"))
        };
        let stream =
            Stream::new(spec.sample_rate_hz as usize, channels, bits).map_err(|error| refused(&error))?;
        let mut writer = Self {
            path: path.into(),
            spec,
            output: file,
            config: Encoder::default().into_verified().map_err(|(_, error)| refused(&error))?,
            stream,
            block: FrameBuf::with_size(channels, BLOCK_FRAMES).map_err(|error| refused(&error))?,
            digest: Context::new(bits, channels),
            pending: Vec::with_capacity(2 * BLOCK_FRAMES * channels),
            blocks_written: 0,
            frame_bytes: None,
        };
        if !writer.output.is_seekable() {
            return Err(refused(&"its header is mended at the end, and this is not a regular file"));
        }
        writer.write_header()?;
        Ok(writer)
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
    /// When the disk is full.
    pub fn write(&mut self, audio: &AudioBuffer) -> Result<(), MediaError> {
        append_as_flac_samples(audio, &mut self.pending);
        let block_samples = BLOCK_FRAMES * usize::from(self.spec.channels);
        let mut pending = std::mem::take(&mut self.pending);
        let whole = pending.len() - pending.len() % block_samples;
        for block in pending[..whole].chunks_exact(block_samples) {
            self.write_block(block)?;
        }
        pending.drain(..whole);
        self.pending = pending;
        Ok(())
    }

    /// Writes the last block, mends the header and gives the file its name.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(mut self) -> Result<(), MediaError> {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.write_block(&rest)?;
        }
        let (total, digest) = (self.digest.total_samples(), self.digest.md5_digest());
        let (least, most) = self.frame_bytes.unwrap_or((0, 0));
        let info = self.stream.stream_info_mut();
        info.set_total_samples(total);
        info.set_md5_digest(&digest);
        let sized = info.set_frame_sizes(least, most);
        sized.map_err(|error| MediaError::unsupported(&self.path, error.to_string()))?;
        self.output.seek(SeekFrom::Start(0)).map_err(|source| MediaError::io("write", &self.path, source))?;
        self.write_header()?;
        self.output.commit()
    }

    fn write_header(&mut self) -> Result<(), MediaError> {
        let info = self.stream.stream_info_mut();
        let sized = info.set_block_sizes(BLOCK_FRAMES, BLOCK_FRAMES);
        sized.map_err(|error| MediaError::unsupported(&self.path, error.to_string()))?;
        let mut sink = ByteSink::new();
        self.stream
            .write(&mut sink)
            .map_err(|error| MediaError::unsupported(&self.path, error.to_string()))?;
        self.put(sink.as_slice())
    }

    fn write_block(&mut self, samples: &[i32]) -> Result<(), MediaError> {
        let bytes = self.encode(samples).map_err(|reason| {
            MediaError::unsupported(&self.path, format!("flac encoding failed: {reason}"))
        })?;
        let (least, most) = self.frame_bytes.unwrap_or((bytes.len(), bytes.len()));
        self.frame_bytes = Some((least.min(bytes.len()), most.max(bytes.len())));
        self.blocks_written += 1;
        self.put(&bytes)
    }

    fn encode(&mut self, samples: &[i32]) -> Result<Vec<u8>, String> {
        (&mut self.block, &mut self.digest).fill_interleaved(samples).map_err(|error| error.to_string())?;
        let frame = encode_fixed_size_frame(
            &self.config,
            &self.block,
            self.blocks_written,
            self.stream.stream_info(),
        )
        .map_err(|error| error.to_string())?;
        let mut sink = ByteSink::new();
        frame.write(&mut sink).map_err(|error| error.to_string())?;
        Ok(sink.into_inner())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), MediaError> {
        self.output.write_all(bytes).map_err(|source| MediaError::io("write", &self.path, source))
    }
}

/// Appends the samples at flac's width: 16 bits as they are, the others rounded to 24.
fn append_as_flac_samples(audio: &AudioBuffer, target: &mut Vec<i32>) {
    const FULL_SCALE: f32 = 8_388_608.0;
    if let Some(samples) = audio.as_i16() {
        target.extend(samples.iter().map(|&sample| i32::from(sample)));
    } else if let Some(samples) = audio.as_i32() {
        target.extend(samples.iter().map(|&sample| sample.saturating_add(0x80) >> 8));
    } else if let Some(samples) = audio.as_f32() {
        let to_24_bits =
            |sample: f32| (sample * FULL_SCALE).round_ties_even().clamp(-FULL_SCALE, FULL_SCALE - 1.0);
        target.extend(samples.iter().map(|&sample| to_24_bits(sample) as i32));
    }
}
