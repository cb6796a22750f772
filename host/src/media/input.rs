//! Opening an audio file or pipe: finds the format by the first bytes, not by the name, and reads chunks.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom, stdin};
use std::path::{Path, PathBuf};

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{AudioBuffer, AudioSpec, Packet};
use symphonia::core::io::{MediaSource, ReadOnlySource};

use super::MediaError;
use super::decode::{Container, Decoder};
use super::pipe::Pipe;
use super::wav::{self, WavReader};

/// Bytes that are looked at to tell the format.
const SNIFF_BYTES: usize = 16;
/// Bytes read from the system at once.
const READ_BYTES: usize = 128 * 1024;
/// Samples of a chunk, of all channels together: 64 MiB of `f32`.
const MOST_CHUNK_SAMPLES: usize = 1 << 24;

/// An open audio stream that is read chunk by chunk.
pub struct AudioInput {
    path: PathBuf,
    spec: AudioSpec,
    total_frames: Option<u64>,
    frames_read: u64,
    source: Source,
}

enum Source {
    Wav(Box<WavReader<Box<dyn Read>>>),
    Decoded(Box<Decoder>),
}

impl AudioInput {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// When the file is missing, empty, truncated, or not wav, flac, mp3 or ogg/vorbis.
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        if path == Path::new("-") {
            return Self::open_pipe(path, stdin());
        }
        let mut file = File::open(path).map_err(|source| MediaError::io("open", path, source))?;
        let metadata = file.metadata().map_err(|source| MediaError::io("open", path, source))?;
        if metadata.is_dir() {
            return Err(not_audio(path, "it is a folder"));
        }
        if !metadata.is_file() {
            return Self::open_pipe(path, file);
        }
        let head = read_head(&mut file, path)?;
        file.seek(SeekFrom::Start(0)).map_err(|source| MediaError::io("read", path, source))?;
        let container = sniff(path, &head)?;
        if container == Container::Wav {
            let plain = wav::read_header(path, &mut BufReader::new(&file), Some(metadata.len()))?;
            if let Some(header) = plain {
                file.seek(SeekFrom::Start(header.data_start))
                    .map_err(|source| MediaError::io("read", path, source))?;
                let reader: Box<dyn Read> = Box::new(BufReader::with_capacity(READ_BYTES, file));
                return Ok(Self::from_wav(path, WavReader::new(path, reader, header)));
            }
            file.seek(SeekFrom::Start(0)).map_err(|source| MediaError::io("read", path, source))?;
        }
        Self::from_decoder(path, container, Box::new(file))
    }

    /// A stream that cannot seek: what was read to tell the format goes in front again.
    fn open_pipe(path: &Path, source: impl Read + Send + 'static) -> Result<Self, MediaError> {
        let mut pipe = Pipe::new(source).map_err(|source| MediaError::io("read", path, source))?;
        let head = read_head(&mut pipe, path)?;
        let container = sniff(path, &head)?;
        let whole = Cursor::new(head).chain(pipe);
        if container == Container::Wav {
            let mut reader: Box<dyn Read> = Box::new(BufReader::with_capacity(READ_BYTES, whole));
            let header = wav::read_header(path, &mut reader, None)?.ok_or_else(|| {
                MediaError::unsupported(
                    path,
                    "only PCM and float wav can come through a pipe; give the file by its name",
                )
            })?;
            return Ok(Self::from_wav(path, WavReader::new(path, reader, header)));
        }
        Self::from_decoder(path, container, Box::new(ReadOnlySource::new(whole)))
    }

    fn from_wav(path: &Path, reader: WavReader<Box<dyn Read>>) -> Self {
        Self {
            path: path.into(),
            spec: reader.spec(),
            total_frames: reader.total_frames(),
            frames_read: 0,
            source: Source::Wav(Box::new(reader)),
        }
    }

    fn from_decoder(
        path: &Path,
        container: Container,
        source: Box<dyn MediaSource>,
    ) -> Result<Self, MediaError> {
        let decoder = Decoder::open(path, container, source)?;
        Ok(Self {
            path: path.into(),
            spec: decoder.spec(),
            total_frames: decoder.total_frames(),
            frames_read: 0,
            source: Source::Decoded(Box::new(decoder)),
        })
    }

    /// The caps of what [`AudioInput::next_packet`] gives, in the file's natural format: s16 for up to 16 bits,
    /// s32 for more, f32 for float files and lossy codecs.
    #[must_use]
    pub fn spec(&self) -> AudioSpec {
        self.spec
    }

    /// The length in frames, when the header tells it.
    #[must_use]
    pub fn total_frames(&self) -> Option<u64> {
        self.total_frames
    }

    /// The file, or `-`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Frames of a chunk of `chunk_ms` milliseconds: at least one, and no more than make 16 Mi samples. A header can
    /// say 65,535 channels at 4 GHz.
    #[must_use]
    pub fn chunk_frames(&self, chunk_ms: u32) -> usize {
        let frames = u64::from(self.spec.sample_rate_hz) * u64::from(chunk_ms) / 1000;
        let most = MOST_CHUNK_SAMPLES / usize::from(self.spec.channels);
        usize::try_from(frames).unwrap_or(usize::MAX).clamp(1, most)
    }

    /// The next `frames` frames, fewer only at the end of the stream; `None` after it. The packet's time counts
    /// frames from the start of the file.
    ///
    /// # Errors
    /// When the file turns out to be truncated or damaged, or holds samples that are not numbers.
    pub fn next_packet(&mut self, frames: usize) -> Result<Option<Packet>, MediaError> {
        let chunk = match &mut self.source {
            Source::Wav(reader) => reader.next_chunk(frames)?,
            Source::Decoded(decoder) => decoder.next_chunk(frames)?,
        };
        let Some(chunk) = chunk else {
            if self.frames_read == 0 {
                return Err(MediaError::Empty { path: self.path.clone(), what: "it holds no audio frame" });
            }
            return Ok(None);
        };
        self.check_finite(&chunk)?;
        let pts_ns = frames_to_ns(self.frames_read, self.spec.sample_rate_hz);
        self.frames_read += chunk.frames() as u64;
        Ok(Some(Packet::new(pts_ns, chunk)))
    }

    /// NaN and infinities would spread through every filter behind them: they stop here, with their place.
    fn check_finite(&self, chunk: &AudioBuffer) -> Result<(), MediaError> {
        let Some(samples) = chunk.as_f32() else { return Ok(()) };
        // NaN and the infinities have every exponent bit set: one pass without a branch per sample.
        const EXPONENT: u32 = 0x7f80_0000;
        if samples.iter().fold(0, |most, sample| most.max(sample.to_bits() & EXPONENT)) < EXPONENT {
            return Ok(());
        }
        let at = samples.iter().position(|sample| !sample.is_finite()).unwrap_or(0);
        let frame = self.frames_read + (at / usize::from(self.spec.channels)) as u64;
        Err(MediaError::damaged(
            &self.path,
            format!(
                "the sample of channel {} at frame {frame} ({:.3} s) is {}, which is not a sound",
                at % usize::from(self.spec.channels),
                frame as f64 / f64::from(self.spec.sample_rate_hz),
                samples[at],
            ),
        ))
    }
}

fn not_audio(path: &Path, reason: impl Into<String>) -> MediaError {
    MediaError::NotAudio { path: path.into(), reason: reason.into() }
}

fn read_head(reader: &mut dyn Read, path: &Path) -> Result<Vec<u8>, MediaError> {
    let mut head = Vec::with_capacity(SNIFF_BYTES);
    let read = reader.take(SNIFF_BYTES as u64).read_to_end(&mut head);
    read.map_err(|source| MediaError::io("read", path, source))?;
    if head.is_empty() {
        return Err(MediaError::Empty { path: path.into(), what: "it has no bytes" });
    }
    Ok(head)
}

/// The container that a file's first bytes announce.
fn sniff(path: &Path, head: &[u8]) -> Result<Container, MediaError> {
    match head {
        [b'R', b'I', b'F' | b'X', b'F' | b'4' | b'X', ..] | [b'R', b'F', b'6', b'4', ..]
            if head.get(8..12) == Some(b"WAVE") =>
        {
            Ok(Container::Wav)
        }
        [b'f', b'L', b'a', b'C', ..] => Ok(Container::Flac),
        [b'O', b'g', b'g', b'S', ..] => Ok(Container::Ogg),
        [b'I', b'D', b'3', ..] => Ok(Container::Tagged),
        // An MPEG audio frame: eleven sync bits, a layer, a bit rate and a sample rate that exist.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0
                && second & 0x06 != 0
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c =>
        {
            Ok(Container::Mp3)
        }
        _ => Err(not_audio(path, describe_head(head))),
    }
}

fn describe_head(head: &[u8]) -> String {
    let known = match head {
        [b'{' | b'[', ..] => "it looks like JSON",
        [0x7f, b'E', b'L', b'F', ..] => "it is a program",
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, ..] => "it is an image",
        [0, b'a', b's', b'm', ..] => "it is a WebAssembly file",
        [b'P', b'K', ..] | [0x1f, 0x8b, ..] => "it is an archive",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "it is an mp4 file",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "it is a Matroska or WebM file",
        [b'F', b'O', b'R', b'M', ..] => "it is an AIFF file",
        _ if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            "it looks like text"
        }
        _ => "its first bytes belong to no known audio format",
    };
    known.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_found_by_the_first_bytes() {
        let path = Path::new("x");
        for (head, container) in [
            (&b"RIFF\0\0\0\0WAVEfmt "[..], Container::Wav),
            (b"RF64\0\0\0\0WAVEds64", Container::Wav),
            (b"fLaC\0\0\0\x22", Container::Flac),
            (b"OggS\0\x02", Container::Ogg),
            (b"ID3\x04\0", Container::Tagged),
            (b"\xff\xfb\x90\x64", Container::Mp3),
        ] {
            assert_eq!(sniff(path, head).unwrap(), container, "{head:?}");
        }
    }

    /// A wav of no samples yet, as it comes through a pipe: a format chunk of `size` bytes, and the samples open-ended.
    fn wav_head(size: u32, channels: u16, sample_rate_hz: u32) -> Vec<u8> {
        let mut head = b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec();
        head.extend(size.to_le_bytes());
        head.extend([1, 0]);
        head.extend(channels.to_le_bytes());
        head.extend(sample_rate_hz.to_le_bytes());
        head.extend([0; 4]);
        head.extend((channels.wrapping_mul(2)).to_le_bytes());
        head.extend([16, 0]);
        head.extend(b"data\xff\xff\xff\xff");
        head
    }

    fn through_a_pipe(bytes: Vec<u8>) -> Result<AudioInput, MediaError> {
        AudioInput::open_pipe(Path::new("-"), Cursor::new(bytes))
    }

    #[test]
    fn a_chunk_of_any_header_fits_into_the_memory() {
        let mut input = through_a_pipe(wav_head(16, 32_767, u32::MAX)).unwrap();
        let frames = input.chunk_frames(20);
        assert_eq!(frames, (1 << 24) / 32_767);
        assert!(matches!(input.next_packet(frames), Err(MediaError::Empty { .. })));
        assert_eq!(through_a_pipe(wav_head(16, 2, 48_000)).unwrap().chunk_frames(20), 960);
    }

    #[test]
    fn a_format_chunk_of_four_gibibytes_is_a_file_that_breaks_off() {
        assert!(matches!(through_a_pipe(wav_head(u32::MAX, 2, 48_000)), Err(MediaError::Truncated { .. })));
    }

    #[test]
    fn a_file_of_another_kind_is_named_in_the_error() {
        for (head, kind) in [
            (&b"{\"a\": 1}"[..], "JSON"),
            (b"RIFF\0\0\0\0AVI LIST", "no known audio format"),
            (b"\x89PNG\r\n\x1a\n", "image"),
            (b"\xff\xd8\xff\xe0", "image"),
            (b"hello world", "text"),
        ] {
            let error = sniff(Path::new("x"), head).unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
        }
    }
}
