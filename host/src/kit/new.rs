//! `node new`: a folder that builds and passes its test untouched. It appears whole or not at all.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use remotemedia_core::AudioBuffer;

use super::{KitError, Language, files, lock, name};
use crate::media::WavWriter;

/// Makes the folder `parent/name` of a node in `language`, and returns its path.
///
/// # Errors
/// When the name will not do, the folder exists, or it cannot be written.
pub fn create(parent: &Path, name: &str, language: Language) -> Result<PathBuf, KitError> {
    name::check(name)?;
    let target = parent.join(name);
    if target.symlink_metadata().is_ok() {
        return Err(KitError::Usage(format!(
            "`{}` is already there, and nothing is ever overwritten: choose another name, or remove it",
            target.display()
        )));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".remotemedia-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let unfinished = builder.tempdir_in(parent).map_err(|error| KitError::io("write in", parent, error))?;
    fill(unfinished.path(), name, language)?;
    fs::rename(unfinished.path(), &target).map_err(|error| KitError::io("make", &target, error))?;
    Ok(target)
}

fn fill(folder: &Path, name: &str, language: Language) -> Result<(), KitError> {
    let key = language.name();
    for (path, content) in files::below(&format!("templates/{key}")).chain(files::below("templates/any")) {
        let text = String::from_utf8_lossy(content);
        write(&folder.join(path), filled_in(&text, name, language).as_bytes())?;
    }
    let sdk = folder.join("sdk");
    for (path, content) in files::below(&format!("sdk/{key}")) {
        write(&sdk.join(path), content)?;
    }
    write(&sdk.join("LICENSE"), files::text("LICENSE").as_bytes())?;
    if language == Language::Rust {
        write(&folder.join("Cargo.lock"), lock::lock_of(name).as_bytes())?;
    }
    let golden = folder.join("golden/quieter");
    write_tones(&golden.join("input.wav"), 1.0)?;
    // -20 dB, from the formula: a tenth of the amplitude.
    write_tones(&golden.join("expected.wav"), 0.1)
}

/// A template's text with the node's name in it. The node itself is the guest `gain`, which says its name twice.
fn filled_in(text: &str, name: &str, language: Language) -> String {
    text.replace("{{component}}", &language.component(name))
        .replace("{{name}}", name)
        .replace("\"gain\"", &format!("\"{name}\""))
        .replace("The node `gain`", &format!("The node `{name}`"))
}

fn write(path: &Path, content: &[u8]) -> Result<(), KitError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| KitError::io("make", folder, error))?;
    }
    fs::write(path, content).map_err(|error| KitError::io("write", path, error))
}

/// A tenth of a second of two tones, 440 Hz on the left and 1000 Hz on the right, at 0.5 times `gain`.
fn write_tones(path: &Path, gain: f64) -> Result<(), KitError> {
    const RATE_HZ: u32 = 48_000;
    const FRAMES: u32 = 4_800;
    let sample =
        |frame: u32, hz: f64| (gain * 0.5 * (TAU * hz * f64::from(frame) / f64::from(RATE_HZ)).sin()) as f32;
    let samples = (0..FRAMES).flat_map(|frame| [sample(frame, 440.0), sample(frame, 1_000.0)]).collect();
    let audio =
        AudioBuffer::from_f32(RATE_HZ, 2, samples).map_err(|error| KitError::Usage(error.to_string()))?;
    let mut writer = WavWriter::create(path, audio.spec())?;
    writer.write(&audio)?;
    Ok(writer.finish()?)
}
