//! No file gets two results, and none that the run reads becomes a report: that would cost a recording or a result.

use std::path::{Path, PathBuf};

use super::inputs::Inputs;
use super::outputs::Outlets;
use crate::cli::args::RunOptions;
use crate::cli::failure::Failure;

/// Refuses options that name one file. An output may replace an input: it takes the name when everything is written.
pub fn refuse_clashes(
    manifest: Option<&Path>,
    options: &RunOptions,
    inputs: &Inputs,
    outlets: &Outlets,
) -> Result<(), Failure> {
    let told = [("--metrics", &options.metrics), ("--report", &options.report), ("--trace", &options.trace)];
    let told = told.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)));
    let told: Vec<(&str, &Path)> = told.collect();
    if let Some((option, _)) = told.iter().find(|(_, path)| path.as_os_str() == "-") {
        return Err(Failure::usage(format!("{option} takes the name of a file, and `-` is none")));
    }
    let outputs =
        outlets.files().map(|(_, _, path)| ("-o", path)).filter(|(_, path)| path.as_os_str() != "-");
    let mut read: Vec<(&str, &Path)> = inputs.files().map(|path| ("-i", path)).collect();
    read.extend(options.truth.as_deref().map(|path| ("--truth", path)));
    let mut taken: Vec<(&str, PathBuf)> = outputs.map(|(option, path)| (option, identity(path))).collect();
    taken.extend(manifest.map(|path| ("the manifest", identity(path))));
    taken.extend(read.into_iter().map(|(option, path)| (option, identity(path))));
    for (option, path) in told {
        refuse(&taken, option, path)?;
        taken.push((option, identity(path)));
    }
    Ok(())
}

fn refuse(taken: &[(&str, PathBuf)], option: &str, path: &Path) -> Result<(), Failure> {
    let identity = identity(path);
    // What is no plain file, such as /dev/null, may be written to by all.
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    match taken.iter().find(|(_, other)| *other == identity) {
        None => Ok(()),
        Some((other, _)) => Err(Failure::usage(format!(
            "{other} and {option} name the same file `{}`: one would overwrite the other",
            path.display()
        ))),
    }
}

/// The same for every name of a file, whether it exists or not.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize();
        match (folder, path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        }
    })
}
