//! Binds the host to one Python: records which interpreter PyO3 was configured with, and tells this crate's tests
//! and every dependent where its libpython is, so that no binary loads another one of the same name.
//!
//! With PyO3's stable ABI there is nothing to bind: what is built is an extension module, and joins whichever
//! interpreter loads it.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use pyo3_build_config::PythonAbiKind;

/// Prints version, base prefix, library folder and executable, one per line.
const ASK: &str = "import sys, sysconfig; print('%d.%d' % sys.version_info[:2], sys.base_prefix, \
                   sysconfig.get_config_var('LIBDIR'), sys.executable, sep='\\n')";

fn main() -> Result<(), Box<dyn Error>> {
    let config = pyo3_build_config::get();
    pyo3_build_config::use_pyo3_cfgs();
    if let PythonAbiKind::Stable(_) = config.target_abi().kind() {
        record(&config.version().to_string(), "", "");
        return Ok(());
    }
    let configured = config.executable().ok_or("PyO3 was configured without an interpreter to ask")?;
    rerun_with(configured);
    let output = Command::new(configured).args(["-c", ASK]).output()?;
    let answer = String::from_utf8(output.stdout)?;
    let [version, base_prefix, lib_dir, executable] = answer.lines().collect::<Vec<_>>()[..] else {
        return Err(
            format!("{configured} does not answer: {}", String::from_utf8_lossy(&output.stderr)).into()
        );
    };
    let moved = cfg!(target_os = "linux") && config.lib_dir().is_some_and(|configured| configured != lib_dir);
    if version != config.version().to_string() || moved {
        return Err(format!(
            "PyO3 was configured for Python {} of {}, but {configured} is now Python {version} of {lib_dir}: run \
             `cargo clean -p pyo3-ffi` and build again",
            config.version(),
            config.lib_dir().unwrap_or_default(),
        )
        .into());
    }
    record(version, base_prefix, executable);
    pyo3_build_config::add_libpython_rpath_link_args();
    if let Some(folder) = config.lib_dir() {
        println!("cargo::metadata=libpython_dir={folder}");
    }
    Ok(())
}

fn record(version: &str, base_prefix: &str, executable: &str) {
    println!("cargo::rustc-env=REMOTEMEDIA_BUILD_PYTHON_VERSION={version}");
    println!("cargo::rustc-env=REMOTEMEDIA_BUILD_PYTHON_BASE_PREFIX={base_prefix}");
    println!("cargo::rustc-env=REMOTEMEDIA_BUILD_PYTHON_EXECUTABLE={executable}");
}

/// Asks again when the interpreter changes; a new virtual environment in the same place has a new `pyvenv.cfg`.
fn rerun_with(executable: &str) {
    println!("cargo::rerun-if-changed={executable}");
    let environment = Path::new(executable).parent().and_then(Path::parent);
    if let Some(settings) = environment.map(|folder| folder.join("pyvenv.cfg")).filter(|path| path.is_file())
    {
        println!("cargo::rerun-if-changed={}", settings.display());
    }
}
