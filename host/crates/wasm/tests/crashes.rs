//! What is told and kept of a guest that was stopped: its place in the source, and a core dump.

use std::fs;
use std::path::{Path, PathBuf};

use remotemedia_core::{ErrorKind, NodeError, NodeManifest, Packet, SandboxPolicy};
use remotemedia_wasm::WasmRuntime;
use serde_json::json;
use wasmparser::{
    BinaryReader, CoreDumpInstancesSection, CoreDumpModulesSection, CoreDumpSection, CoreDumpStackSection,
    Parser, Payload,
};

use crate::fixture::{dumping_runtime, error_of, guest, manifest, process, runtime_of, start};

const SOURCE: &str = include_str!("../../../../guest-nodes/rust/hostile/src/ruin.rs");
/// What trips in the guest's source.
const TRIPS: &str = "nothing[black_box(7)]";

fn hostile(deed: &str) -> NodeManifest {
    manifest("hostile", json!({ "deed": deed }))
}

fn in_file(file: &Path) -> NodeManifest {
    let mut node = hostile("panic");
    node.component = Some(file.to_owned().into());
    node
}

fn fall(runtime: &WasmRuntime, node: &NodeManifest, text: &str) -> NodeError {
    error_of(process(&mut *start(runtime, node).unwrap(), Packet::new(0, text)))
}

fn trace_of(policy: SandboxPolicy, node: &NodeManifest) -> String {
    fall(&runtime_of(policy), node, "x").trace.unwrap().into()
}

/// `file:line:column` of a text of the guest's source, both counted from 1.
fn place(text: &str) -> String {
    let line = SOURCE.lines().position(|line| line.contains(text)).unwrap();
    let column = SOURCE.lines().nth(line).unwrap().find(text).unwrap();
    format!("hostile/src/ruin.rs:{}:{}", line + 1, column + 1)
}

#[test]
fn a_trap_names_function_file_and_line_when_the_component_has_debug_info() {
    let trace = trace_of(SandboxPolicy::default(), &hostile("panic"));
    // What the guest itself said of its panic comes first.
    let (_, frames) = trace.split_once("wasm backtrace").unwrap();
    let (function, after) = frames.split_once(&place(TRIPS)).unwrap_or_else(|| panic!("{trace}"));
    let function = function.lines().rev().nth(1).unwrap();
    assert!(function.ends_with(" trip_over"), "{function}");
    // Who called it is told after it, with the place of the call.
    assert!(after.contains(" wreak") && after.contains(&place("trip_over(&[]),")), "{trace}");
    assert!(!trace.contains("_ZN") && !trace.contains("no source lines"), "{trace}");
}

#[test]
fn an_endless_loop_is_found_in_the_source_too() {
    let mut policy = SandboxPolicy::default();
    policy.limits.call_timeout_ms = Some(100);
    let error = fall(&runtime_of(policy), &hostile("loop"), "x");
    assert_eq!(error.kind, ErrorKind::Timeout);
    let trace = error.trace.unwrap();
    // Where in the loop it is stopped is chance, and the jump back is of no line of the source.
    assert!(trace.contains("wreak") && trace.contains("hostile/src/ruin.rs"), "{trace}");
}

#[test]
fn the_operator_s_policy_switches_the_reading_of_debug_info_off() {
    let mut policy = SandboxPolicy::default();
    policy.crash.debug_info_mb = 0;
    let trace = trace_of(policy, &hostile("panic"));
    let frames = trace.split_once("wasm backtrace").unwrap().1;
    assert!(!frames.contains("ruin.rs") && frames.contains("hostile"), "{trace}");
}

#[test]
fn more_debug_info_than_the_policy_allows_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hostile.wasm");
    let mut bytes = fs::read(guest("hostile")).unwrap();
    bytes.extend(custom_section(".debug_padding", 2 << 20));
    fs::write(&file, bytes).unwrap();
    let mut policy = SandboxPolicy::default();
    policy.crash.debug_info_mb = 1;
    let trace = trace_of(policy, &in_file(&file));
    assert!(
        trace.contains("no source lines: the debug info is 3 MiB large, and the policy reads 1 MiB"),
        "{trace}"
    );
}

#[test]
fn a_file_that_is_another_one_by_now_tells_no_wrong_lines() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hostile.wasm");
    fs::copy(guest("hostile"), &file).unwrap();
    let runtime = runtime_of(SandboxPolicy::default());
    let mut node = start(&runtime, &in_file(&file)).unwrap();
    fs::copy(guest("gain"), &file).unwrap();
    let trace = error_of(process(&mut *node, Packet::new(0, "x"))).trace.unwrap();
    assert!(trace.contains("is not what was loaded any more"), "{trace}");
    assert!(!trace.split_once("wasm backtrace").unwrap().1.contains("ruin.rs"), "{trace}");
}

/// Debug info whose every byte may lie.
#[test]
fn damaged_debug_info_costs_the_lines_and_nothing_else() {
    let good = fs::read(guest("hostile")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sections = debug_sections(&good);
    assert!(sections.iter().map(|range| range.len()).sum::<usize>() > 1_000);
    for (nth, fill) in [0x00, 0xff, 0x81, 0x11].into_iter().enumerate() {
        let mut bad = good.clone();
        for section in &sections {
            bad[section.clone()].iter_mut().skip(nth * 40).step_by(3).for_each(|byte| *byte = fill);
        }
        let file = dir.path().join(format!("hostile-{nth}.wasm"));
        fs::write(&file, &bad).unwrap();
        let trace = trace_of(SandboxPolicy::default(), &in_file(&file));
        assert!(trace.contains("wasm backtrace") && trace.len() < 64 << 10, "{trace}");
    }
}

fn custom_section(name: &str, bytes: usize) -> Vec<u8> {
    let leb = |mut value: usize| {
        let mut out = Vec::new();
        while value > 0x7f {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    };
    let name = [leb(name.len()), name.as_bytes().to_vec()].concat();
    [vec![0], leb(name.len() + bytes), name, vec![0; bytes]].concat()
}

fn debug_sections(component: &[u8]) -> Vec<std::ops::Range<usize>> {
    let payloads = Parser::new(0).parse_all(component).map(Result::unwrap);
    payloads
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                let end = section.range().end;
                Some(end - section.data().len()..end)
            }
            _ => None,
        })
        .collect()
}

/// A core dump, read by the parser that debuggers use.
#[derive(Default)]
struct Dump {
    executable: String,
    modules: usize,
    instances: usize,
    /// (function, offset of the code in it), innermost first.
    frames: Vec<(u32, u32)>,
    memory_bytes: u64,
    data: Vec<u8>,
}

fn read_dump(file: &Path) -> Dump {
    let bytes = fs::read(file).unwrap();
    let mut dump = Dump::default();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::MemorySection(memories) => {
                dump.memory_bytes = memories.into_iter().map(|memory| memory.unwrap().initial << 16).sum();
            }
            Payload::DataSection(data) => {
                data.into_iter().for_each(|segment| dump.data.extend(segment.unwrap().data));
            }
            Payload::CustomSection(section) => {
                let reader = BinaryReader::new(section.data(), section.data_offset());
                match section.name() {
                    "core" => dump.executable = CoreDumpSection::new(reader).unwrap().name.into(),
                    "coremodules" => {
                        dump.modules = CoreDumpModulesSection::new(reader).unwrap().modules.len()
                    }
                    "coreinstances" => {
                        dump.instances = CoreDumpInstancesSection::new(reader).unwrap().instances.len();
                    }
                    "corestack" => {
                        let frames = CoreDumpStackSection::new(reader).unwrap().frames;
                        dump.frames = frames.iter().map(|frame| (frame.funcidx, frame.codeoffset)).collect();
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    dump
}

fn dumps(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const MARKER: &str = "what only this packet says: 7f3a91";

#[test]
fn a_core_dump_holds_the_guest_s_memory_and_stack_and_the_error_says_where_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("dumps");
    let runtime = dumping_runtime(SandboxPolicy::default(), &dir);
    let mut node = start(&runtime, &hostile("panic")).unwrap();
    let memory_bytes = node.memory_bytes().unwrap();
    // It was made and tried before the component ran, and nothing is left of the trial.
    assert!(dumps(&dir).is_empty(), "{:?}", dumps(&dir));
    let error = error_of(process(&mut *node, Packet::new(0, MARKER)));
    let [file] = &*dumps(&dir) else { panic!("{:?}", dumps(&dir)) };
    assert!(error.message.ends_with(&format!("(core dump: {})", file.display())), "{error}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("a-hostile-") && name.contains(&format!("-{}-", std::process::id())), "{name}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let dump = read_dump(file);
    // Not the folders above it, which are the host's business.
    assert_eq!(Some(&*dump.executable), guest("hostile").file_name().and_then(|name| name.to_str()));
    assert!(dump.modules > 0 && dump.instances >= dump.modules, "{} {}", dump.modules, dump.instances);
    assert!((1..=24).contains(&dump.frames.len()), "{:?}", dump.frames);
    // No less than the guest's memory, which may have grown for the packet, and no more than it may ever have.
    assert!(
        (memory_bytes..=64 << 20).contains(&dump.memory_bytes),
        "{} of {memory_bytes}",
        dump.memory_bytes
    );
    assert!(contains(&dump.data, MARKER));
    // What the host holds beside it, in its own memory.
    let secret = format!("the host's secret {}", std::process::id());
    assert!(!contains(&fs::read(file).unwrap(), std::hint::black_box(&secret)));
}

#[test]
fn a_guest_that_hit_a_limit_leaves_a_core_dump_and_one_that_exits_or_refuses_leaves_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = SandboxPolicy::default();
    policy.limits.call_timeout_ms = Some(100);
    let runtime = dumping_runtime(policy, dir.path());
    let late = fall(&runtime, &hostile("loop"), "x");
    assert!(late.kind == ErrorKind::Timeout && late.message.contains("(core dump: "), "{late}");
    let [file] = &*dumps(dir.path()) else { panic!("{:?}", dumps(dir.path())) };
    assert!(!read_dump(file).frames.is_empty());
    let refused = fall(&runtime, &hostile("refuse_input"), "x");
    assert!(!refused.message.contains("core dump"), "{refused}");
    assert_eq!(dumps(dir.path()).len(), 1);
}

#[test]
fn core_dumps_are_not_more_and_not_larger_than_the_policy_allows() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = SandboxPolicy::default();
    policy.crash.coredumps = 2;
    let runtime = dumping_runtime(policy.clone(), dir.path());
    for _ in 0..4 {
        fall(&runtime, &hostile("panic"), "x");
    }
    assert_eq!(dumps(dir.path()).len(), 2);
    let dir = tempfile::tempdir().unwrap();
    // Less than the guest begins with.
    policy.crash.coredump_mb = 1;
    let error = fall(&dumping_runtime(policy, dir.path()), &hostile("panic"), "x");
    assert!(error.kind == ErrorKind::Trap && !error.message.contains("core dump"), "{error}");
    assert_eq!(dumps(dir.path()).len(), 0);
}

#[test]
fn without_a_folder_for_them_nothing_is_dumped() {
    let error = fall(&runtime_of(SandboxPolicy::default()), &hostile("panic"), "x");
    assert!(!error.message.contains("core dump"), "{error}");
}
