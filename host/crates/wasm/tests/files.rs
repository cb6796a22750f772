//! Files that are not nodes: each has its own error, which names the file and says what to do.

use std::fs;
use std::path::Path;

use remotemedia_core::{ErrorKind, NodeError, NodeManifest, Runtime, SandboxPolicy};

use crate::fixture::{error_of, guest, runtime, runtime_of};

/// The error for a component file of that content.
fn error_for(content: &[u8]) -> NodeError {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("node.wasm"), content).unwrap();
    let error = error_of(runtime().describe(&node_in(dir.path(), "node.wasm")));
    assert!(error.message.contains("node.wasm"), "{error}");
    error
}

fn node_in(dir: &Path, file: &str) -> NodeManifest {
    let mut node = NodeManifest::new("n", "gain");
    node.base_dir = dir.to_owned();
    node.component = Some(file.into());
    node
}

fn wat_error(text: &str) -> NodeError {
    error_for(&wat::parse_str(text).unwrap())
}

#[test]
fn a_missing_file_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let error = error_of(runtime().create(&node_in(dir.path(), "nowhere.wasm")));
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("nowhere.wasm") && error.message.contains("`component` path"), "{error}");
    let error = error_of(runtime().create(&node_in(dir.path(), ".")));
    assert_eq!(error.kind, ErrorKind::Unavailable, "a folder is no file");
}

#[test]
fn what_is_not_webassembly_says_so() {
    for content in [&b""[..], b"\0as", b"RIFF....WAVE", b"(component)"] {
        let error = error_for(content);
        assert_eq!(error.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains("is not a WebAssembly component"), "{error}");
    }
}

#[test]
fn a_core_module_is_told_from_a_component() {
    let error = wat_error("(module)");
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert!(
        error.message.contains("core WebAssembly module") && error.message.contains("wasm32-wasip2"),
        "{error}"
    );
}

#[test]
fn a_truncated_or_damaged_component_is_refused() {
    let whole = fs::read(guest("gain")).unwrap();
    for cut in [8 + 5, whole.len() / 2, whole.len() - 1] {
        let error = error_for(&whole[..cut]);
        assert_eq!(error.kind, ErrorKind::InvalidParams);
        assert!(error.message.contains("sound WebAssembly component"), "cut at {cut}: {error}");
    }
}

#[test]
fn a_component_of_another_world_names_what_it_must_export() {
    let error = wat_error("(component)");
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert!(error.message.contains("not a node") && error.message.contains("remotemedia:node/"), "{error}");
    let half = r#"(component
        (component $half)
        (instance $node (instantiate $half))
        (export "remotemedia:node/node@0.1.0" (instance $node)))"#;
    let error = wat_error(half);
    assert!(error.message.contains("not a node") && error.message.contains("describe"), "{error}");
}

#[test]
fn an_unknown_import_is_named() {
    let error =
        wat_error(r#"(component (import "acme:gpu/compute@1.0.0" (instance (export "run" (func)))))"#);
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert!(error.message.contains("acme:gpu/compute"), "{error}");
    let sockets = r#"(component (import "wasi:sockets/tcp-create-socket@0.2.0" (instance
        (export "create-tcp-socket" (func)))))"#;
    let error = wat_error(sockets);
    assert!(error.message.contains("without sockets"), "{error}");
}

#[test]
fn a_component_larger_than_the_limit_is_not_even_compiled() {
    let mut policy = SandboxPolicy::default();
    policy.compile.component_mb = 1;
    let runtime = runtime_of(policy);
    let dir = tempfile::tempdir().unwrap();
    let mut large = fs::read(guest("gain")).unwrap();
    large.resize((1 << 20) + 1, 0);
    fs::write(dir.path().join("node.wasm"), large).unwrap();
    let error = error_of(runtime.describe(&node_in(dir.path(), "node.wasm")));
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert!(error.message.contains("`compile.component_mb`"), "{error}");
    assert_eq!(runtime.counts().compilations, 0);
}

/// Two components with a memory each, and a string from one to the other.
const COMPOSED: &str = r#"(component
    (component $callee
        (core module $m
            (memory (export "memory") 1)
            (func (export "take") (param i32 i32))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func (export "take") (param "text" string)
            (canon lift (core func $i "take") (memory (core memory $i "memory"))
                (realloc (core func $i "realloc")))))
    (component $caller
        (import "take" (func $take (param "text" string)))
        (core module $libc (memory (export "memory") 1))
        (core instance $libc (instantiate $libc))
        (core func $lowered (canon lower (func $take) (memory (core memory $libc "memory"))))
        (core module $m
            (import "" "take" (func $take (param i32 i32)))
            (func (export "run") i32.const 0 i32.const 0 call $take))
        (core instance $i (instantiate $m (with "" (instance (export "take" (func $lowered))))))
        (func (export "run") (canon lift (core func $i "run"))))
    (instance $callee (instantiate $callee))
    (instance $caller (instantiate $caller (with "take" (func $callee "take"))))
    (export "run" (func $caller "run")))"#;

#[test]
fn a_component_made_of_two_with_a_memory_each_is_compiled_like_any_other() {
    // It exports no node, so that is what is wrong with it; without multiple memories wasmtime panics first.
    let error = wat_error(COMPOSED);
    assert_eq!(error.kind, ErrorKind::InvalidParams);
    assert!(error.message.contains("is a component, but not a node"), "{error}");
}
