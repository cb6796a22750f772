//! Compiling hostile components: in a process that has given up its rights before it reads a byte, with an end by the
//! clock, by memory and by the number of functions. The host itself neither grows nor waits longer.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wasm_encoder::{
    BlockType, CodeSection, Component, Function, FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

use crate::binary::{Done, command, path};

/// A component of one module with so many copies of a function.
fn component(functions: u32, body: &Function) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut declared = FunctionSection::new();
    let mut code = CodeSection::new();
    for _ in 0..functions {
        declared.function(0);
        code.function(body);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

fn empty_function(locals: u32) -> Function {
    let mut function = Function::new([(locals, ValType::I64)]);
    function.instructions().end();
    function
}

/// Loops inside each other, and inside the innermost every local is used: in the form that compilers work on, each
/// loop has a value for each local. Some kilobytes become `depth * locals` values.
fn nested_loops(depth: u32, locals: u32) -> Function {
    let mut function = Function::new([(locals, ValType::I64)]);
    let mut code = function.instructions();
    for _ in 0..depth {
        code.loop_(BlockType::Empty);
    }
    for local in 1..locals {
        code.local_get(local).local_get(local - 1).i64_add().local_set(local);
    }
    for _ in 0..depth {
        code.local_get(0).i64_eqz().br_if(0).end();
    }
    code.end();
    function
}

struct Bomb {
    folder: tempfile::TempDir,
}

/// What became of an attempt to compile one.
struct Outcome {
    message: String,
    /// The most memory that the host itself held, in KiB.
    peak_kib: u64,
    elapsed: Duration,
}

impl Bomb {
    fn new(component: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bomb.wasm"), component).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Describes the component under a policy whose section `compile` holds `limits`.
    fn describe(&self, limits: &str) -> Outcome {
        fs::write(self.path("remotemedia.toml"), format!("[compile]\n{limits}\n")).unwrap();
        let began = Instant::now();
        let mut child = command(&["--policy", "remotemedia.toml", "nodes", "describe", "bomb.wasm"])
            .current_dir(self.folder.path())
            .env("REMOTEMEDIA_CACHE_DIR", self.path("cache"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut peak_kib = 0;
        while child.try_wait().unwrap().is_none() {
            peak_kib = peak_kib.max(status_of(&child, "VmHWM:").unwrap_or(0));
            std::thread::sleep(Duration::from_millis(2));
        }
        let done = Done::from(child.wait_with_output().unwrap());
        assert_ne!(done.code, 0, "{}", done.stdout);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        assert!(done.stderr.contains("bomb.wasm"), "{}", done.stderr);
        let left: Vec<_> = fs::read_dir(self.path("cache")).into_iter().flatten().collect();
        assert!(left.len() <= 1, "only the key is in the cache: {left:?}");
        Outcome { message: done.stderr, peak_kib, elapsed: began.elapsed() }
    }
}

/// A number of `/proc/PID/status`.
fn status_of(child: &Child, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

/// What the host holds when it only refuses a file that is no component.
fn idle_kib() -> u64 {
    Bomb::new(b"no component").describe("").peak_kib
}

/// The host holds the component and a few buffers, not what compiling it takes.
const MOST_GROWTH_KIB: u64 = 48 << 10;
/// More than any machine that runs the tests needs for what is not the compilation itself.
const SOON: Duration = Duration::from_secs(120);

#[test]
fn one_function_that_explodes_in_the_compiler_ends_at_its_memory_and_the_host_does_not_grow() {
    let bomb = Bomb::new(&component(1, &nested_loops(4_000, 8_000)));
    let outcome = bomb.describe("memory_mb = 256\ntimeout_ms = 600000");
    assert!(outcome.message.contains("more than 256 MiB of memory to compile"), "{}", outcome.message);
    assert!(outcome.message.contains("`compile.memory_mb`"), "{}", outcome.message);
    let idle = idle_kib();
    assert!(outcome.peak_kib < idle + MOST_GROWTH_KIB, "{} KiB, idle {idle} KiB", outcome.peak_kib);
}

#[test]
fn a_small_file_of_endless_locals_ends_at_its_processor_time() {
    let bomb = Bomb::new(&component(45_000, &empty_function(50_000)));
    let outcome = bomb.describe("cpu_ms = 1000\ntimeout_ms = 600000");
    assert!(outcome.message.contains("more than 1000 ms of processor time"), "{}", outcome.message);
    assert!(outcome.message.contains("`compile.cpu_ms`"), "{}", outcome.message);
    assert!(outcome.elapsed < SOON, "{:?}", outcome.elapsed);
}

#[test]
fn a_small_file_of_endless_locals_ends_by_the_clock() {
    // 45,000 functions of 50,000 locals, in half a megabyte.
    let bomb = Bomb::new(&component(45_000, &empty_function(50_000)));
    let outcome = bomb.describe("timeout_ms = 1500");
    assert!(outcome.message.contains("longer to compile than 1500 ms"), "{}", outcome.message);
    assert!(outcome.message.contains("`compile.timeout_ms`"), "{}", outcome.message);
    assert!(outcome.elapsed < SOON, "{:?}", outcome.elapsed);
    let idle = idle_kib();
    assert!(outcome.peak_kib < idle + MOST_GROWTH_KIB, "{} KiB, idle {idle} KiB", outcome.peak_kib);
}

#[test]
fn a_hundred_thousand_functions_are_counted_and_not_compiled() {
    let bomb = Bomb::new(&component(100_000, &empty_function(0)));
    let outcome = bomb.describe("");
    assert!(outcome.message.contains("has 100000 functions"), "{}", outcome.message);
    assert!(outcome.message.contains("`compile.functions`"), "{}", outcome.message);
}

#[test]
fn a_component_that_is_not_sound_is_refused_by_the_compiling_process_in_its_own_words() {
    let mut unsound = Function::new([]);
    unsound.instructions().i64_const(1).end();
    let outcome = Bomb::new(&component(1, &unsound)).describe("");
    let parts = ["is not a sound WebAssembly component", "values remaining on stack"];
    assert!(parts.iter().all(|part| outcome.message.contains(part)), "{}", outcome.message);
}

#[test]
fn the_compiling_process_has_its_limits_and_no_other_files_before_it_reads_a_byte() {
    // A host that leaks an open file into every program that it starts.
    let binary = path();
    let leaky = "exec 9</dev/null; exec \"$0\" compile-component --component-bytes 9 --memory-mb 777 --cpu-seconds 33";
    let mut child = Command::new("sh")
        .args(["-c", leaky, binary.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let of = |name: &str| PathBuf::from(format!("/proc/{}/{name}", child.id()));
    let limits = || fs::read_to_string(of("limits")).unwrap_or_default();
    let deadline = Instant::now() + SOON;
    while !limits().contains(&(777_u64 << 20).to_string())
        || !line(&limits(), "Max open files").contains("16")
    {
        assert!(Instant::now() < deadline, "{}", limits());
        std::thread::sleep(Duration::from_millis(2));
    }
    let limits = limits();
    for (name, value) in [("Max cpu time", "33"), ("Max file size", "0"), ("Max core file size", "0")] {
        assert_eq!(line(&limits, name).split_whitespace().next(), Some(value), "{limits}");
    }
    let mut open: Vec<String> = fs::read_dir(of("fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    // Too few bytes: the host that was to send them is gone.
    child.stdin.take().unwrap().write_all(b"12345").unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.contains("expected 9 bytes, got 5"), "{}", done.stderr);
}

fn line<'a>(limits: &'a str, name: &str) -> &'a str {
    limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
}

#[test]
fn a_compiler_that_is_not_there_or_is_another_program_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let guest = crate::binary::repository().join("target/guests/gain.wasm");
    for compiler in [Path::new("/nowhere/remotemedia"), Path::new("/bin/true"), Path::new("/bin/cat")] {
        let done: Done = command(&["nodes", "describe", guest.to_str().unwrap()])
            .env("REMOTEMEDIA_CACHE_DIR", folder.path())
            .env("REMOTEMEDIA_COMPILER", compiler)
            .output()
            .unwrap()
            .into();
        assert_ne!(done.code, 0, "{}", compiler.display());
        for part in [compiler.to_str().unwrap(), "REMOTEMEDIA_COMPILER"] {
            assert!(done.stderr.contains(part), "`{part}` is not in: {}", done.stderr);
        }
    }
}
