//! The operator's settings, and the only place of the host that reads environment variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remotemedia_core::{RuntimeKind, SandboxPolicy};
use remotemedia_engine::Settings;
use remotemedia_engine::selector::PythonRuntime;
use remotemedia_wasm::{CompilerProgram, WasmConfig};

use crate::package::Credentials;
use crate::policy::{PolicyError, load_policy};
use crate::telemetry::{LogFormat, TelemetrySettings, TraceContext};

/// Everything that the environment decides.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What the selector obeys.
    pub selector: Settings,
    /// `REMOTEMEDIA_CACHE_DIR`: where compiled components are kept. By default `remotemedia` in the user's cache
    /// folder.
    pub cache_dir: Option<PathBuf>,
    /// `REMOTEMEDIA_COMPILER`: the `remotemedia` that compiles components in a process of its own. By default
    /// `own_compiler`, else this program, if it is one, or the one beside it.
    pub compiler: Option<PathBuf>,
    /// How another program that holds this host is started to compile. Not from the environment: the program says it.
    pub own_compiler: Option<CompilerProgram>,
    /// `REMOTEMEDIA_VENV`: the virtual environment for Python nodes; it must fit.
    pub venv: Option<PathBuf>,
    /// `REMOTEMEDIA_PYTHON_RUNNER`: the component that runs sandboxed Python classes. By default `python-runner.wasm`
    /// beside the program, or in the `guests` folder of the build that it belongs to; the first that is there counts.
    pub python_runner: Vec<PathBuf>,
    /// `REMOTEMEDIA_PYTHON_PACKAGES`: folders of pure-Python packages for sandboxed classes, separated like `PATH`.
    pub python_packages: Vec<PathBuf>,
    /// `VIRTUAL_ENV`: the virtual environment that the shell has activated.
    pub virtual_env: Option<PathBuf>,
    /// Where the process was started.
    pub current_dir: Option<PathBuf>,
    /// `REMOTEMEDIA_TOOLS`: folders in which `remotemedia node` looks for compilers before it looks on the `PATH`,
    /// separated as there.
    pub tool_dirs: Vec<PathBuf>,
    /// `REMOTEMEDIA_REGISTRY_USER` and `REMOTEMEDIA_REGISTRY_PASSWORD`: who pushes and pulls packages. By default whom
    /// `docker login` knows.
    pub registry_credentials: Option<Credentials>,
    /// Whether running nodes take over their component when its file changes.
    pub watch_components: bool,
    /// `REMOTEMEDIA_COREDUMP_DIR`: where core dumps of components that were stopped go. By default nowhere.
    pub coredump_dir: Option<PathBuf>,
    /// `REMOTEMEDIA_LOG`, else `RUST_LOG`: what is logged to standard error, in the syntax of `tracing`'s env filter.
    /// `REMOTEMEDIA_LOG_FORMAT`: `text` or `json`. `REMOTEMEDIA_OTLP`: the collector for traces and metrics.
    /// `TRACEPARENT` and `TRACESTATE`: the trace that this process is a part of.
    pub telemetry: TelemetrySettings,
    /// The trace context that Python nodes find in their environment. Not from the environment: the program says it.
    pub own_trace_context: Option<TraceContext>,
    /// `XDG_RUNTIME_DIR`: the folder of the user's sockets.
    pub runtime_dir: Option<PathBuf>,
    /// `NO_COLOR`: no colours in `remotemedia top`.
    pub no_color: bool,
    /// `REMOTEMEDIA_POLICY`: the file with the operator's policy.
    pub policy_file: Option<PathBuf>,
    /// What sandboxed nodes may use and reach.
    pub policy: Arc<SandboxPolicy>,
    /// The values of the environment variables that the policy grants.
    pub granted_env: BTreeMap<String, String>,
}

/// An environment variable holds what it may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is `{value}`, but it may be: {allowed}")]
pub struct ConfigError {
    name: &'static str,
    value: String,
    allowed: &'static str,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// When a variable holds a value that means nothing: a typo in a safety switch must not pass silently.
    pub fn from_env() -> Result<Self, ConfigError> {
        let program = std::env::current_exe().ok();
        let mut config = Self::from_vars(|name| std::env::var(name).ok(), std::env::current_dir().ok())?;
        if config.python_runner.is_empty() {
            config.python_runner = program.as_deref().map(runners_near).unwrap_or_default();
        }
        Ok(config)
    }

    fn from_vars(
        var: impl Fn(&str) -> Option<String>,
        current_dir: Option<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let mut selector = Settings::default();
        if let Some(value) = set("REMOTEMEDIA_RUNTIME_FORCE") {
            selector.force = Some(forced_kind(value)?);
        }
        if let Some(value) = set("REMOTEMEDIA_PYTHON_RUNTIME") {
            selector.python_runtime = PythonRuntime::parse(&value).ok_or(ConfigError {
                name: "REMOTEMEDIA_PYTHON_RUNTIME",
                value,
                allowed: "cpython, cpython_wasm, wasm, auto, rustpython",
            })?;
        }
        if let Some(value) = set("REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON") {
            selector.allow_unsandboxed_python = switch("REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON", value)?;
        }
        if let Some(value) = set("REMOTEMEDIA_ENABLE_FALLBACK") {
            selector.enable_fallback = switch("REMOTEMEDIA_ENABLE_FALLBACK", value)?;
        }
        let user_cache = || {
            let (xdg, home) = (path("XDG_CACHE_HOME"), path("HOME"));
            WasmConfig::user_cache_dir(
                xdg.as_deref().map(Path::as_os_str),
                home.as_deref().map(Path::as_os_str),
            )
        };
        Ok(Self {
            selector,
            cache_dir: path("REMOTEMEDIA_CACHE_DIR").or_else(user_cache),
            compiler: path("REMOTEMEDIA_COMPILER"),
            own_compiler: None,
            venv: path("REMOTEMEDIA_VENV"),
            python_runner: path("REMOTEMEDIA_PYTHON_RUNNER").into_iter().collect(),
            python_packages: set("REMOTEMEDIA_PYTHON_PACKAGES")
                .map(|folders| std::env::split_paths(&folders).collect())
                .unwrap_or_default(),
            virtual_env: path("VIRTUAL_ENV"),
            current_dir,
            tool_dirs: set("REMOTEMEDIA_TOOLS")
                .map(|folders| std::env::split_paths(&folders).collect())
                .unwrap_or_default(),
            registry_credentials: registry_credentials(
                set("REMOTEMEDIA_REGISTRY_USER"),
                set("REMOTEMEDIA_REGISTRY_PASSWORD"),
            )?,
            watch_components: false,
            coredump_dir: path("REMOTEMEDIA_COREDUMP_DIR"),
            telemetry: TelemetrySettings {
                log_filter: set("REMOTEMEDIA_LOG").or_else(|| set("RUST_LOG")),
                log_format: set("REMOTEMEDIA_LOG_FORMAT").map_or(Ok(LogFormat::Text), log_format)?,
                otlp: set("REMOTEMEDIA_OTLP"),
                trace_context: set("TRACEPARENT").map(|traceparent| TraceContext {
                    traceparent,
                    tracestate: set("TRACESTATE").unwrap_or_default(),
                }),
            },
            own_trace_context: None,
            runtime_dir: path("XDG_RUNTIME_DIR"),
            no_color: set("NO_COLOR").is_some(),
            policy_file: path("REMOTEMEDIA_POLICY"),
            policy: Arc::default(),
            granted_env: BTreeMap::new(),
        })
    }

    /// Reads the operator's policy: `file`, else that of `REMOTEMEDIA_POLICY`, else the built-in defaults. A file
    /// that merely lies in the current folder never counts: it may be a stranger's.
    ///
    /// # Errors
    /// When the file cannot be read or says something wrong.
    pub fn read_policy(&mut self, file: Option<&Path>) -> Result<(), PolicyError> {
        if let Some(file) = file.or(self.policy_file.as_deref()) {
            let policy = load_policy(file)?;
            let value = |name: &String| std::env::var(name).ok().map(|value| (name.clone(), value));
            self.granted_env = policy.grants.env.iter().filter_map(value).collect();
            self.policy = Arc::new(policy);
        }
        Ok(())
    }
}

/// The `remotemedia` that belongs to this program: itself, or one in its folder or a folder up, where cargo puts it
/// for tests and benches.
pub(crate) fn nearby_compiler() -> Option<PathBuf> {
    compiler_near(&std::env::current_exe().ok()?, Path::is_file)
}

fn compiler_near(program: &Path, is_file: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let name = format!("remotemedia{}", std::env::consts::EXE_SUFFIX);
    if program.file_name().is_some_and(|own| own == name.as_str()) {
        return Some(program.to_owned());
    }
    let folders = program.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(&name)).find(|candidate| is_file(candidate))
}

fn registry_credentials(
    user: Option<String>,
    password: Option<String>,
) -> Result<Option<Credentials>, ConfigError> {
    // The password never becomes part of an error.
    let half = |name, value, allowed| Err(ConfigError { name, value, allowed });
    match (user, password) {
        (None, None) => Ok(None),
        (Some(name), Some(password)) => Ok(Some(Credentials::User { name, password })),
        (Some(_), None) => half(
            "REMOTEMEDIA_REGISTRY_PASSWORD",
            String::new(),
            "the password or token of REMOTEMEDIA_REGISTRY_USER",
        ),
        (None, Some(_)) => {
            half("REMOTEMEDIA_REGISTRY_USER", String::new(), "the user of REMOTEMEDIA_REGISTRY_PASSWORD")
        }
    }
}

/// Where the runner is when nobody says so: installed beside the program, or built in the repository, whose programs
/// lie in `target/<profile>` (tests one deeper) and whose guests in `target/guests`.
fn runners_near(program: &Path) -> Vec<PathBuf> {
    const RUNNER: &str = "python-runner.wasm";
    let folders: Vec<&Path> = program.ancestors().skip(1).take(3).collect();
    let beside = folders.first().map(|folder| folder.join(RUNNER));
    let built = folders.iter().skip(1).map(|target| target.join("guests").join(RUNNER));
    beside.into_iter().chain(built).collect()
}

fn forced_kind(value: String) -> Result<RuntimeKind, ConfigError> {
    let kind = match value.to_ascii_lowercase().as_str() {
        "native" | "rust" => Some(RuntimeKind::Native),
        "wasm" => Some(RuntimeKind::Wasm),
        "cpython" | "python" => Some(RuntimeKind::Cpython),
        "cpython_wasm" => Some(RuntimeKind::CpythonWasm),
        _ => None,
    };
    kind.ok_or(ConfigError {
        name: "REMOTEMEDIA_RUNTIME_FORCE",
        value,
        allowed: "native, wasm, cpython, cpython_wasm",
    })
}

fn log_format(value: String) -> Result<LogFormat, ConfigError> {
    match value.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(ConfigError { name: "REMOTEMEDIA_LOG_FORMAT", value, allowed: "text, json" }),
    }
}

fn switch(name: &'static str, value: String) -> Result<bool, ConfigError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(ConfigError { name, value, allowed: "true, false, 1, 0, yes, no, on, off" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let vars: Vec<(String, String)> =
            vars.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let find =
            move |name: &str| vars.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Config::from_vars(find, None)
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let config = config(&[]).unwrap();
        assert_eq!(config.selector, Settings::default());
        assert!(config.selector.enable_fallback && config.cache_dir.is_none());
    }

    #[test]
    fn every_variable_arrives_in_any_case() {
        let config = config(&[
            ("REMOTEMEDIA_RUNTIME_FORCE", "CPython"),
            ("REMOTEMEDIA_PYTHON_RUNTIME", "WASM"),
            ("REMOTEMEDIA_ENABLE_FALLBACK", "False"),
            ("REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON", "yes"),
            ("REMOTEMEDIA_PYTHON_RUNNER", "/r.wasm"),
            ("REMOTEMEDIA_PYTHON_PACKAGES", "/a:/b"),
            ("HOME", "/home/a"),
        ])
        .unwrap();
        assert_eq!(config.selector.force, Some(RuntimeKind::Cpython));
        assert_eq!(config.selector.python_runtime, PythonRuntime::CpythonWasm);
        assert!(!config.selector.enable_fallback && config.selector.allow_unsandboxed_python);
        assert_eq!(config.python_runner, [PathBuf::from("/r.wasm")]);
        assert_eq!(config.python_packages, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(config.cache_dir, Some(PathBuf::from("/home/a/.cache/remotemedia/wasm")));
    }

    #[cfg(unix)]
    #[test]
    fn the_compiler_is_the_program_itself_or_beside_it_or_a_folder_up() {
        let near = |program: &str, there: &[&str]| {
            compiler_near(Path::new(program), |path| there.contains(&path.to_str().unwrap()))
        };
        assert_eq!(near("/usr/bin/remotemedia", &[]), Some("/usr/bin/remotemedia".into()));
        assert_eq!(
            near("/venv/bin/python3", &["/venv/bin/remotemedia"]),
            Some("/venv/bin/remotemedia".into())
        );
        let built = "/src/target/debug/remotemedia";
        assert_eq!(near("/src/target/debug/deps/tests-1f", &[built]), Some(built.into()));
        assert_eq!(near("/a/b/c/d", &["/a/remotemedia", "/remotemedia"]), None);
    }

    #[test]
    fn the_runner_is_looked_for_beside_the_program_and_in_its_build() {
        let near = |program: &str| runners_near(Path::new(program));
        assert_eq!(near("/opt/bin/remotemedia")[0], PathBuf::from("/opt/bin/python-runner.wasm"));
        let built = PathBuf::from("/r/target/guests/python-runner.wasm");
        assert!(near("/r/target/debug/remotemedia").contains(&built));
        assert!(near("/r/target/debug/deps/integration-1").contains(&built));
    }

    #[test]
    fn the_log_is_set_by_the_host_s_own_variable_before_that_of_all_rust_programs() {
        let filter = |vars: &[(&str, &str)]| config(vars).unwrap().telemetry.log_filter;
        assert_eq!(filter(&[("RUST_LOG", "info")]).as_deref(), Some("info"));
        assert_eq!(filter(&[("RUST_LOG", "info"), ("REMOTEMEDIA_LOG", "debug")]).as_deref(), Some("debug"));
        let telemetry = config(&[
            ("REMOTEMEDIA_LOG_FORMAT", "JSON"),
            ("REMOTEMEDIA_OTLP", "http://localhost:4318"),
            ("TRACEPARENT", "00-1-2-01"),
        ]);
        let telemetry = telemetry.unwrap().telemetry;
        assert_eq!(telemetry.log_format, LogFormat::Json);
        assert_eq!(telemetry.otlp.as_deref(), Some("http://localhost:4318"));
        assert_eq!(telemetry.trace_context.unwrap().traceparent, "00-1-2-01");
        assert!(config(&[("REMOTEMEDIA_LOG_FORMAT", "xml")]).is_err());
    }

    #[test]
    fn a_typo_in_a_switch_is_an_error_that_lists_what_is_allowed() {
        let error = config(&[("REMOTEMEDIA_RUNTIME_FORCE", "nativ")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable REMOTEMEDIA_RUNTIME_FORCE is `nativ`, but it may be: native, wasm, cpython, \
             cpython_wasm"
        );
        assert!(config(&[("REMOTEMEDIA_ENABLE_FALLBACK", "maybe")]).is_err());
    }
}
