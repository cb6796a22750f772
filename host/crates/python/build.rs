//! Binds the host to one Python: records which interpreter PyO3 was configured with, and tells this crate's tests
//! and every dependent where its libpython is, so that no binary loads another one of the same name.

use std::error::Error;
use std::process::Command;

/// Prints version, base prefix and executable, one per line.
const ASK: &str =
    "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix, sys.executable, sep='\\n')";

fn main() -> Result<(), Box<dyn Error>> {
    let config = pyo3_build_config::get();
    let executable = config.executable().ok_or("PyO3 was configured without an interpreter to ask")?;
    println!("cargo::rerun-if-changed={executable}");
    let output = Command::new(executable).args(["-c", ASK]).output()?;
    let answer = String::from_utf8(output.stdout)?;
    let [version, base_prefix, executable] = answer.lines().collect::<Vec<_>>()[..] else {
        return Err(
            format!("{executable} does not answer: {}", String::from_utf8_lossy(&output.stderr)).into()
        );
    };
    if version != config.version().to_string() {
        return Err(format!(
            "PyO3 was configured for Python {}, but {executable} is Python {version} now: run \
             `cargo clean -p pyo3-ffi -p pyo3 -p numpy` and build again",
            config.version()
        )
        .into());
    }
    println!("cargo::rustc-env=REMOTEMEDIA_BUILD_PYTHON_VERSION={version}");
    println!("cargo::rustc-env=REMOTEMEDIA_BUILD_PYTHON_BASE_PREFIX={base_prefix}");
    println!("cargo::rustc-env=REMOTEMEDIA_BUILD_PYTHON_EXECUTABLE={executable}");
    pyo3_build_config::use_pyo3_cfgs();
    pyo3_build_config::add_libpython_rpath_link_args();
    if let Some(folder) = config.lib_dir() {
        println!("cargo::metadata=libpython_dir={folder}");
    }
    Ok(())
}
