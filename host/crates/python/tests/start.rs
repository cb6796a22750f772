//! When the interpreter starts and which one it is. A process of its own: an interpreter starts once.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use remotemedia_core::{NodeManifest, Runtime};
use remotemedia_python::{CpythonConfig, CpythonRuntime, PYTHON_VERSION, VenvSource};

/// What another process of the same interpreter says.
fn ask(python: &Path, expression: &str) -> String {
    let code = format!("import sys, sysconfig, numpy, platform; print({expression})");
    let output = Command::new(python).args(["-c", &code]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn canonical(path: &str) -> PathBuf {
    Path::new(path).canonicalize().unwrap()
}

#[test]
fn the_interpreter_starts_with_the_first_python_node_and_is_the_one_the_host_was_built_with() {
    let runtime = CpythonRuntime::new(CpythonConfig::default());
    for foreign in ["PassThrough", "AudioResample", "gain", "audio-gain", "Magic"] {
        assert_eq!(runtime.describe(&NodeManifest::new("it", foreign)).unwrap(), None);
    }
    assert!(runtime.node_types().contains(&"SpectralCentroid".to_owned()));
    let mut ran = false;
    runtime.enter_thread(&mut || ran = true);
    assert!(ran);
    assert!(!runtime.is_started(), "asking about other runtimes' nodes started the interpreter");

    let mut sample = NodeManifest::new("it", "SpectralCentroid");
    sample.base_dir = "/".into();
    assert!(runtime.describe(&sample).unwrap().is_some());
    assert!(runtime.is_started());
    let info = runtime.info(Path::new("/")).unwrap();
    assert!(info.embedded);
    assert!(info.version.starts_with(&format!("{PYTHON_VERSION}.")), "{info:?}");
    let venv = info.venv.as_ref().unwrap();
    assert_eq!(venv.source, VenvSource::Build);
    let python = venv.executable();
    assert_eq!(info.version, ask(&python, "platform.python_version()"));
    assert_eq!(info.executable, python.to_str().unwrap());
    assert_eq!(info.prefix, ask(&python, "sys.prefix"));
    assert_eq!(canonical(&info.base_prefix), canonical(&ask(&python, "sys.base_prefix")));
    assert_eq!(info.numpy.as_deref(), Ok(ask(&python, "numpy.__version__").as_str()));
    let libpython = canonical(info.libpython.as_deref().unwrap());
    assert_eq!(libpython.parent().unwrap(), canonical(&ask(&python, "sysconfig.get_config_var('LIBDIR')")));
}
