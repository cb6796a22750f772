//! Reading PCM and float wav, straight from the file into the samples of a chunk.
//!
//! Whole jobs are bound by reading; a general decoder copies every sample three times. Compressed wav (ADPCM,
//! A-law …) is left to the decoder. RF64 (files past 4 GiB) is understood, big-endian RIFX is not.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use remotemedia_core::{AudioBuffer, AudioSpec, SampleFormat};

use super::MediaError;

const TAG_PCM: u16 = 1;
const TAG_FLOAT: u16 = 3;
const TAG_EXTENSIBLE: u16 = 0xfffe;

/// How a sample is stored in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    U8,
    S16,
    S24,
    S32,
    F32,
    F64,
}

impl Encoding {
    const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    const fn format(self) -> SampleFormat {
        match self {
            Self::U8 | Self::S16 => SampleFormat::S16,
            Self::S24 | Self::S32 => SampleFormat::S32,
            Self::F32 | Self::F64 => SampleFormat::F32,
        }
    }
}

/// What a wav header says.
#[derive(Debug)]
pub(super) struct WavHeader {
    encoding: Encoding,
    sample_rate_hz: u32,
    channels: u16,
    /// Bytes of samples; `None` when a recorder left the length open.
    data_bytes: Option<u64>,
    /// Where the samples begin.
    pub data_start: u64,
}

/// Reads the chunks up to the samples. `Ok(None)`: the samples are compressed.
pub(super) fn read_header(
    path: &Path,
    reader: &mut dyn Read,
    file_len: Option<u64>,
) -> Result<Option<WavHeader>, MediaError> {
    let mut chunks = Chunks { path, reader, at: 0 };
    let riff = chunks.take::<12>()?;
    if riff.starts_with(b"RIFX") {
        return Err(MediaError::unsupported(path, "big-endian wav (RIFX) is not read"));
    }
    let mut long_data_bytes = None;
    let mut format = None;
    loop {
        let [a, b, c, d, size @ ..] = chunks.take::<8>()?;
        let size = u32::from_le_bytes(size);
        match &[a, b, c, d] {
            b"ds64" => {
                let body = chunks.body(size, 28)?;
                long_data_bytes = body.get(8..16).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
            }
            b"fmt " => format = Some(parse_format(path, &chunks.body(size, 40)?)?),
            b"data" => {
                let Some(format) = format else {
                    return Err(MediaError::damaged(path, "its samples come before their format"));
                };
                let Some((encoding, sample_rate_hz, channels)) = format else { return Ok(None) };
                let declared = if size == u32::MAX { long_data_bytes } else { Some(u64::from(size)) };
                let mut header =
                    WavHeader { encoding, sample_rate_hz, channels, data_bytes: None, data_start: chunks.at };
                header.data_bytes = data_length(path, declared, &header, file_len)?;
                return Ok(Some(header));
            }
            _ => chunks.skip(u64::from(size) + u64::from(size % 2))?,
        }
    }
}

/// How many bytes of samples there are. Recorders that write to a pipe leave 0 or a number near 2³¹ or 2³².
fn data_length(
    path: &Path,
    declared: Option<u64>,
    header: &WavHeader,
    file_len: Option<u64>,
) -> Result<Option<u64>, MediaError> {
    let there = file_len.map(|len| len.saturating_sub(header.data_start));
    let is_open = |bytes: u64| {
        (bytes == 0 && there != Some(0))
            || (0x7fff_f000..=0x7fff_ffff).contains(&bytes) && there.is_none_or(|there| there < bytes)
            || (0xffff_f000..=0xffff_ffff).contains(&bytes)
    };
    match declared {
        None => Ok(there),
        Some(bytes) if is_open(bytes) => Ok(there),
        Some(bytes) => match there {
            Some(there) if there < bytes => Err(truncated(path, header, bytes, there)),
            _ => Ok(Some(bytes)),
        },
    }
}

fn truncated(path: &Path, header: &WavHeader, expected: u64, found: u64) -> MediaError {
    let bytes_per_second = (header.encoding.bytes() * usize::from(header.channels)) as f64
        * f64::from(header.sample_rate_hz.max(1));
    MediaError::truncated(
        path,
        format!(
            "its header announces {:.3} s of audio ({expected} bytes), but {:.3} s ({found} bytes) are there",
            expected as f64 / bytes_per_second,
            found as f64 / bytes_per_second
        ),
    )
}

type Format = Option<(Encoding, u32, u16)>;

/// Takes the `fmt ` chunk apart; `None` for compressed samples.
fn parse_format(path: &Path, body: &[u8]) -> Result<Format, MediaError> {
    let word = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let (Some(tag), Some(channels), Some(block_align), Some(bits)) = (word(0), word(2), word(12), word(14))
    else {
        return Err(MediaError::damaged(path, "its format chunk is too short"));
    };
    let sample_rate_hz = body.get(4..8).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let tag = if tag == TAG_EXTENSIBLE { word(24).unwrap_or(0) } else { tag };
    if tag != TAG_PCM && tag != TAG_FLOAT {
        return Ok(None);
    }
    if sample_rate_hz == 0 || channels == 0 {
        return Err(MediaError::damaged(
            path,
            format!("its header says {channels} channels at {sample_rate_hz} Hz"),
        ));
    }
    if block_align % channels != 0 || u32::from(block_align / channels) != u32::from(bits).div_ceil(8) {
        return Err(MediaError::damaged(
            path,
            format!("a frame of {channels} channels of {bits} bits cannot be {block_align} bytes"),
        ));
    }
    let encoding = match (tag, block_align / channels) {
        (TAG_PCM, 1) => Encoding::U8,
        (TAG_PCM, 2) => Encoding::S16,
        (TAG_PCM, 3) => Encoding::S24,
        (TAG_PCM, 4) => Encoding::S32,
        (TAG_FLOAT, 4) => Encoding::F32,
        (TAG_FLOAT, 8) => Encoding::F64,
        _ => {
            return Err(MediaError::unsupported(path, format!("wav samples of {bits} bits are not read")));
        }
    };
    Ok(Some((encoding, sample_rate_hz, channels)))
}

struct Chunks<'a> {
    path: &'a Path,
    reader: &'a mut dyn Read,
    at: u64,
}

impl Chunks<'_> {
    fn cut(&self, source: io::Error) -> MediaError {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            MediaError::truncated(self.path, format!("the wav header breaks off after {} bytes", self.at))
        } else {
            MediaError::io("read", self.path, source)
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], MediaError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|source| self.cut(source))?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// A chunk's first `most` bytes; the rest is skipped.
    fn body(&mut self, size: u32, most: u32) -> Result<Vec<u8>, MediaError> {
        let mut bytes = vec![0; size.min(most) as usize];
        self.reader.read_exact(&mut bytes).map_err(|source| self.cut(source))?;
        self.at += bytes.len() as u64;
        self.skip(u64::from(size) + u64::from(size % 2) - bytes.len() as u64)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), MediaError> {
        let skipped = io::copy(&mut Read::take(&mut *self.reader, bytes), &mut io::sink())
            .map_err(|source| self.cut(source))?;
        self.at += skipped;
        if skipped < bytes { Err(self.cut(io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }
}

/// Reads the samples behind a header.
pub(super) struct WavReader<R> {
    path: PathBuf,
    reader: R,
    header: WavHeader,
    bytes_read: u64,
}

impl<R: Read> WavReader<R> {
    /// `reader` stands at the first sample.
    pub fn new(path: &Path, reader: R, header: WavHeader) -> Self {
        Self { path: path.into(), reader, header, bytes_read: 0 }
    }

    pub fn spec(&self) -> AudioSpec {
        AudioSpec {
            sample_rate_hz: self.header.sample_rate_hz,
            channels: self.header.channels,
            format: self.header.encoding.format(),
        }
    }

    pub fn total_frames(&self) -> Option<u64> {
        self.header.data_bytes.map(|bytes| bytes / self.frame_bytes() as u64)
    }

    fn frame_bytes(&self) -> usize {
        self.header.encoding.bytes() * usize::from(self.header.channels)
    }

    /// Up to `frames` frames; `None` at the end.
    pub fn next_chunk(&mut self, frames: usize) -> Result<Option<AudioBuffer>, MediaError> {
        let frame_bytes = self.frame_bytes();
        let left = self.header.data_bytes.map_or(u64::MAX, |bytes| bytes.saturating_sub(self.bytes_read));
        let frames = usize::try_from(left / frame_bytes as u64).unwrap_or(usize::MAX).min(frames);
        if frames == 0 {
            return Ok(None);
        }
        let samples = frames * usize::from(self.header.channels);
        let (rate, channels) = (self.header.sample_rate_hz, self.header.channels);
        let audio = match self.header.encoding {
            Encoding::S16 => AudioBuffer::from_i16(rate, channels, self.fill::<i16>(samples)?),
            Encoding::S32 => AudioBuffer::from_i32(rate, channels, self.fill::<i32>(samples)?),
            Encoding::F32 => AudioBuffer::from_f32(rate, channels, self.fill::<f32>(samples)?),
            Encoding::F64 => {
                let wide = self.fill::<f64>(samples)?;
                AudioBuffer::from_f32(rate, channels, wide.into_iter().map(|s| s as f32).collect())
            }
            Encoding::U8 => {
                let bytes = self.fill::<u8>(samples)?;
                let narrow = |byte: u8| (i16::from(byte) - 128) << 8;
                AudioBuffer::from_i16(rate, channels, bytes.into_iter().map(narrow).collect())
            }
            Encoding::S24 => {
                let bytes = self.fill::<[u8; 3]>(samples)?;
                let wide = |[low, middle, high]: [u8; 3]| i32::from_le_bytes([0, low, middle, high]);
                AudioBuffer::from_i32(rate, channels, bytes.into_iter().map(wide).collect())
            }
        };
        let audio = audio.map_err(|error| MediaError::damaged(&self.path, error.to_string()))?;
        Ok((!audio.is_empty()).then_some(audio))
    }

    /// Reads `samples` samples, fewer at the end of an open-ended stream (whole frames only).
    fn fill<T: bytemuck::Pod>(&mut self, samples: usize) -> Result<Vec<T>, MediaError> {
        let mut values = vec![T::zeroed(); samples];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        let read = read_fully(&mut self.reader, bytes)
            .map_err(|source| MediaError::io("read", &self.path, source))?;
        self.bytes_read += read as u64;
        if read < bytes.len() {
            if let Some(expected) = self.header.data_bytes {
                return Err(truncated(&self.path, &self.header, expected, self.bytes_read));
            }
            let whole = read / self.frame_bytes() * usize::from(self.header.channels);
            values.truncate(whole);
        }
        Ok(values)
    }
}

/// Reads until `buffer` is full or the stream ends.
fn read_fully(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
