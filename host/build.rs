//! Lets the binary find the libpython it was linked with, and passes the folder on to the tests and benches.
//! Lists the files that `node new` copies, so that the binary holds exactly what the repository has.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What is embedded: a folder or file, relative to this package, and the name it gets. `embedded` holds links to other
/// folders of the repository, because a source package of this crate holds nothing from outside it; nor does it hold a
/// folder with a `Cargo.toml`, so that one is called `Cargo.toml.in` here.
const EMBEDDED: [(&str, &str); 16] = [
    ("src/kit/templates", "templates"),
    // A new node begins as the guest `gain`.
    ("embedded/gain/gain.rs", "templates/rust/src/lib.rs"),
    ("embedded/gain/gain.py", "templates/python/src/node.py"),
    ("embedded/gain/gain.js", "templates/js/src/node.js"),
    ("embedded/gain/gain.c", "templates/c/src/node.c"),
    ("embedded/rust/Cargo.toml.in", "sdk/rust/Cargo.toml"),
    ("embedded/rust/src", "sdk/rust/src"),
    ("embedded/wit", "sdk/rust/wit"),
    ("embedded/python", "sdk/python"),
    ("embedded/wit", "sdk/python/wit"),
    ("embedded/js", "sdk/js"),
    ("embedded/wit", "sdk/js/wit"),
    ("embedded/c", "sdk/c"),
    ("embedded/wit", "sdk/c/wit"),
    ("embedded/guests.lock", "rust/Cargo.lock"),
    ("embedded/LICENSE", "LICENSE"),
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
        // Where the links lead, which is what changes.
        let source = package.join(source).canonicalize()?;
        println!("cargo::rerun-if-changed={}", source.display());
        embed(&source, name, &mut list)?;
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
            embed(&entry, &format!("{name}/{}", part.trim_end_matches(".in")), list)?;
        }
    }
    Ok(())
}
