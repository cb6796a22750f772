//! Golden cases through the real binary, around guests that are there already: what passes, what fails and how it is
//! told, what `--bless` writes, and nodes with several inputs, in cases and in `node run`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{names, write_wav};
use crate::node_kit::{call, guest, ok, refused, write_tone};

/// A node's folder around a guest, which needs no compiler then, with the empty folder of one case, `tone`.
fn around(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let component = guest(&format!("{name}.wasm"));
    let file = format!("[node]\nname = {name:?}\nlanguage = \"c\"\ncomponent = {component:?}\n");
    fs::write(folder.path().join("remotemedia-node.toml"), file).unwrap();
    fs::create_dir_all(folder.path().join("golden/tone")).unwrap();
    folder
}

/// The guest `gain` with a case of one tone.
fn around_gain(case: &str, expected_gain: f64) -> tempfile::TempDir {
    let folder = around("gain");
    write_case(&folder.path().join("golden/tone"), case, expected_gain);
    folder
}

/// A case of the guest `gain`, of one tone.
fn write_case(folder: &Path, case: &str, expected_gain: f64) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("case.toml"), case).unwrap();
    write_tone(&folder.join("input.wav"), 1.0);
    write_tone(&folder.join("expected.wav"), expected_gain);
}

#[test]
fn a_golden_case_passes_within_its_tolerance_and_fails_readably_beyond_it() {
    let minus_20 = "tolerance_db = -100\n[params]\ngain_db = -20\n";
    let right = around_gain(minus_20, 0.1);
    let done = ok(right.path(), &["node", "test"]);
    assert_eq!(done.stdout.matches(" ok").count(), 3, "{}", done.stdout);
    // 1 % too loud is an error of 20 log10(0.01) = -40 dB, from the second sample on: the first is zero.
    let wrong = around_gain(minus_20, 0.1 / 1.01);
    let done = call(wrong.path(), &["node", "test"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    for part in ["tone, 20 ms, port out: the error is -40.0 dB", "at most -100.0 dB", "frame 1 (0.0001 s)"] {
        assert!(done.stdout.contains(part), "{part} is not in {}", done.stdout);
    }
    assert!(done.stderr.contains("1 of 1 golden cases failed"), "{}", done.stderr);
    let report = call(wrong.path(), &["node", "test", "--json"]).json();
    assert_eq!(report["cases"][0]["checks"][1]["chunk"], "1 frame");
    assert_eq!(report["cases"][0]["passed"], false);
    let lenient = around_gain("tolerance_db = -39.9\n[params]\ngain_db = -20\n", 0.1 / 1.01);
    ok(lenient.path(), &["node", "test"]);
}

#[test]
fn bless_writes_what_comes_out_and_the_case_passes_then() {
    let folder = around_gain("tolerance_db = -inf\n[params]\ngain_db = 6\n", 1.0);
    refused(folder.path(), 1, &["node", "test"]);
    let done = ok(folder.path(), &["node", "test", "--bless"]);
    assert!(done.stdout.contains("expected.wav"), "{}", done.stdout);
    let done = ok(folder.path(), &["node", "test"]);
    assert_eq!(done.stdout.matches("identical").count(), 3, "{}", done.stdout);
    assert_eq!(names(&folder.path().join("golden/tone")), ["case.toml", "expected.wav", "input.wav"]);
}

#[test]
fn bless_leaves_a_case_that_passes_alone_unless_it_is_named() {
    let minus_20 = "tolerance_db = -39\n[params]\ngain_db = -20\n";
    let folder = around_gain(minus_20, 0.5);
    let golden = folder.path().join("golden");
    // 1 % off is -40 dB: within the tolerance, but not what comes out.
    write_case(&golden.join("near"), minus_20, 0.1 / 1.01);
    let expected = |case: &str| fs::read(golden.join(case).join("expected.wav")).unwrap();
    let near = expected("near");
    let done = ok(folder.path(), &["node", "test", "--bless", "--json"]).json();
    assert_eq!((&done["kept"], &done["written"].as_array().unwrap().len()), (&json!(["near"]), &1), "{done}");
    assert!(done["written"][0].as_str().unwrap().ends_with("tone/expected.wav"), "{done}");
    assert!(expected("near") == near && expected("tone") != near);
    let done = ok(folder.path(), &["node", "test", "--bless"]);
    assert_eq!(done.stdout, "kept near, which passes\nkept tone, which passes\n");
    ok(folder.path(), &["node", "test", "--bless", "--case", "near"]);
    assert!(expected("near") == expected("tone"));
    let done = ok(folder.path(), &["node", "test", "--case", "near", "--json"]).json();
    assert_eq!((&done["cases"][0]["name"], &done["cases"][1]), (&json!("near"), &Value::Null), "{done}");
    let told = refused(folder.path(), 2, &["node", "test", "--case", "tones"]);
    assert!(told.contains("did you mean `tone`?"), "{told}");
}

#[test]
fn bless_does_what_it_can_replaces_what_is_of_another_kind_and_tells_the_rest() {
    let folder = around_gain("", 1.0);
    let golden = folder.path().join("golden");
    write_case(&golden.join("wrong"), "tolerance = 1\n", 1.0);
    // No case.toml is as good as an empty one.
    fs::remove_file(golden.join("tone/case.toml")).unwrap();
    fs::remove_file(golden.join("tone/expected.wav")).unwrap();
    fs::write(golden.join("tone/expected.jsonl"), "1\n").unwrap();
    let done = call(folder.path(), &["node", "test", "--bless"]);
    assert_eq!(done.code, 1, "{}", done.stdout);
    for told in ["removed ./golden/tone/expected.jsonl", "wrote ./golden/tone/expected.wav"] {
        assert!(done.stdout.contains(told), "{told} is not in {}", done.stdout);
    }
    assert!(
        done.stderr.contains("wrong/case.toml") && done.stderr.contains("tolerance_db"),
        "{}",
        done.stderr
    );
    assert_eq!(names(&golden.join("tone")), ["expected.wav", "input.wav"]);
    ok(folder.path(), &["node", "test", "--case", "tone"]);
}

const DUCKED_FRAMES: usize = 6_000;

/// 0.75 s at 8 kHz of `programme` (a constant), of a side chain that speaks from frame 1000 to 3000, and of what the
/// ducker makes of them by its closed form: 20 dB above the threshold at a ratio of 4 are -15 dB, reached with a time
/// constant of 10 ms (80 frames) and left with one of 300 ms (2400 frames).
fn ducked() -> [Vec<f32>; 3] {
    let side_chain = |n: usize| if (1_000..3_000).contains(&n) { 0.1 } else { 0.0 };
    let falling_db = |frames: f64| -15.0 * (1.0 - (-frames / 80.0).exp());
    let gain_db = |n: usize| match n {
        ..1_000 => 0.0,
        1_000..3_000 => falling_db((n - 999) as f64),
        _ => falling_db(2_000.0) * (-((n - 2_999) as f64) / 2_400.0).exp(),
    };
    let expected = |n| (0.5 * 10_f64.powf(gain_db(n) / 20.0)) as f32;
    [
        vec![0.5; DUCKED_FRAMES],
        (0..DUCKED_FRAMES).map(side_chain).collect(),
        (0..DUCKED_FRAMES).map(expected).collect(),
    ]
}

#[test]
fn a_golden_case_feeds_every_input_port() {
    let [programme, side_chain, expected] = ducked();
    let folder = around("ducker");
    let case = folder.path().join("golden/tone");
    let write = |name: &str, samples: &[f32]| write_wav(&case.join(name), 8_000, 1, samples.iter().copied());
    fs::write(case.join("case.toml"), "tolerance_db = -100\nchunks = [\"20ms\", 1, 997, 6000]\n").unwrap();
    write("input.programme.wav", &programme);
    write("expected.wav", &expected);
    // Without its side chain nothing is turned down.
    let done = call(folder.path(), &["node", "test"]);
    assert!(done.code == 1 && done.stdout.contains("frame 1000 ("), "{}", done.stdout);
    // What the side chain lacks at its end counts as silence.
    for frames in [DUCKED_FRAMES, 3_000] {
        write("input.sidechain.wav", &side_chain[..frames]);
        let done = ok(folder.path(), &["node", "test"]);
        assert_eq!(done.stdout.matches(" ok").count(), 4, "{}", done.stdout);
    }
    // The first port may go without its name, but not twice.
    write("input.wav", &programme);
    let done = call(folder.path(), &["node", "test"]);
    assert!(done.code == 1 && done.stdout.contains("keep one of them"), "{}", done.stdout);
    fs::remove_file(case.join("input.programme.wav")).unwrap();
    ok(folder.path(), &["node", "test"]);
    write("input.voice.wav", &side_chain);
    let done = call(folder.path(), &["node", "test"]);
    assert!(done.stdout.contains("the ports are: programme, sidechain"), "{}", done.stdout);
}

#[test]
fn run_feeds_every_input_port_in_whatever_order_they_are_named() {
    let [programme, side_chain, expected] = ducked();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rate, samples: &[f32]| {
        write_wav(&folder.path().join(name), rate, 1, samples.iter().copied());
    };
    write("music.wav", 8_000, &programme);
    write("voice.wav", 8_000, &side_chain[..3_000]);
    write("fast.wav", 16_000, &side_chain);
    let ducker = guest("ducker.wasm");
    let run = |args: &[&str]| call(folder.path(), &[&["node", "run", &ducker], args].concat());
    for inputs in [
        ["-i", "programme=music.wav", "-i", "sidechain=voice.wav"],
        ["-i", "sidechain=voice.wav", "-i", "programme=music.wav"],
        ["-i", "music.wav", "-i", "sidechain=voice.wav"],
    ] {
        for chunk_ms in ["20", "1", "1000"] {
            let done = run(&[&inputs[..], &["-o", "out.wav", "--chunk-ms", chunk_ms]].concat());
            assert_eq!(done.code, 0, "{}", done.stderr);
            let mut out = hound::WavReader::open(folder.path().join("out.wav")).unwrap();
            let out: Vec<f32> = out.samples().map(Result::unwrap).collect();
            assert_eq!(out.len(), DUCKED_FRAMES, "{inputs:?}");
            assert!(out.iter().zip(&expected).all(|(out, expected)| (out - expected).abs() < 1e-6));
        }
    }
    let done = run(&["-i", "voice=music.wav", "-o", "x.wav"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    let told = "-i voice=music.wav: the node has no such port; there is: `programme`, `sidechain`";
    assert!(done.stderr.contains(told), "{}", done.stderr);
    let done = run(&["-i", "music.wav", "-i", "sidechain=fast.wav", "-o", "x.wav"]);
    assert!(done.code == 1 && done.stderr.contains("resample one of the inputs"), "{}", done.stderr);
    assert!(!folder.path().join("x.wav").exists());
}

#[test]
fn mistakes_in_a_case_are_named_with_the_nearest_that_is_right() {
    for (case, part) in [
        ("tolerance = 1\n", "`tolerance_db`"),
        ("chunks = [0]\n", "not 0"),
        ("chunks = [\"20\"]\n", "\"20ms\""),
        ("[params]\ngain_bd = 1\n", "gain_db"),
        ("[params]\ngain_db = 1000\n", "gain_db"),
    ] {
        let folder = around_gain(case, 1.0);
        let done = call(folder.path(), &["node", "test"]);
        assert_eq!(done.code, 1, "{case}: {}", done.stderr);
        assert!(done.stdout.contains(part), "{case}: {}", done.stdout);
    }
    let folder = around_gain("", 1.0);
    fs::rename(folder.path().join("golden/tone/input.wav"), folder.path().join("golden/tone/input.inn.wav"))
        .unwrap();
    let done = call(folder.path(), &["node", "test"]);
    assert!(done.code == 1 && done.stdout.contains("did you mean `in`?"), "{}", done.stdout);
    fs::remove_dir_all(folder.path().join("golden")).unwrap();
    let told = refused(folder.path(), 2, &["node", "test"]);
    assert!(told.contains("--bless"), "{told}");
}
