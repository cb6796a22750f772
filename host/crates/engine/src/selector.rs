//! Which runtime runs a node, and why. A pure function of the node, the operator's settings and what is
//! available: it reads no environment, starts nothing and asks no runtime.

use remotemedia_core::manifest::Fallback;
use remotemedia_core::{NodeManifest, RuntimeHint, RuntimeKind};

/// What the operator set, as plain values (the host reads them from the environment and its config file).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `REMOTEMEDIA_RUNTIME_FORCE`: the rollback switch. Nodes that this runtime cannot run keep their own
    /// choice, with a notice.
    pub force: Option<RuntimeKind>,
    /// `REMOTEMEDIA_PYTHON_RUNTIME`.
    pub python_runtime: PythonRuntime,
    /// `REMOTEMEDIA_ENABLE_FALLBACK`.
    pub enable_fallback: bool,
    /// True when Python classes that need no native package should run sandboxed.
    pub python_sandboxed: bool,
    /// The operator's word that a node meant for `cpython_wasm` may run unsandboxed in CPython.
    pub allow_unsandboxed_python: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            force: None,
            python_runtime: PythonRuntime::Auto,
            enable_fallback: true,
            python_sandboxed: false,
            allow_unsandboxed_python: false,
        }
    }
}

/// The operator's choice for Python nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PythonRuntime {
    /// The selector decides.
    #[default]
    Auto,
    /// The in-process CPython.
    Cpython,
    /// The sandboxed CPython (`cpython_wasm` or `wasm`).
    CpythonWasm,
    /// Retired: CPython, with a notice.
    Rustpython,
}

impl PythonRuntime {
    /// Reads the value of `REMOTEMEDIA_PYTHON_RUNTIME`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Some(Self::Auto),
            "cpython" => Some(Self::Cpython),
            "cpython_wasm" | "wasm" => Some(Self::CpythonWasm),
            "rustpython" => Some(Self::Rustpython),
            _ => None,
        }
    }
}

/// Which runtimes could run one node, by facts that cost nothing to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// The native registry knows the type.
    pub native: bool,
    /// The node has a component and the host can run components.
    pub wasm: bool,
    /// The type may name a Python class and the host has an interpreter.
    pub cpython: bool,
    /// The type may name a Python class and the host has a sandboxed interpreter.
    pub cpython_wasm: bool,
}

impl Available {
    fn has(self, kind: RuntimeKind) -> bool {
        match kind {
            RuntimeKind::Native => self.native,
            RuntimeKind::Wasm => self.wasm,
            RuntimeKind::Cpython => self.cpython,
            RuntimeKind::CpythonWasm => self.cpython_wasm,
        }
    }
}

/// The choice for one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The runtime to use.
    pub kind: RuntimeKind,
    /// Runtimes to try, in order, when `kind` turns out not to know or not to start the node.
    pub fallbacks: Vec<RuntimeKind>,
    /// The runtime that should run it, when `kind` is a fallback.
    pub instead_of: Option<RuntimeKind>,
    /// Why, for people.
    pub reason: String,
    /// Something the author of the manifest or the operator should know.
    pub notice: Option<String>,
}

/// No runtime may run the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoRuntime {
    /// What was asked for and why it cannot be had.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

/// Names in a Python node's type that mean it needs packages only a full CPython has.
const NATIVE_PACKAGES: [&str; 13] = [
    "torch",
    "transformers",
    "pandas",
    "numpy",
    "scipy",
    "sklearn",
    "cv2",
    "opencv",
    "tensorflow",
    "keras",
    "jax",
    "pil",
    "pillow",
];

/// Above this many GiB a node is taken for a model that only CPython can run.
const CPYTHON_MEMORY_GB: f64 = 4.0;

const RUSTPYTHON_NOTICE: &str = "RustPython was retired; the node runs in CPython";

/// Chooses a runtime for `node`. First match wins: the operator's force, the manifest's hint, the operator's
/// Python runtime, then the host's own reasons.
///
/// # Errors
/// When nothing that could run the node is allowed to.
pub fn select(
    node: &NodeManifest,
    settings: &Settings,
    available: Available,
) -> Result<Selection, NoRuntime> {
    let mut notice = None;
    let choice = if let Some(kind) = settings.force.filter(|&kind| available.has(kind)) {
        Choice::new(kind, "forced by REMOTEMEDIA_RUNTIME_FORCE")
    } else {
        if let Some(kind) = settings.force {
            notice =
                Some(format!("REMOTEMEDIA_RUNTIME_FORCE={kind} does not apply: {kind} cannot run this node"));
        }
        wanted(node, settings, available)
    };
    let notice = choice.notice.map(str::to_owned).or(notice);
    let fallbacks = fallbacks(choice.kind, node, settings, available);
    if available.has(choice.kind) {
        let reason = choice.reason;
        return Ok(Selection { kind: choice.kind, fallbacks, instead_of: None, reason, notice });
    }
    match fallbacks.split_first() {
        Some((&kind, rest)) => Ok(Selection {
            kind,
            fallbacks: rest.to_vec(),
            instead_of: Some(choice.kind),
            reason: format!("fallback: {} ({}) cannot run it", choice.kind, choice.reason),
            notice,
        }),
        None => Err(no_runtime(&choice, node, available)),
    }
}

struct Choice {
    kind: RuntimeKind,
    reason: String,
    notice: Option<&'static str>,
}

impl Choice {
    fn new(kind: RuntimeKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), notice: None }
    }
}

/// What the hint, the operator's Python runtime or the host's own reasons ask for.
fn wanted(node: &NodeManifest, settings: &Settings, available: Available) -> Choice {
    let hinted = match node.runtime_hint {
        RuntimeHint::Auto => None,
        RuntimeHint::Native => Some(RuntimeKind::Native),
        RuntimeHint::Wasm => Some(RuntimeKind::Wasm),
        RuntimeHint::Cpython => Some(RuntimeKind::Cpython),
        RuntimeHint::CpythonWasm => Some(RuntimeKind::CpythonWasm),
        RuntimeHint::Rustpython => {
            let reason = "runtime_hint rustpython means cpython";
            return Choice { notice: Some(RUSTPYTHON_NOTICE), ..Choice::new(RuntimeKind::Cpython, reason) };
        }
    };
    if let Some(kind) = hinted {
        return Choice::new(kind, format!("runtime_hint is {kind}"));
    }
    if node.component.is_some() {
        return Choice::new(RuntimeKind::Wasm, "it has a component");
    }
    if available.native {
        return Choice::new(RuntimeKind::Native, "the native registry has this type");
    }
    python_runtime(node, settings)
}

/// Where a Python class runs when no hint says so.
fn python_runtime(node: &NodeManifest, settings: &Settings) -> Choice {
    match settings.python_runtime {
        PythonRuntime::Cpython => {
            return Choice::new(RuntimeKind::Cpython, "REMOTEMEDIA_PYTHON_RUNTIME is cpython");
        }
        PythonRuntime::CpythonWasm => {
            return Choice::new(RuntimeKind::CpythonWasm, "REMOTEMEDIA_PYTHON_RUNTIME is cpython_wasm");
        }
        PythonRuntime::Rustpython => {
            let reason = "REMOTEMEDIA_PYTHON_RUNTIME is rustpython, which means cpython";
            return Choice { notice: Some(RUSTPYTHON_NOTICE), ..Choice::new(RuntimeKind::Cpython, reason) };
        }
        PythonRuntime::Auto => {}
    }
    if let Some(need) = cpython_need(node) {
        return Choice::new(RuntimeKind::Cpython, format!("a Python class that {need}"));
    }
    if settings.python_sandboxed {
        return Choice::new(RuntimeKind::CpythonWasm, "a Python class, and the operator sandboxes Python");
    }
    Choice::new(RuntimeKind::Cpython, "a Python class")
}

/// Why only a full CPython can run this Python class, if there is a reason.
fn cpython_need(node: &NodeManifest) -> Option<String> {
    if let Some(capabilities) = &node.capabilities {
        if capabilities.gpu.as_ref().is_some_and(|gpu| gpu.required) {
            return Some("needs a GPU".into());
        }
        if let Some(memory_gb) = capabilities.memory_gb.filter(|&gb| gb > CPYTHON_MEMORY_GB) {
            return Some(format!("needs {memory_gb} GiB of memory"));
        }
    }
    let mut words = node.node_type.to_ascii_lowercase();
    if let Some(deps) = &node.python_deps {
        words.push_str(&deps.to_string().to_ascii_lowercase());
    }
    NATIVE_PACKAGES.iter().find(|&&package| words.contains(package)).map(|package| format!("uses {package}"))
}

/// The other runtimes that could and may run the node. Isolation never gets weaker, except from a sandboxed
/// CPython to the in-process one by the operator's word. What CPython cannot run the sandboxed one cannot either.
fn fallbacks(
    kind: RuntimeKind,
    node: &NodeManifest,
    settings: &Settings,
    available: Available,
) -> Vec<RuntimeKind> {
    if !settings.enable_fallback || node.fallback == Some(Fallback::None) {
        return Vec::new();
    }
    RuntimeKind::ALL
        .into_iter()
        .filter(|&other| other != kind && available.has(other))
        .filter(|&other| other != RuntimeKind::CpythonWasm || !available.cpython)
        .filter(|&other| {
            other.is_sandboxed() >= kind.is_sandboxed()
                || (kind == RuntimeKind::CpythonWasm
                    && other == RuntimeKind::Cpython
                    && settings.allow_unsandboxed_python)
        })
        .collect()
}

fn no_runtime(choice: &Choice, node: &NodeManifest, available: Available) -> NoRuntime {
    let kind = choice.kind;
    let able: Vec<_> = RuntimeKind::ALL.into_iter().filter(|&kind| available.has(kind)).collect();
    let message = match kind {
        RuntimeKind::Wasm if node.component.is_none() => {
            format!("{}, but the node has no `component`", choice.reason)
        }
        RuntimeKind::CpythonWasm => {
            format!("{}, but this host has no sandboxed CPython", choice.reason)
        }
        RuntimeKind::Native => {
            format!("{}, but no native node is called `{}`", choice.reason, node.node_type)
        }
        _ => format!("`{}` should run on {kind} ({}), which cannot run it", node.node_type, choice.reason),
    };
    let suggestion = match (kind, able.first()) {
        (RuntimeKind::Wasm, _) if node.component.is_none() => {
            Some("add `component` with the path of the .wasm file".to_owned())
        }
        (RuntimeKind::CpythonWasm, Some(RuntimeKind::Cpython)) => {
            Some(
                "only the operator can allow it to run unsandboxed in cpython: REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON=true"
                    .to_owned(),
            )
        }
        (_, Some(other)) => Some(format!(
            "{other} could run it, but falling back is switched off or would weaken the sandbox"
        )),
        (_, None) => None,
    };
    NoRuntime { message, suggestion }
}

#[cfg(test)]
mod tests;
