//! What a user can get wrong, through the real binary: each is one clear paragraph, exit code 1 or 2, no panic,
//! and no output file.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::binary::{Done, names, remotemedia, write_chain, write_wav};

/// Runs `remotemedia run` in a folder of its own and checks what every failure has in common.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.folder.path().join(name), bytes).unwrap();
        self.path(name)
    }

    fn wav(&self) -> String {
        write_wav(
            &self.folder.path().join("in.wav"),
            16_000,
            1,
            (0..1_600).map(|n| (n as f32 * 0.1).sin() * 0.5),
        )
    }

    fn pass_through(&self) -> String {
        write_chain(self.folder.path(), &[("a", "PassThrough", json!({}))])
    }

    /// Runs `manifest` on `input`; the message of the failure.
    fn fails(&self, manifest: &str, input: &str, code: i32) -> String {
        let out = self.path("out.wav");
        let done = remotemedia(&["run", manifest, "-i", input, "-o", &out]);
        self.check(&done, code)
    }

    fn check(&self, done: &Done, code: i32) -> String {
        assert_eq!(done.code, code, "{}\n{}", done.stdout, done.stderr);
        assert!(
            !done.stderr.contains("panicked") && !done.stderr.contains("RUST_BACKTRACE"),
            "{}",
            done.stderr
        );
        assert_eq!(done.stdout, "");
        let left = names(self.folder.path());
        assert!(!left.iter().any(|name| name.starts_with("out") || name.contains(".part")), "{left:?}");
        let message = done.stderr.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
        assert_eq!(message.len(), 1, "one error, said once: {}", done.stderr);
        done.stderr.clone()
    }
}

fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn an_unknown_node_type_is_named_with_the_nearest_one() {
    let case = Case::new();
    let manifest = write_chain(case.folder.path(), &[("a", "AudioGian", json!({}))]);
    says(&case.fails(&manifest, &case.wav(), 2), &["$.nodes[0].node_type", "AudioGian", "`AudioGain`"]);
}

#[test]
fn bad_params_are_named_by_their_path() {
    let case = Case::new();
    let manifest = write_chain(
        case.folder.path(),
        &[
            ("a", "AudioGain", json!({"gain_db": "loud"})),
            ("b", "AudioResample", json!({"target_rat": 8000})),
        ],
    );
    let message = case.fails(&manifest, &case.wav(), 2);
    says(&message, &["$.nodes[0].params.gain_db", "$.nodes[1].params"]);
}

#[test]
fn a_missing_manifest_or_input_is_named() {
    let case = Case::new();
    says(&case.fails(&case.path("nowhere.json"), "x.wav", 2), &["nowhere.json", "No such file"]);
    says(&case.fails(&case.pass_through(), &case.path("nowhere.wav"), 2), &["nowhere.wav", "No such file"]);
}

#[test]
fn truncated_empty_and_foreign_inputs_are_told_apart() {
    let case = Case::new();
    let manifest = case.pass_through();
    let wav = fs::read(case.wav()).unwrap();
    let cut = case.write("cut.wav", &wav[..wav.len() / 2]);
    says(&case.fails(&manifest, &cut, 2), &["cut.wav", "truncated", "0.100 s"]);
    let header = case.write("header.wav", &wav[..30]);
    says(&case.fails(&manifest, &header, 2), &["header.wav", "truncated"]);
    let empty = case.write("empty.wav", "");
    says(&case.fails(&manifest, &empty, 2), &["empty.wav", "is empty"]);
    let text = case.write("notes.wav", "these are notes, not samples");
    says(&case.fails(&manifest, &text, 2), &["notes.wav", "not audio", "text"]);
    let no_frames = write_wav(&case.folder.path().join("none.wav"), 16_000, 1, []);
    says(&case.fails(&manifest, &no_frames, 1), &["none.wav", "no audio frame"]);
    says(&case.fails(&manifest, case.folder.path().to_str().unwrap(), 2), &["folder"]);
}

#[test]
fn samples_that_are_no_numbers_are_named_by_their_place() {
    let case = Case::new();
    for (value, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let samples = (0..4_000).map(|n| if n == 2_001 { value } else { 0.1 });
        let wav = write_wav(&case.folder.path().join("bad.wav"), 8_000, 2, samples);
        let message = case.fails(&case.pass_through(), &wav, 1);
        says(&message, &["bad.wav", word, "channel 1", "frame 1000", "0.125 s"]);
    }
}

#[test]
fn a_cycle_is_printed_with_its_nodes() {
    let case = Case::new();
    let manifest = case.write(
        "cycle.json",
        json!({
            "version": "v1", "metadata": {"name": "cycle"},
            "nodes": [
                {"id": "in", "node_type": "PassThrough"},
                {"id": "a", "node_type": "PassThrough"},
                {"id": "b", "node_type": "PassThrough"}
            ],
            "connections": [
                {"from": "in", "to": "a"}, {"from": "a", "to": "b"}, {"from": "b", "to": "a"}
            ]
        })
        .to_string(),
    );
    says(&case.fails(&manifest, &case.wav(), 2), &["cycle", "a", "b", "->"]);
}

#[test]
fn text_that_is_no_manifest_is_refused() {
    let case = Case::new();
    let wav = case.wav();
    let not_utf8 = case.write("latin.json", b"{\"version\": \"v1\", \"metadata\": {\"name\": \"\xe9\"}}");
    says(&case.fails(&not_utf8, &wav, 2), &["UTF-8"]);
    let broken = case.write("broken.json", "{\"version\": \"v1\",");
    says(&case.fails(&broken, &wav, 2), &["broken.json", "line 1"]);
    let v9 = case
        .write("v9.json", r#"{"version": "v9", "metadata": {"name": "x"}, "nodes": [], "connections": []}"#);
    says(&case.fails(&v9, &wav, 2), &["$.version", "v1", "$.nodes"]);
    let media = case.write("large.json", vec![b' '; 50 * 1024 * 1024]);
    says(&case.fails(&media, &wav, 2), &["large.json", "larger than 16 MiB"]);
    fs::remove_file(media).unwrap();
}

#[test]
fn ten_thousand_nodes_with_one_fault_give_one_fault_in_reasonable_time() {
    let case = Case::new();
    let ids: Vec<String> = (0..10_000).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), if id == "n7777" { "PassTrough" } else { "PassThrough" }, json!({})))
        .collect();
    let manifest = write_chain(case.folder.path(), &nodes);
    let began = std::time::Instant::now();
    says(&case.fails(&manifest, &case.wav(), 2), &["$.nodes[7777].node_type", "`PassThrough`"]);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn a_pipeline_of_ten_thousand_nodes_runs() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..10_000).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = ids.iter().map(|id| (id.as_str(), "PassThrough", json!({}))).collect();
    let manifest = write_chain(folder.path(), &nodes);
    let wav = write_wav(&folder.path().join("in.wav"), 16_000, 1, (0..1_600).map(|_| 0.25));
    let done = remotemedia(&["run", &manifest, "-i", &wav, "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.json()["outputs"]["n9999"][0]["frames"], 1_600);
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    let case = Case::new();
    case.write("text.wasm", "this is no component");
    // The smallest core module: magic and version, no world at all.
    case.write("core.wasm", b"\0asm\x01\0\0\0");
    for component in ["text.wasm", "core.wasm", "missing.wasm"] {
        let manifest = json!({
            "version": "v1", "metadata": {"name": "x"}, "connections": [],
            "nodes": [{"id": "g", "node_type": "gain", "component": component}]
        });
        let manifest = case.write("wasm.json", manifest.to_string());
        says(&case.fails(&manifest, &case.wav(), 2), &["$.nodes[0].component", component]);
    }
}

const BROKEN_CLASSES: &str = "
class Refuses:
    def __init__(self):
        raise ValueError('no such voice')

    def process(self, value):
        return value


class Raises(Refuses):
    def __init__(self):
        raise RuntimeError('no model file')
";

#[test]
fn a_python_class_that_is_missing_or_raises_is_named() {
    let case = Case::new();
    case.write("broken_nodes.py", BROKEN_CLASSES);
    let run = |node_type: &str, code: i32| {
        let manifest = write_chain(case.folder.path(), &[("p", node_type, json!({}))]);
        case.fails(&manifest, &case.wav(), code)
    };
    says(&run("broken_nodes:Missing", 2), &["Missing", "broken_nodes"]);
    says(&run("no_such_module:Thing", 2), &["no_such_module"]);
    // A ValueError says that the params are wrong; anything else, that the node is.
    says(&run("broken_nodes:Refuses", 2), &["`p`", "no such voice", "ValueError"]);
    says(&run("broken_nodes:Raises", 1), &["`p`", "no model file", "RuntimeError", "broken_nodes.py"]);
}

#[test]
fn wrong_usage_says_what_to_write_instead() {
    let case = Case::new();
    let (manifest, wav) = (case.pass_through(), case.wav());
    let check = |args: &[&str], words: &[&str]| {
        let done = remotemedia(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.stderr);
        says(&done.stderr, words);
    };
    check(&["run", &manifest], &["`a`", "-i FILE"]);
    check(&["run", &manifest, "-i", &format!("b={wav}")], &["no node is called `b`"]);
    check(&["run", &manifest, "-i", &wav, "-o", "out.mp3"], &["out.mp3", ".wav, .flac and .jsonl"]);
    check(&["run", &manifest, "-i", &wav, "-o", "a.x=out.wav"], &["no output port `x`"]);
    check(&["run", &manifest, "-i", &wav, "-o", "/no/such/dir/out.wav"], &["/no/such/dir/out.wav"]);
    check(&["run", &manifest, "-i", &wav, "--set", "a"], &["NODE.PARAM=VALUE"]);
    check(&["run", &manifest, "-i", &wav, "-o", "-", "--json"], &["--json"]);
    check(&["rum", &manifest], &["run"]);
}

#[test]
fn with_json_an_error_is_one_object_on_standard_error() {
    let case = Case::new();
    let manifest =
        write_chain(case.folder.path(), &[("a", "Nonesuch", json!({})), ("b", "AudioGain", json!({"x": 1}))]);
    let done = remotemedia(&["run", &manifest, "-i", &case.wav(), "--json"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["status"], "error");
    assert_eq!(error["exit_code"], 2);
    assert_eq!(error["error"]["kind"], "manifest");
    assert_eq!(error["error"]["errors"][0]["path"], "$.nodes[0].node_type");
    let usage = remotemedia(&["run", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&usage.stderr).unwrap();
    assert_eq!((usage.code, &error["error"]["kind"]), (2, &json!("usage")));
}

#[test]
fn an_older_output_survives_a_failed_run() {
    let case = Case::new();
    let out = case.folder.path().join("kept.wav");
    fs::write(&out, "older").unwrap();
    let samples = (0..40_000).map(|n| if n == 39_999 { f32::NAN } else { 0.1 });
    let wav = write_wav(&case.folder.path().join("bad.wav"), 8_000, 1, samples);
    let done = remotemedia(&["run", &case.pass_through(), "-i", &wav, "-o", out.to_str().unwrap()]);
    assert_eq!(done.code, 1);
    assert_eq!(fs::read(&out).unwrap(), b"older");
    assert_eq!(names(Path::new(case.folder.path())), ["bad.wav", "kept.wav", "pipeline.json"]);
}
