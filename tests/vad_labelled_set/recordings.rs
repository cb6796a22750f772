//! The labelled set: made by `media/make_vad_set.py`, read into memory. It scores nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One recording with its true speech segments.
pub struct Recording {
    /// Kind of its background.
    pub noise: String,
    /// Signal-to-noise ratio in dB.
    pub snr_db: i64,
    /// Mono samples at [`SAMPLE_RATE_HZ`].
    pub samples: Vec<i16>,
    /// True segments, start and end in ns.
    pub segments: Vec<(i64, i64)>,
}

/// Rate of every recording.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Makes the set of `seed` in `folder` with the generator script.
pub fn make(python: &Path, folder: &Path, seed: u32) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("media/make_vad_set.py");
    let made = Command::new(python)
        .arg(&script)
        .args(["--seed", &seed.to_string(), "--out"])
        .arg(folder)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", python.display()));
    assert!(
        made.status.success(),
        "{} failed; it needs espeak-ng and numpy, which `make test` sets up:\n{}",
        script.display(),
        String::from_utf8_lossy(&made.stderr)
    );
}

/// Reads a set that [`make`] made.
pub fn read(folder: &Path) -> Vec<Recording> {
    let index = std::fs::read(folder.join("set.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["sample_rate_hz"], SAMPLE_RATE_HZ);
    index["recordings"].as_array().unwrap().iter().map(|entry| read_recording(folder, entry)).collect()
}

fn read_recording(folder: &Path, entry: &Value) -> Recording {
    let wav = std::fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap();
    assert_eq!(&wav[36..40], b"data", "Python's wave module writes a header of 44 bytes");
    let segments = entry["segments"].as_array().unwrap().iter();
    Recording {
        noise: entry["noise"].as_str().unwrap().into(),
        snr_db: entry["snr_db"].as_i64().unwrap(),
        samples: wav[44..].chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect(),
        segments: segments
            .map(|segment| (segment["start_ns"].as_i64().unwrap(), segment["end_ns"].as_i64().unwrap()))
            .collect(),
    }
}
