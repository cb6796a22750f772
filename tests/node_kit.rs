//! The author's kit through the real binary: a new node of every language builds and passes its test untouched, and
//! what is wrong with a param or a machine without compilers is told so that an author can mend it. Golden cases are
//! in `node_golden.rs`.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::binary::{self, Done, command, names, repository, write_wav};

/// Calls the binary in `folder`, with this repository's compilers and no network for cargo.
pub fn call(folder: &Path, args: &[&str]) -> Done {
    set_up(command(args), folder).output().unwrap().into()
}

/// As `call`, for a script that calls the binary by its name.
fn call_shell(folder: &Path, script: &str) -> Done {
    let mut bash = Command::new("bash");
    bash.args(["-euc", script]);
    let path = std::env::var("PATH").unwrap();
    let path = [binary::path().parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&path));
    bash.env("PATH", std::env::join_paths(path).unwrap());
    set_up(bash, folder).output().unwrap().into()
}

fn set_up(mut command: Command, folder: &Path) -> Command {
    let tools = ["guest-nodes/python/.venv/bin", "guest-nodes/js/node_modules/.bin"]
        .map(|dir| repository().join(dir));
    command.env("REMOTEMEDIA_TOOLS", std::env::join_paths(tools).unwrap());
    command.env("CARGO_NET_OFFLINE", "true").current_dir(folder);
    // A busy machine takes its time for CPython, and how long calls take is not what is tested.
    command.env("REMOTEMEDIA_POLICY", repository().join("tests/node_kit/patient.toml"));
    command
}

/// As `call`, for what must succeed.
pub fn ok(folder: &Path, args: &[&str]) -> Done {
    let done = call(folder, args);
    assert_eq!(done.code, 0, "{args:?}:\n{}\n{}", done.stdout, done.stderr);
    done
}

/// As `call`, for what must not; what it says.
pub fn refused(folder: &Path, code: i32, args: &[&str]) -> String {
    let done = call(folder, args);
    assert_eq!(done.code, code, "{args:?}:\n{}\n{}", done.stdout, done.stderr);
    done.stderr
}

pub fn guest(name: &str) -> String {
    let file = repository().join("target/guests").join(name);
    assert!(file.is_file(), "{} is not there: run `make setup`, which builds the guests", file.display());
    file.to_str().unwrap().to_owned()
}

/// 0.1 s of 440 Hz at 0.25 times `gain`, computed here.
pub fn write_tone(path: &Path, gain: f64) {
    let tone = (0..800).map(|n| (gain * 0.25 * (TAU * 440.0 * f64::from(n) / 8_000.0).sin()) as f32);
    write_wav(path, 8_000, 1, tone);
}

/// The first fenced block of `document` in that language that `is_wanted`.
fn block<'a>(document: &'a str, language: &str, is_wanted: impl Fn(&str) -> bool) -> &'a str {
    let fence = format!("```{language}\n");
    let mut blocks = document.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| is_wanted(block)).unwrap_or_else(|| panic!("no such block in {language}"))
}

/// "Make it yours" of docs/plugin-authors.md: the gain in `node` becomes the tremolo of the language's own page.
fn the_documented_tremolo_works(node: &Path, language: &str) {
    let page = |name: &str| fs::read_to_string(repository().join(name)).unwrap();
    let (pages, source, tests) = match language {
        "rust" => (page("guest-nodes/README.md"), "src/lib.rs", None),
        "python" => (page("guest-nodes/python/README.md"), "src/node.py", Some("tests/test_node.py")),
        "js" => (page("guest-nodes/js/README.md"), "src/node.js", Some("tests/node.test.js")),
        _ => (page("guest-nodes/c/README.md"), "src/node.c", None),
    };
    fs::write(node.join(source), block(&pages, language, |_| true)).unwrap();
    if let Some(tests) = tests {
        fs::write(node.join(tests), block(&pages, language, |block| block.contains("est("))).unwrap();
    }
    let document = page("docs/plugin-authors.md");
    let done = call_shell(node, block(&document, "sh", |block| block.contains("golden/swell")));
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert_eq!(done.stdout.matches("identical").count(), 3, "{}", done.stdout);
    // A constant swells by its formula.
    write_wav(&node.join("one.wav"), 8_000, 1, (0..2_000).map(|_| 1.0));
    ok(node, &["node", "run", "-i", "one.wav", "-o", "swelling.wav", "--param", "rate_hz=8"]);
    let out = hound::WavReader::open(node.join("swelling.wav")).unwrap().into_samples::<f32>();
    for (n, sample) in out.map(Result::unwrap).enumerate() {
        let expected = 0.5 + 0.5 * (TAU * 8.0 * n as f64 / 8_000.0).cos();
        assert!((f64::from(sample) - expected).abs() < 1e-5, "frame {n}: {sample}, expected {expected}");
    }
}

/// The ten-minute path of docs/plugin-authors.md in one language, typed word for word into an empty folder. Gives the
/// folder and the node's folder in it.
fn the_documented_path_works(language: &str) -> (tempfile::TempDir, PathBuf) {
    let document = fs::read_to_string(repository().join("docs/plugin-authors.md")).unwrap();
    let begin = format!("remotemedia node new my-gain --lang {language}\n");
    let block = block(&document, "sh", |block| block.starts_with(&begin));
    let folder = tempfile::tempdir().unwrap();
    let done = call_shell(folder.path(), block);
    assert_eq!(done.code, 0, "{block}\n{}\n{}", done.stdout, done.stderr);
    let node = folder.path().join("my-gain");
    let tested = ok(&node, &["node", "test", "--json"]).json();
    assert_eq!((&tested["status"], &tested["cases"][0]["passed"]), (&json!("ok"), &json!(true)), "{tested}");
    assert_eq!(tested["cases"][0]["checks"].as_array().unwrap().len(), 3, "{tested}");
    // The last command scaled by -6 dB.
    let samples = |name: &str| -> Vec<f32> {
        hound::WavReader::open(node.join(name)).unwrap().samples().map(Result::unwrap).collect()
    };
    let (out, input) = (samples("out.wav"), samples("golden/quieter/input.wav"));
    let factor = 10_f32.powf(-6.0 / 20.0);
    assert_eq!(out.len(), input.len());
    assert!(out.iter().zip(&input).all(|(out, input)| (out - factor * input).abs() < 1e-6));
    (folder, node)
}

#[test]
fn a_new_rust_node_builds_and_passes_its_test_untouched_and_offline() {
    let (_folder, node) = the_documented_path_works("rust");
    the_documented_tremolo_works(&node, "rust");
    // The lock file was right from the beginning.
    let lock = fs::read_to_string(node.join("Cargo.lock")).unwrap();
    let again = ok(node.parent().unwrap(), &["node", "new", "my-gain-2", "--lang", "rust"]);
    assert!(again.stdout.contains("my-gain-2"));
    let fresh = fs::read_to_string(node.parent().unwrap().join("my-gain-2/Cargo.lock")).unwrap();
    assert_eq!(lock, fresh.replace("my-gain-2", "my-gain"));
}

#[test]
fn a_new_python_node_builds_and_passes_its_test_untouched() {
    let (_folder, node) = the_documented_path_works("python");
    the_documented_tremolo_works(&node, "python");
}

#[test]
fn a_new_javascript_node_builds_and_passes_its_test_untouched() {
    let (_folder, node) = the_documented_path_works("js");
    the_documented_tremolo_works(&node, "js");
}

#[test]
fn a_new_c_node_builds_and_passes_its_test_untouched() {
    let (_folder, node) = the_documented_path_works("c");
    the_documented_tremolo_works(&node, "c");
}

#[test]
fn the_copied_sdk_is_the_repositorys_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    for (language, sources) in
        ["rust", "python", "js", "c"].map(|language| (language, format!("guest-nodes/{language}/sdk")))
    {
        ok(folder.path(), &["node", "new", &format!("a-{language}"), "--lang", language]);
        let copy = folder.path().join(format!("a-{language}/sdk"));
        let mut waiting = vec![repository().join(&sources)];
        let mut compared = 0;
        while let Some(source) = waiting.pop() {
            let name = source.file_name().unwrap().to_string_lossy().into_owned();
            if name == "__pycache__" || name.ends_with(".test.js") {
                continue;
            }
            if source.is_dir() {
                waiting.extend(fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let relative = source.strip_prefix(repository().join(&sources)).unwrap();
            assert_eq!(
                fs::read(copy.join(relative)).unwrap(),
                fs::read(&source).unwrap(),
                "{}",
                source.display()
            );
            compared += 1;
        }
        assert!(compared > 5, "{language}");
        assert!(copy.join("wit/world.wit").is_file() && copy.join("LICENSE").is_file(), "{language}");
    }
}

#[test]
fn nothing_is_ever_overwritten_and_bad_names_are_refused_with_a_better_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    for name in ["taken", "file"] {
        let told = refused(folder.path(), 2, &["node", "new", name, "--lang", "rust"]);
        assert!(told.contains("already there"), "{told}");
    }
    for (name, better) in [("MyTremolo", "my-tremolo"), ("a/b", "a-b"), ("serde", "my-serde")] {
        let told = refused(folder.path(), 2, &["node", "new", name, "--lang", "rust"]);
        assert!(told.contains(better), "{told}");
    }
    let told = refused(folder.path(), 2, &["node", "new", "a", "--lang", "cobol"]);
    assert!(told.contains("rust") && told.contains("python"), "{told}");
    assert_eq!(names(folder.path()), ["file", "taken"]);
}

#[test]
fn a_missing_compiler_is_named_with_the_command_that_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    for (language, tool, install) in [
        ("rust", "rustc", "rustup target add wasm32-wasip2"),
        ("python", "componentize-py", "pip install"),
        ("js", "componentize-qjs", "npm install"),
        ("c", "clang", "apt install"),
    ] {
        let name = format!("a-{language}");
        ok(folder.path(), &["node", "new", &name, "--lang", language]);
        let mut command = command(&["node", "build", &name]);
        let done: Done = command
            .env("PATH", folder.path())
            .env_remove("REMOTEMEDIA_TOOLS")
            .current_dir(folder.path())
            .output()
            .unwrap()
            .into();
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert!(done.stderr.contains(tool) && done.stderr.contains(install), "{}", done.stderr);
    }
}

#[test]
fn a_test_before_the_build_and_a_folder_that_is_no_nodes_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), &["node", "new", "a", "--lang", "rust"]);
    let told = refused(folder.path(), 2, &["node", "test", "a"]);
    assert!(told.contains("remotemedia node build a"), "{told}");
    for verb in ["build", "test", "bench"] {
        let told = refused(folder.path(), 2, &["node", verb, "."]);
        assert!(told.contains("remotemedia-node.toml") && told.contains("node new"), "{told}");
    }
}

#[test]
fn run_takes_params_and_ports_and_names_the_nearest_when_they_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    write_tone(&folder.path().join("in.wav"), 1.0);
    let gain = guest("gain.wasm");
    let run = |args: &[&str]| call(folder.path(), &[&["node", "run", &gain], args].concat());
    let done = run(&["-i", "in=in.wav", "-o", "out=out.wav", "--param", "gain_db=-20"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(folder.path().join("out.wav").is_file());
    for (args, part) in [
        (&["-i", "in.wav", "-o", "x.wav", "--param", "gain_bd=1"][..], "`gain_db`"),
        (&["-i", "in.wav", "-o", "x.wav", "--param", "gain_db"], "NAME=VALUE"),
        (&["-i", "inn=in.wav", "-o", "x.wav"], "did you mean `in`?"),
        (&["-i", "in.wav", "-o", "outt=x.wav"], "did you mean `out`?"),
        (&["-o", "x.wav"], "-i FILE"),
        (&["-i", "none.wav", "-o", "x.wav"], "none.wav"),
    ] {
        let done = run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(part), "{args:?}: {}", done.stderr);
    }
    assert_eq!(names(folder.path()), ["in.wav", "out.wav"]);
    let told = refused(folder.path(), 2, &["node", "run", "in.wav", "-i", "in.wav"]);
    assert!(told.contains("not a WebAssembly component"), "{told}");
}

#[test]
fn verbs_work_on_the_current_folder_and_say_what_another_target_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("[node]\nname = \"gain\"\nlanguage = \"c\"\ncomponent = {:?}\n", guest("gain.wasm"));
    fs::write(folder.path().join("remotemedia-node.toml"), file).unwrap();
    write_tone(&folder.path().join("in.wav"), 1.0);
    assert!(ok(folder.path(), &["node", "inspect"]).stdout.contains("gain_db"));
    ok(folder.path(), &["node", "run", "-i", "in.wav", "-o", "out.wav"]);
    ok(folder.path(), &["node", "bench", "--seconds", "0.1"]);
    ok(folder.path(), &["node", "conform", "--quick", "--only", "description"]);
    ok(folder.path(), &["node", "pack", "-o", "gain.oci.tar"]);
    assert_eq!(names(folder.path()), ["gain.oci.tar", "in.wav", "out.wav", "remotemedia-node.toml"]);
    let told = call(folder.path(), &["node", "run", "-i", "in.wav"]).stderr;
    assert!(told.contains("not written; -o FILE.wav keeps it"), "{told}");
    for verb in ["run", "inspect", "bench", "conform"] {
        let told = refused(folder.path(), 2, &["node", verb, "none.wasm"]);
        assert!(told.contains("`none.wasm`") && told.contains("or a node's folder"), "{told}");
        let told = refused(Path::new("/"), 2, &["node", verb]);
        assert!(told.contains("`.` is no node's folder"), "{told}");
    }
    let told = refused(folder.path(), 2, &["node", "conform", "in.wav"]);
    assert!(told.contains("in.wav is not a WebAssembly component"), "{told}");
    for verb in ["run", "bench"] {
        let told = refused(folder.path(), 2, &["node", verb, "--param", "gain_db=loud"]);
        assert!(told.contains("cannot run like that:\n  params.gain_db: it must be a number"), "{told}");
    }
}

#[test]
fn bench_counts_blocks_and_orders_its_quantiles() {
    let gain = guest("gain.wasm");
    let args = ["node", "bench", &gain, "--rate", "48000", "--block", "480", "--seconds", "1", "--json"];
    let bench = ok(repository(), &args).json()["bench"].take();
    assert_eq!((&bench["blocks"], &bench["block_us"]), (&json!(100), &json!(10_000.0)));
    let number = |name: &str| bench[name].as_f64().unwrap_or_else(|| panic!("{name}: {bench}"));
    assert!(0.0 < number("p50_us") && number("p50_us") <= number("p99_us"), "{bench}");
    assert!(number("p99_us") <= number("max_us") && number("real_time_factor") > 0.0, "{bench}");
    let told = refused(repository(), 2, &["node", "bench", &gain, "--seconds", "0"]);
    assert!(told.contains("blocks"), "{told}");
}

#[test]
fn inspect_shows_descriptor_digest_imports_and_permissions() {
    let gain = guest("gain.wasm");
    let found = ok(repository(), &["node", "inspect", &gain, "--json"]).json();
    assert_eq!((&found["kind"], &found["wit_version"]), (&json!("component"), &json!("0.1.0")));
    assert_eq!(found["descriptor"]["node_type"], "gain");
    assert_eq!(found["bytes"].as_u64().unwrap(), fs::metadata(&gain).unwrap().len());
    let sum = Command::new("sha256sum").arg(&gain).output().unwrap();
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(found["sha256"].as_str().unwrap()));
    let imports: Vec<&Value> =
        found["imports"].as_array().unwrap().iter().map(|import| &import["name"]).collect();
    assert!(imports.contains(&&json!("remotemedia:node/types@0.1.0")), "{imports:?}");
    let text = ok(repository(), &["node", "inspect", &gain]).stdout;
    for part in ["sha256", "gain_db", "number -150", "IMPORT", "permissions"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn inspect_tells_what_a_refused_file_is_and_why_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // A core module, by its first eight bytes, and no WebAssembly at all.
    fs::write(folder.path().join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    fs::write(folder.path().join("text.wasm"), "hello").unwrap();
    for (file, kind, why) in
        [("module.wasm", "core module", "wasm32-wasip2"), ("text.wasm", "no WebAssembly", "first bytes")]
    {
        let done = call(folder.path(), &["node", "inspect", file, "--json"]);
        assert_eq!(done.code, 1, "{}", done.stderr);
        let found = done.json();
        assert_eq!((&found["kind"], &found["descriptor"]), (&json!(kind), &Value::Null));
        assert!(found["refused"]["message"].as_str().unwrap().contains(why), "{found}");
    }
    let truncated = fs::read(guest("gain.wasm")).unwrap();
    fs::write(folder.path().join("cut.wasm"), &truncated[..truncated.len() / 2]).unwrap();
    let found = call(folder.path(), &["node", "inspect", "cut.wasm", "--json"]).json();
    assert!(found["damage"].is_string() && found["refused"].is_object(), "{found}");
    let told = refused(folder.path(), 2, &["node", "inspect", "none.wasm"]);
    assert!(told.contains("none.wasm"), "{told}");
    refused(folder.path(), 2, &["node", "inspect", "."]);
}
