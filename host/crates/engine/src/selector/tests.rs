//! The selector's table: hint × environment × availability, every combination of the three.

use serde_json::json;

use super::*;
use RuntimeKind::{Cpython, CpythonWasm, Native, Wasm};

const HINTS: [RuntimeHint; 6] = [
    RuntimeHint::Auto,
    RuntimeHint::Native,
    RuntimeHint::Wasm,
    RuntimeHint::Cpython,
    RuntimeHint::CpythonWasm,
    RuntimeHint::Rustpython,
];
const PYTHON_RUNTIMES: [PythonRuntime; 4] =
    [PythonRuntime::Auto, PythonRuntime::Cpython, PythonRuntime::CpythonWasm, PythonRuntime::Rustpython];

fn every_availability() -> impl Iterator<Item = Available> {
    (0..16).map(|bits: u8| Available {
        native: bits & 1 != 0,
        wasm: bits & 2 != 0,
        cpython: bits & 4 != 0,
        cpython_wasm: bits & 8 != 0,
    })
}

fn every_settings() -> impl Iterator<Item = Settings> {
    let forces = [None, Some(Native), Some(Wasm), Some(Cpython), Some(CpythonWasm)];
    forces.into_iter().flat_map(|force| {
        PYTHON_RUNTIMES.into_iter().flat_map(move |python_runtime| {
            (0..8).map(move |bits: u8| Settings {
                force,
                python_runtime,
                enable_fallback: bits & 1 != 0,
                python_sandboxed: bits & 2 != 0,
                allow_unsandboxed_python: bits & 4 != 0,
            })
        })
    })
}

fn node(hint: RuntimeHint, component: bool) -> NodeManifest {
    let mut node = NodeManifest::new("n", "Plain");
    node.runtime_hint = hint;
    node.component = component.then(|| "plain.wasm".into());
    node
}

/// Calls `check` for each of the 6 × 2 × 160 × 16 combinations (components only where wasm is available, as
/// the plan provides it).
fn for_all(mut check: impl FnMut(&NodeManifest, &Settings, Available, Result<Selection, NoRuntime>)) {
    for hint in HINTS {
        for settings in every_settings() {
            for available in every_availability() {
                let node = node(hint, available.wasm);
                check(&node, &settings, available, select(&node, &settings, available));
            }
        }
    }
}

#[test]
fn a_selection_is_always_available_and_never_lists_itself_as_fallback() {
    for_all(|_, _, available, selection| {
        if let Ok(selection) = selection {
            assert!(available.has(selection.kind));
            assert!(!selection.fallbacks.contains(&selection.kind));
            assert!(selection.fallbacks.iter().all(|&kind| available.has(kind)));
            assert!(!selection.reason.is_empty());
        }
    });
}

#[test]
fn an_available_force_wins_over_everything() {
    for_all(|_, settings, available, selection| {
        if let Some(force) = settings.force.filter(|&kind| available.has(kind)) {
            assert_eq!(selection.map(|selection| selection.kind), Ok(force));
        }
    });
}

#[test]
fn an_available_hint_wins_over_everything_but_a_force() {
    for_all(|node, settings, available, selection| {
        let hinted = match node.runtime_hint {
            RuntimeHint::Auto => return,
            RuntimeHint::Native => Native,
            RuntimeHint::Wasm => Wasm,
            RuntimeHint::Cpython | RuntimeHint::Rustpython => Cpython,
            RuntimeHint::CpythonWasm => CpythonWasm,
        };
        if settings.force.is_none_or(|force| !available.has(force)) && available.has(hinted) {
            assert_eq!(selection.map(|selection| selection.kind), Ok(hinted));
        }
    });
}

#[test]
fn a_sandboxed_choice_never_ends_unsandboxed_without_the_operators_word() {
    for_all(|node, settings, available, selection| {
        let forced = settings.force.is_some_and(|kind| available.has(kind));
        let asks_for_sandbox = matches!(node.runtime_hint, RuntimeHint::Wasm | RuntimeHint::CpythonWasm)
            || (node.runtime_hint == RuntimeHint::Auto && node.component.is_some());
        if let (false, true, Ok(selection)) = (forced, asks_for_sandbox, &selection) {
            let by_word = settings.allow_unsandboxed_python
                && node.runtime_hint == RuntimeHint::CpythonWasm
                && settings.enable_fallback;
            for kind in selection.fallbacks.iter().chain([&selection.kind]) {
                assert!(kind.is_sandboxed() || (by_word && *kind == Cpython), "{selection:?}");
            }
        }
    });
}

#[test]
fn without_fallback_there_is_the_wanted_runtime_or_an_error() {
    for_all(|_, settings, _, selection| {
        if let (false, Ok(selection)) = (settings.enable_fallback, selection) {
            assert!(selection.fallbacks.is_empty());
            assert!(!selection.reason.starts_with("fallback"), "{selection:?}");
        }
    });
}

#[test]
fn rustpython_always_leaves_a_notice() {
    for_all(|node, _, available, selection| {
        let settings_free = node.runtime_hint == RuntimeHint::Rustpython;
        if let (true, true, Ok(selection)) = (settings_free, available.cpython, selection)
            && selection.kind == Cpython
            && !selection.reason.starts_with("forced")
        {
            assert!(selection.notice.is_some());
        }
    });
}

/// One row of the table of reasons: the node, the settings, what is available, what must come out.
type Row = (NodeManifest, Settings, Available, Result<RuntimeKind, &'static str>, &'static str);

fn rows() -> Vec<Row> {
    let auto = Settings::default();
    let python = Available { cpython: true, ..Available::default() };
    let both = Available { cpython: true, cpython_wasm: true, ..Available::default() };
    let native = Available { native: true, cpython: true, ..Available::default() };
    let class = |name: &str| NodeManifest::new("n", name);
    let sandboxed = Settings { python_sandboxed: true, ..auto };
    let mut gpu = class("m:Asr");
    gpu.capabilities = serde_json::from_value(json!({"gpu": {"type": "cuda"}})).unwrap();
    let mut optional_gpu = class("m:Asr");
    optional_gpu.capabilities =
        serde_json::from_value(json!({"gpu": {"type": "any", "required": false}})).unwrap();
    let mut big = class("m:Asr");
    big.capabilities = serde_json::from_value(json!({"memory_gb": 4.5})).unwrap();
    let mut exactly_four = class("m:Asr");
    exactly_four.capabilities = serde_json::from_value(json!({"memory_gb": 4.0})).unwrap();
    let mut deps = class("m:Asr");
    deps.python_deps = Some(json!(["torch==2.9"]));
    let env = |python_runtime| Settings { python_runtime, ..auto };
    vec![
        (node(RuntimeHint::Auto, true), auto, Available { wasm: true, ..native }, Ok(Wasm), "component"),
        (class("Gain"), auto, native, Ok(Native), "native registry"),
        (class("Gain"), env(PythonRuntime::Cpython), native, Ok(Native), "native registry"),
        (class("m:Plain"), auto, both, Ok(Cpython), "a Python class"),
        (class("m:Plain"), sandboxed, both, Ok(CpythonWasm), "operator sandboxes"),
        (class("m:Plain"), sandboxed, python, Err("no sandboxed CPython"), ""),
        (gpu, sandboxed, both, Ok(Cpython), "GPU"),
        (optional_gpu, sandboxed, both, Ok(CpythonWasm), "operator sandboxes"),
        (big, sandboxed, both, Ok(Cpython), "4.5 GiB"),
        (exactly_four, sandboxed, both, Ok(CpythonWasm), "operator sandboxes"),
        (deps, sandboxed, both, Ok(Cpython), "torch"),
        (class("audio:NumpyPitch"), sandboxed, both, Ok(Cpython), "numpy"),
        (class("m:Plain"), env(PythonRuntime::CpythonWasm), both, Ok(CpythonWasm), "PYTHON_RUNTIME"),
        (class("m:Plain"), env(PythonRuntime::CpythonWasm), python, Err("no sandboxed CPython"), ""),
        (class("m:Plain"), env(PythonRuntime::Rustpython), both, Ok(Cpython), "rustpython"),
        (node(RuntimeHint::Wasm, false), auto, python, Err("has no `component`"), ""),
        (node(RuntimeHint::Native, false), auto, python, Ok(Cpython), "fallback"),
        (node(RuntimeHint::CpythonWasm, false), auto, python, Err("no sandboxed CPython"), ""),
    ]
}

#[test]
fn each_row_of_the_table_selects_what_the_design_says() {
    for (node, settings, available, expected, text) in rows() {
        let got = select(&node, &settings, available);
        match (expected, got) {
            (Ok(kind), Ok(selection)) => {
                assert_eq!(selection.kind, kind, "{node:?}");
                assert!(selection.reason.contains(text), "{} lacks `{text}`", selection.reason);
            }
            (Err(text), Err(error)) => assert!(error.message.contains(text), "{error} lacks `{text}`"),
            (expected, got) => panic!("{node:?}: wanted {expected:?}, got {got:?}"),
        }
    }
}

#[test]
fn the_python_runtime_variable_is_read_in_any_case() {
    assert_eq!(PythonRuntime::parse("CPython_Wasm"), Some(PythonRuntime::CpythonWasm));
    assert_eq!(PythonRuntime::parse("WASM"), Some(PythonRuntime::CpythonWasm));
    assert_eq!(PythonRuntime::parse("RustPython"), Some(PythonRuntime::Rustpython));
    assert_eq!(PythonRuntime::parse("jython"), None);
}
