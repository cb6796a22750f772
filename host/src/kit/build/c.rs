//! C: clang with WASI's C library, and the linker for components that comes with Rust.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Config;
use crate::kit::tool::{answer, command, find, run};
use crate::kit::{KitError, Project};

/// The newest first; a bare `clang` where a distribution knows only one.
const CLANGS: [&str; 8] =
    ["clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang"];
const CLANG: (&str, &str) = (
    "it compiles nodes in C",
    "apt install --no-install-recommends clang-19 libclang-rt-19-dev-wasm32 wasi-libc (or the newest version there is)",
);
const RUSTC: (&str, &str) = ("its linkers make components of nodes in C, too", "https://rustup.rs");
const COMPILE: [&str; 9] = [
    "--target=wasm32-wasi",
    "-Wno-deprecated",
    "--sysroot=/usr",
    "-mexec-model=reactor",
    "-O3",
    "-msimd128",
    "-Wall",
    "-Isdk",
    "-Wl,--component-type=sdk/wit",
];

pub(super) fn build(config: &Config, project: &Project) -> Result<(), KitError> {
    let clang = clang(config, &project.folder)?;
    let linkers = linkers(config, &project.folder)?;
    let mut compile = command(clang, &project.folder);
    compile.args(COMPILE).arg("-Wl,--strip-all");
    compile.arg(format!("-B{}", linkers.join("gcc-ld").display()));
    compile.arg(format!("-fuse-ld={}", linkers.join("wasm-component-ld").display()));
    for sources in ["src", "sdk", "sdk/generated"] {
        compile.args(c_files(&project.folder, sources)?);
    }
    compile.arg("-o").arg(&project.relative_component);
    run(compile, CLANG)
}

/// The newest clang that has its run-time library for WebAssembly.
fn clang(config: &Config, folder: &Path) -> Result<PathBuf, KitError> {
    let mut without_library = None;
    for name in CLANGS {
        let program = find(config, name);
        let mut ask = command(&program, folder);
        ask.args(["--target=wasm32-wasi", "-rtlib=compiler-rt", "-print-libgcc-file-name"]);
        match answer(ask, CLANG) {
            Ok(Some(library)) if Path::new(&library).is_file() => return Ok(program),
            Ok(_) => without_library = without_library.or(Some(name)),
            Err(_) => {}
        }
    }
    let what = match without_library {
        Some(name) => format!("`{name}` is there, but not its run-time library for wasm32"),
        None => {
            "`clang` (16 or newer) is neither in REMOTEMEDIA_TOOLS nor on the PATH; it compiles nodes in C"
                .into()
        }
    };
    Err(KitError::ToolMissing { what, install: CLANG.1.into() })
}

/// The folder of the linkers that come with Rust.
fn linkers(config: &Config, folder: &Path) -> Result<PathBuf, KitError> {
    let ask = |args: &[&str]| {
        let mut rustc = command(find(config, "rustc"), folder);
        rustc.args(args);
        answer(rustc, RUSTC).map(Option::unwrap_or_default)
    };
    let version = ask(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let linkers = Path::new(&ask(&["--print", "sysroot"])?).join("lib/rustlib").join(host).join("bin");
    if linkers.join("wasm-component-ld").is_file() {
        return Ok(linkers);
    }
    Err(KitError::ToolMissing {
        what: format!("Rust is there, but no wasm-component-ld in {}", linkers.display()),
        install: "Rust 1.82 or newer with rustup, https://rustup.rs".into(),
    })
}

/// The C files of a folder, relative to the node's folder, sorted.
fn c_files(folder: &Path, sources: &str) -> Result<Vec<PathBuf>, KitError> {
    let path = folder.join(sources);
    let entries = fs::read_dir(&path).map_err(|error| KitError::io("read", &path, error))?;
    let names = entries.filter_map(|entry| Some(Path::new(sources).join(entry.ok()?.file_name())));
    let mut files: Vec<PathBuf> =
        names.filter(|name| name.extension().is_some_and(|kind| kind == "c")).collect();
    files.sort();
    Ok(files)
}
