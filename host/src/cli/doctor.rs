//! `doctor`: what this machine has for running nodes, and the command that mends what is missing.

use std::process::Command;

use crate::Host;
use crate::report::{Align, Table};
use crate::{InterpreterInfo, WASMTIME_VERSION};
use serde_json::json;

use super::console;
use super::failure::Failure;

/// One finding.
struct Check {
    name: &'static str,
    /// `None`: not needed to run what is installed, only to build more.
    ok: Option<bool>,
    found: String,
    mend: Option<String>,
}

pub fn doctor(host: &Host, as_json: bool) -> Result<(), Failure> {
    let checks = [
        version(),
        native(host),
        wasmtime(),
        compiler(host),
        python(host),
        numpy(host),
        python_sandbox(host),
        cache(host),
        wasm_target(),
    ];
    let healthy = checks.iter().all(|check| check.ok != Some(false));
    if as_json {
        let checks: Vec<_> = checks
            .iter()
            .map(
                |check| json!({"name": check.name, "ok": check.ok, "found": check.found, "mend": check.mend}),
            )
            .collect();
        console::write_json(&json!({"status": if healthy { "ok" } else { "unhealthy" }, "checks": checks}))?;
    } else {
        console::write(&render(&checks))?;
    }
    if healthy {
        Ok(())
    } else {
        Err(Failure::unhealthy("some of what nodes need is missing; see `mend` above"))
    }
}

fn render(checks: &[Check]) -> String {
    let mut table = Table::new(&[("", Align::Left), ("WHAT", Align::Left), ("FOUND", Align::Left)]);
    for check in checks {
        let mark = match check.ok {
            Some(true) => "ok",
            Some(false) => "MISSING",
            None => "-",
        };
        table.row([mark, check.name, &check.found]);
        if let Some(mend) = &check.mend {
            table.row(["", "  mend:", mend]);
        }
    }
    table.to_string()
}

fn version() -> Check {
    let found =
        format!("{} ({}, {})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    Check { name: "remotemedia", ok: Some(true), found, mend: None }
}

fn native(host: &Host) -> Check {
    let count = host.native_nodes().len();
    Check { name: "native nodes", ok: Some(count > 0), found: format!("{count} types"), mend: None }
}

fn wasmtime() -> Check {
    Check { name: "wasmtime", ok: Some(true), found: WASMTIME_VERSION.to_owned(), mend: None }
}

fn compiler(host: &Host) -> Check {
    match host.compiler().map(|compiler| &compiler.program) {
        Some(program) => Check {
            name: "compiler",
            ok: Some(program.is_file()),
            found: program.display().to_string(),
            mend: (!program.is_file())
                .then(|| "set REMOTEMEDIA_COMPILER to a `remotemedia` that is there".into()),
        },
        None => Check {
            name: "compiler",
            ok: Some(false),
            found: "none: components cannot be compiled".into(),
            mend: Some("set REMOTEMEDIA_COMPILER to a `remotemedia` of this version".into()),
        },
    }
}

fn python(host: &Host) -> Check {
    match host.python_info() {
        Ok(info) if !info.embedded => {
            let found = format!("{} ({}), which runs this program", info.version, info.executable);
            Check { name: "Python", ok: Some(true), found, mend: None }
        }
        Ok(info) => {
            let venv = info.venv.as_ref().map_or_else(
                || "no virtual environment".to_owned(),
                |venv| format!("virtual environment {}", venv.path.display()),
            );
            let library = info.libpython.unwrap_or(info.base_prefix);
            let found = format!("{} ({library}), {venv}", info.version);
            Check { name: "Python", ok: Some(true), found, mend: None }
        }
        Err(error) => Check {
            name: "Python",
            ok: Some(false),
            found: error.message.to_string(),
            mend: Some(
                "python3 -m venv .venv, with the Python that the host was built for; or set REMOTEMEDIA_VENV"
                    .into(),
            ),
        },
    }
}

fn numpy(host: &Host) -> Check {
    let missing = |python: &str, why: &str| Check {
        name: "numpy",
        ok: Some(false),
        found: format!("{why}; audio reaches Python nodes as numpy arrays"),
        mend: Some(format!("{python} -m pip install numpy")),
    };
    match host.python_info() {
        Ok(InterpreterInfo { numpy: Ok(version), .. }) => {
            Check { name: "numpy", ok: Some(true), found: version, mend: None }
        }
        Ok(InterpreterInfo { numpy: Err(why), executable, .. }) => missing(&executable, &why),
        Err(_) => missing("python3", "no Python"),
    }
}

/// Needed only by nodes of cpython_wasm.
fn python_sandbox(host: &Host) -> Check {
    let (ok, found, mend) = match host.python_runner() {
        Ok(runner) => (Some(true), runner.display().to_string(), None),
        Err(_) => {
            let mend = "build it with guest-nodes/build.sh, or set REMOTEMEDIA_PYTHON_RUNNER to its file";
            (None, "no python-runner.wasm: cpython_wasm nodes cannot run".into(), Some(mend.into()))
        }
    };
    Check { name: "Python sandbox", ok, found, mend }
}

fn cache(host: &Host) -> Check {
    let Some(dir) = &host.config().cache_dir else {
        return Check {
            name: "cache",
            ok: None,
            found: "none: components are compiled anew in every run".into(),
            mend: Some("set REMOTEMEDIA_CACHE_DIR to a folder of your own".into()),
        };
    };
    let writable = std::fs::create_dir_all(dir).and_then(|()| tempfile::tempfile_in(dir)).is_ok();
    Check {
        name: "cache",
        ok: Some(writable),
        found: format!("{}{}", dir.display(), if writable { "" } else { " (not writable)" }),
        mend: (!writable)
            .then(|| format!("mkdir -p {0} && chown $USER {0}; or set REMOTEMEDIA_CACHE_DIR", dir.display())),
    }
}

/// Needed only to build components.
fn wasm_target() -> Check {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let installed = sysroot.as_ref().is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout);
        std::path::Path::new(sysroot.trim()).join("lib/rustlib/wasm32-wasip2").is_dir()
    });
    let found = match (&sysroot, installed) {
        (Err(_), _) => "no rustc; only needed to write components in Rust",
        (Ok(_), true) => "wasm32-wasip2 is installed",
        (Ok(_), false) => "wasm32-wasip2 is not installed; only needed to write components in Rust",
    };
    let mend = (!installed).then(|| "rustup target add wasm32-wasip2".to_owned());
    Check { name: "wasm target", ok: installed.then_some(true), found: found.into(), mend }
}
