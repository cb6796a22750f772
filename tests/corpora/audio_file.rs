//! An audio file of anybody's: samples within the caps that its header declares, or an error in words.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use remotemedia_core::audio::frames_to_ns;
use remotemedia_core::{AudioSpec, Payload};

use super::here::media::{AudioInput, MediaError};
use super::scratch;

/// Blocks are read as `remotemedia run` reads them.
const CHUNK_MS: u32 = 20;
/// What is read of one file at most, in samples: a compressed second of silence is a few bytes.
const MOST_SAMPLES: u64 = 1 << 22;
/// What a pipe takes before somebody reads.
const PIPE_BYTES: usize = 60_000;
/// An error is a paragraph.
const LONGEST_ERROR: usize = 2 << 10;

/// Reads `data` from a file and, where it fits, through a pipe.
pub fn audio_file(data: &[u8]) {
    let file = scratch::file("audio", data, read);
    if data.len() <= PIPE_BYTES {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(data).unwrap();
        drop(writer);
        let pipe = read(Path::new(&format!("/proc/self/fd/{}", reader.as_raw_fd())));
        // A pipe cannot tell how long it is: it may fail later, or not see that a file is cut off.
        if let (Ok(file), Ok(pipe)) = (file, pipe) {
            assert_eq!(file, pipe, "a pipe gives other samples than the file");
        }
    }
}

/// Everything in the file: its caps, and a digest of its samples.
#[derive(Debug, PartialEq)]
struct Heard {
    spec: AudioSpec,
    frames: u64,
    digest: u64,
}

fn read(path: &Path) -> Result<Heard, MediaError> {
    hear(path).inspect_err(|error| {
        let text = error.to_string();
        assert!(!text.is_empty() && text.len() <= LONGEST_ERROR, "an error of {} bytes", text.len());
    })
}

fn hear(path: &Path) -> Result<Heard, MediaError> {
    let mut input = AudioInput::open(path)?;
    let spec = input.spec();
    assert!(spec.sample_rate_hz > 0 && spec.channels > 0, "{spec:?}");
    let chunk = input.chunk_frames(CHUNK_MS);
    let mut heard = Heard { spec, frames: 0, digest: 0xcbf2_9ce4_8422_2325 };
    while heard.frames * u64::from(spec.channels) < MOST_SAMPLES {
        let Some(packet) = input.next_packet(chunk)? else {
            let total = input.total_frames().unwrap_or_default();
            assert!(heard.frames >= total, "{} of {total} frames, and no error", heard.frames);
            break;
        };
        assert_eq!(packet.pts_ns, frames_to_ns(heard.frames, spec.sample_rate_hz));
        let Payload::Audio(audio) = packet.payload else { panic!("no audio") };
        assert_eq!(audio.spec(), spec);
        assert!(audio.frames() > 0 && audio.frames() <= chunk, "{} frames", audio.frames());
        assert!(audio.duration_ns() >= 0);
        if let Some(samples) = audio.as_f32() {
            assert!(samples.iter().all(|sample| sample.is_finite()), "a sample is no number");
        }
        // FNV-1a.
        for byte in audio.as_bytes() {
            heard.digest = (heard.digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        heard.frames += audio.frames() as u64;
    }
    Ok(heard)
}
