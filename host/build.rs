//! Lets the binary find the libpython it was linked with, and passes the folder on to the tests and benches.
//! Lists the files that `node new` copies, so that the binary holds exactly what the repository has.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What is embedded: a folder or file, relative to this package, and the name it gets.
const EMBEDDED: [(&str, &str); 14] = [
    ("src/kit/templates", "templates"),
    // A new node begins as the guest `gain`.
    ("../guest-nodes/rust/gain/src/lib.rs", "templates/rust/src/lib.rs"),
    ("../guest-nodes/python/gain/gain.py", "templates/python/src/node.py"),
    ("../guest-nodes/js/gain/gain.js", "templates/js/src/node.js"),
    ("../guest-nodes/c/gain/gain.c", "templates/c/src/node.c"),
    ("../guest-nodes/rust/sdk", "sdk/rust"),
    ("../guest-nodes/python/sdk", "sdk/python"),
    ("../wit/v0.1.0", "sdk/python/wit"),
    ("../guest-nodes/js/sdk", "sdk/js"),
    ("../wit/v0.1.0", "sdk/js/wit"),
    ("../guest-nodes/c/sdk", "sdk/c"),
    ("../wit/v0.1.0", "sdk/c/wit"),
    ("../guest-nodes/rust/Cargo.lock", "rust/Cargo.lock"),
    ("../LICENSE", "LICENSE"),
];

/// What builds leave behind.
const LEFT_OUT: [&str; 5] = ["target", "node_modules", "__pycache__", "build", "dist"];

fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(folder) = std::env::var("DEP_REMOTEMEDIA_PYTHON_LIBPYTHON_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
        println!("cargo::metadata=libpython_dir={folder}");
    }
    let package = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let mut list = String::from("&[\n");
    for (source, name) in EMBEDDED {
        println!("cargo::rerun-if-changed={source}");
        embed(&package.join(source), name, &mut list)?;
    }
    list.push(']');
    fs::write(Path::new(&std::env::var("OUT_DIR")?).join("kit_files.rs"), list)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

fn embed(path: &Path, name: &str, list: &mut String) -> Result<(), Box<dyn Error>> {
    if !path.is_dir() {
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.canonicalize()?)?;
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        let part = entry.file_name().and_then(|part| part.to_str()).ok_or("a file name is not UTF-8")?;
        if !LEFT_OUT.contains(&part) && (name.starts_with("templates") || !part.ends_with(".test.js")) {
            embed(&entry, &format!("{name}/{part}"), list)?;
        }
    }
    Ok(())
}
