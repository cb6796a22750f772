//! Decoding what is not plain wav: flac, mp3, ogg/vorbis and compressed wav, by symphonia, packet by packet.
//!
//! Encoder delay and padding are trimmed where the file tells them. What a file announces and does not hold is
//! an error: a half-copied recording is not a short recording. Where a decoder panics, the file is damaged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use remotemedia_core::{AudioBuffer, AudioSpec, SampleFormat};
use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::default::formats::{FlacReader, MpaReader, OggReader, WavReader};

use super::MediaError;

/// The containers that are told apart by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Wav,
    Flac,
    Ogg,
    Mp3,
    /// An ID3 tag, with mp3 (or, against the rules, flac) behind it.
    Tagged,
}

impl Container {
    const fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::Mp3 | Self::Tagged => "mp3",
        }
    }
}

/// Samples that were decoded and not given out yet.
enum Pending {
    S16(Vec<i16>),
    S32(Vec<i32>),
    F32(Vec<f32>),
}

/// A compressed stream being decoded.
pub(super) struct Decoder {
    path: PathBuf,
    container: Container,
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    spec: AudioSpec,
    total_frames: Option<u64>,
    frames_given: u64,
    pending: Pending,
    ended: bool,
}

impl Decoder {
    pub fn open(path: &Path, container: Container, source: Box<dyn MediaSource>) -> Result<Self, MediaError> {
        unless_it_panics(|| Self::open_unguarded(path, container, source))
            .unwrap_or_else(|| Err(broken_down(path, container)))
    }

    fn open_unguarded(
        path: &Path,
        container: Container,
        source: Box<dyn MediaSource>,
    ) -> Result<Self, MediaError> {
        let reader = open_container(container, source).map_err(|error| at(path, container, error))?;
        let track = reader.default_track(TrackType::Audio).ok_or_else(|| {
            MediaError::unsupported(path, format!("this {} file has no audio track", container.name()))
        })?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio()).ok_or_else(|| {
            MediaError::unsupported(
                path,
                format!("the codec inside this {} file is unknown", container.name()),
            )
        })?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(|_| {
                MediaError::unsupported(
                    path,
                    format!("the codec inside this {} file is not one of those read here", container.name()),
                )
            })?;
        let (Some(sample_rate_hz), Some(channels)) = (params.sample_rate, params.channels.as_ref()) else {
            return Err(MediaError::damaged(path, "its header names no sample rate or channels"));
        };
        let channels = u16::try_from(channels.count()).unwrap_or(u16::MAX);
        if sample_rate_hz == 0 || channels == 0 {
            return Err(MediaError::damaged(
                path,
                format!("its header says {channels} channels at {sample_rate_hz} Hz"),
            ));
        }
        let (format, pending) = match (container, params.bits_per_sample) {
            (Container::Flac | Container::Wav, Some(..=16)) => (SampleFormat::S16, Pending::S16(Vec::new())),
            (Container::Flac, _) => (SampleFormat::S32, Pending::S32(Vec::new())),
            (Container::Wav, _) => (SampleFormat::S16, Pending::S16(Vec::new())),
            _ => (SampleFormat::F32, Pending::F32(Vec::new())),
        };
        let (track_id, total_frames) = (track.id, track.num_frames.filter(|&frames| frames > 0));
        Ok(Self {
            path: path.into(),
            container,
            reader,
            decoder,
            track_id,
            spec: AudioSpec { sample_rate_hz, channels, format },
            total_frames,
            frames_given: 0,
            pending,
            ended: false,
        })
    }

    pub fn spec(&self) -> AudioSpec {
        self.spec
    }

    pub fn total_frames(&self) -> Option<u64> {
        self.total_frames
    }

    /// Up to `frames` frames, fewer only at the end; `None` after it.
    pub fn next_chunk(&mut self, frames: usize) -> Result<Option<AudioBuffer>, MediaError> {
        let wanted = frames.saturating_mul(usize::from(self.spec.channels));
        let decoded = unless_it_panics(|| {
            while !self.ended && self.pending.len() < wanted {
                self.decode_packet()?;
            }
            Ok(())
        });
        decoded.unwrap_or_else(|| Err(broken_down(&self.path, self.container)))?;
        let audio = self.pending.take(wanted, self.spec);
        let audio = audio.map_err(|error| MediaError::damaged(&self.path, error))?;
        self.frames_given += audio.frames() as u64;
        if audio.is_empty() {
            self.check_length()?;
            return Ok(None);
        }
        Ok(Some(audio))
    }

    fn decode_packet(&mut self) -> Result<(), MediaError> {
        let packet = match self.reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => {
                self.ended = true;
                return Ok(());
            }
            Err(error) => return Err(self.fault(error)),
        };
        if packet.track_id != self.track_id {
            return Ok(());
        }
        match self.decoder.decode(&packet) {
            Ok(decoded) => {
                let spec = decoded.spec();
                if (spec.rate(), spec.channels().count())
                    != (self.spec.sample_rate_hz, usize::from(self.spec.channels))
                {
                    return Err(MediaError::unsupported(
                        &self.path,
                        format!(
                            "it changes from {} to {} channels at {} Hz in its middle",
                            self.spec,
                            spec.channels().count(),
                            spec.rate()
                        ),
                    ));
                }
                self.pending.append(&decoded);
                Ok(())
            }
            Err(error) => Err(self.fault(error)),
        }
    }

    fn fault(&self, error: Error) -> MediaError {
        let seconds = self.frames_given as f64 / f64::from(self.spec.sample_rate_hz);
        match error {
            Error::IoError(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
                MediaError::truncated(
                    &self.path,
                    format!("the {} stream breaks off after {seconds:.3} s", self.container.name()),
                )
            }
            error => match at(&self.path, self.container, error) {
                MediaError::Damaged { path, detail } => {
                    MediaError::Damaged { path, detail: format!("{detail}, after {seconds:.3} s") }
                }
                other => other,
            },
        }
    }

    /// Compares what came with what the header announced.
    fn check_length(&self) -> Result<(), MediaError> {
        match self.total_frames {
            Some(expected) if self.frames_given < expected => {
                let seconds = |frames: u64| frames as f64 / f64::from(self.spec.sample_rate_hz);
                Err(MediaError::truncated(
                    &self.path,
                    format!(
                        "its header announces {:.3} s of audio ({expected} frames), but {:.3} s ({} frames) are there",
                        seconds(expected),
                        seconds(self.frames_given),
                        self.frames_given
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// What `decode` gives; `None` when it panicked. The decoders are made for files of anybody, but not by us: a panic of
/// theirs is a fault of the file, which is not read on.
fn unless_it_panics<T>(decode: impl FnOnce() -> Result<T, MediaError>) -> Option<Result<T, MediaError>> {
    catch_unwind(AssertUnwindSafe(decode)).ok()
}

#[cold]
fn broken_down(path: &Path, container: Container) -> MediaError {
    MediaError::damaged(path, format!("the {} decoder broke down over it", container.name()))
}

fn open_container(
    container: Container,
    source: Box<dyn MediaSource>,
) -> Result<Box<dyn FormatReader>, Error> {
    let stream = MediaSourceStream::new(source, Default::default());
    let options = FormatOptions::default();
    Ok(match container {
        Container::Wav => Box::new(WavReader::try_new(stream, options)?),
        Container::Flac => Box::new(FlacReader::try_new(stream, options)?),
        Container::Ogg => Box::new(OggReader::try_new(stream, options)?),
        Container::Mp3 => Box::new(MpaReader::try_new(stream, options)?),
        Container::Tagged => symphonia::default::get_probe().probe(
            &Hint::new(),
            stream,
            options,
            MetadataOptions::default(),
        )?,
    })
}

fn at(path: &Path, container: Container, error: Error) -> MediaError {
    let name = container.name();
    match error {
        Error::IoError(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaError::truncated(path, format!("the {name} header breaks off"))
        }
        Error::IoError(source) => MediaError::io("read", path, source),
        Error::Unsupported(what) => {
            MediaError::unsupported(path, format!("this {name} file uses what is not read here ({what})"))
        }
        other => MediaError::damaged(path, format!("the {name} stream cannot be decoded ({other})")),
    }
}

impl Pending {
    fn len(&self) -> usize {
        match self {
            Self::S16(samples) => samples.len(),
            Self::S32(samples) => samples.len(),
            Self::F32(samples) => samples.len(),
        }
    }

    fn append(&mut self, decoded: &GenericAudioBufferRef<'_>) {
        let count = decoded.samples_interleaved();
        let start = self.len();
        match self {
            Self::S16(samples) => {
                samples.resize(start + count, 0);
                decoded.copy_to_slice_interleaved(&mut samples[start..]);
            }
            Self::S32(samples) => {
                samples.resize(start + count, 0);
                decoded.copy_to_slice_interleaved(&mut samples[start..]);
            }
            Self::F32(samples) => {
                samples.resize(start + count, 0.0);
                decoded.copy_to_slice_interleaved(&mut samples[start..]);
            }
        }
    }

    /// The first `wanted` samples (or all there are), as a buffer of their own.
    fn take(&mut self, wanted: usize, spec: AudioSpec) -> Result<AudioBuffer, String> {
        let (rate, channels) = (spec.sample_rate_hz, spec.channels);
        match self {
            Self::S16(samples) => AudioBuffer::from_i16(rate, channels, front(samples, wanted)),
            Self::S32(samples) => AudioBuffer::from_i32(rate, channels, front(samples, wanted)),
            Self::F32(samples) => AudioBuffer::from_f32(rate, channels, front(samples, wanted)),
        }
        .map_err(|error| error.to_string())
    }
}

fn front<T>(samples: &mut Vec<T>, wanted: usize) -> Vec<T> {
    let rest = samples.split_off(wanted.min(samples.len()));
    std::mem::replace(samples, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_breaks_its_decoder_is_damaged() {
        assert!(unless_it_panics(|| -> Result<(), _> { panic!("index out of bounds") }).is_none());
        assert!(matches!(unless_it_panics(|| Ok(7)), Some(Ok(7))));
        let text = broken_down(Path::new("x"), Container::Ogg).to_string();
        assert_eq!(text, "`x` is damaged: the ogg decoder broke down over it");
    }
}
