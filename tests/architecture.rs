//! The rules of the house, checked: which crate may know which, what lies where, and how files and names look.
//!
//! What clippy and rustfmt already check is not repeated here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::repository;

/// Which crates of the house each crate may depend on, in any way.
const ARROWS: [(&str, &[&str]); 9] = [
    ("remotemedia-core", &[]),
    ("remotemedia-engine", &["remotemedia-core"]),
    ("remotemedia-nodes", &["remotemedia-core"]),
    ("remotemedia-wasm", &["remotemedia-core"]),
    ("remotemedia-python", &["remotemedia-core"]),
    (
        "remotemedia-host",
        &[
            "remotemedia-core",
            "remotemedia-engine",
            "remotemedia-nodes",
            "remotemedia-wasm",
            "remotemedia-python",
        ],
    ),
    ("remotemedia-sdk", &["remotemedia-host"]),
    ("remotemedia-tests", &["remotemedia-host", "remotemedia-core", "remotemedia-engine"]),
    ("remotemedia-benches", &["remotemedia-host", "remotemedia-core", "remotemedia-engine"]),
];

/// Outside crates that few may know. Benches compare the host with the bare library.
const KNOWN_TO: [(&str, &[&str]); 4] = [
    ("wasmtime", &["remotemedia-wasm", "remotemedia-benches"]),
    ("wasmtime-wasi", &["remotemedia-wasm", "remotemedia-benches"]),
    ("pyo3", &["remotemedia-python", "remotemedia-sdk"]),
    ("numpy", &["remotemedia-python"]),
];

/// What core must do without: threads, clocks, sandboxes, interpreters, codecs.
const UNKNOWN_TO_CORE: [&str; 6] = ["tokio", "tracing", "wasmtime", "pyo3", "symphonia", "clap"];

const TOP_LEVEL: [&str; 7] = ["wit", "host", "guest-nodes", "sdk-python", "tests", "benches", "docs"];

const MOST_LINES: usize = 600;
const MOST_MEDIAN_LINES: usize = 200;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["utils", "util", "common", "helper", "helpers", "manager", "misc", "v2", "fast"];

/// Every package of the workspace with its direct dependencies of all kinds.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), names(&package["dependencies"])))
        .collect()
}

/// The Rust files of the repository, built and generated ones left out.
fn rust_files() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = TOP_LEVEL.iter().map(|name| repository().join(name)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_made = name == "target" || name == "generated";
            if path.is_dir() && !is_made && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 100, "only {} files found", files.len());
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap().display().to_string()
}

/// Names longer than this are sentences (of tests), in which every word has its ordinary meaning.
const MOST_WORDS_OF_A_NAME: usize = 4;

/// The words of `snake_case`, `kebab-case` and `CamelCase`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

fn is_empty_name(name: &str) -> bool {
    let words = words(name);
    words.len() <= MOST_WORDS_OF_A_NAME && words.iter().any(|word| EMPTY_NAMES.contains(&word.as_str()))
}

/// The name that a line of Rust declares, when it declares an item.
fn declared(line: &str) -> Option<&str> {
    const QUALIFIERS: [&str; 6] = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
    const ITEMS: [&str; 8] = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static"];
    let mut words = line.split_whitespace().skip_while(|word| QUALIFIERS.contains(word)).peekable();
    let item = words.next()?;
    let name = if ITEMS.contains(&item) { words.next()? } else { return None };
    Some(name.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or(name))
}

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let found = dependencies();
    let expected: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), expected, "the crates of the house");
    for (name, allowed) in ARROWS {
        let house = found[name].iter().filter(|dependency| dependency.starts_with("remotemedia-"));
        for dependency in house {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn one_crate_knows_each_runtime_and_core_knows_none() {
    let found = dependencies();
    for (outside, may_know) in KNOWN_TO {
        let knowing: Vec<_> = found.iter().filter(|(_, list)| list.contains(outside)).collect();
        assert!(!knowing.is_empty(), "nobody depends on {outside}: mend this list");
        for (name, _) in knowing {
            assert!(may_know.contains(&name.as_str()), "{name} must not know {outside}");
        }
    }
    for outside in UNKNOWN_TO_CORE {
        assert!(!found["remotemedia-core"].contains(outside), "core must not know {outside}");
    }
}

#[test]
fn guests_see_nothing_of_the_host() {
    for entry in std::fs::read_dir(repository().join("guest-nodes/rust")).unwrap() {
        let Ok(manifest) = std::fs::read_to_string(entry.unwrap().path().join("Cargo.toml")) else {
            continue;
        };
        assert!(!manifest.contains("host/"), "a guest depends on a host crate:\n{manifest}");
    }
}

#[test]
fn the_top_level_holds_no_other_folders() {
    for entry in std::fs::read_dir(repository()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() && !name.starts_with('.') && name != "target" {
            assert!(TOP_LEVEL.contains(&name.as_str()), "the folder `{name}` has no place at the top level");
        }
    }
    for name in TOP_LEVEL {
        assert!(repository().join(name).is_dir(), "the folder `{name}` is missing");
    }
}

#[test]
fn every_file_says_what_it_owns_and_stays_small() {
    let mut sizes = Vec::new();
    for path in rust_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with //!", shown(&path));
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", shown(&path));
        sizes.push(lines);
    }
    sizes.sort_unstable();
    assert!(
        sizes[sizes.len() / 2] <= MOST_MEDIAN_LINES,
        "the median file has {} lines",
        sizes[sizes.len() / 2]
    );
}

#[test]
fn files_and_items_have_names_that_say_something() {
    for path in rust_files() {
        let inside = shown(&path);
        assert!(!inside.split('/').any(|part| is_empty_name(part.trim_end_matches(".rs"))), "{inside}");
        let text = std::fs::read_to_string(&path).unwrap();
        for name in text.lines().filter_map(|line| declared(line.trim_start())) {
            assert!(!is_empty_name(name) || name.contains("EMPTY_NAMES"), "`{name}` in {inside}");
        }
    }
}

#[test]
fn every_file_of_tests_is_part_of_the_binary() {
    let main = std::fs::read_to_string(repository().join("tests/main.rs")).unwrap();
    for entry in std::fs::read_dir(repository().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let is_test = path.extension().is_some_and(|kind| kind == "rs");
        if is_test && !["main", "lib", "build"].contains(&stem) {
            assert!(main.contains(&format!("mod {stem};")), "tests/main.rs does not name `{stem}`");
        }
    }
}

#[test]
fn no_test_is_switched_off() {
    let attribute = concat!("#[", "ignore");
    for path in rust_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(attribute), "{} switches a test off", shown(&path));
    }
}

#[test]
fn the_environment_is_read_in_one_place() {
    for path in rust_files() {
        let inside = shown(&path);
        let is_library = inside.starts_with("host/") && !inside.ends_with("build.rs");
        if is_library && inside != "host/src/config.rs" && !inside.contains("/tests/") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains(concat!("env::", "var")), "{inside} reads the environment");
        }
    }
}

#[test]
fn names_are_taken_apart_as_a_reader_does() {
    assert_eq!(words("AudioUtils"), ["audio", "utils"]);
    assert_eq!(words("breakfast_v2"), ["breakfast", "v2"]);
    assert!(is_empty_name("NodeManager") && is_empty_name("fast_path") && !is_empty_name("breakfast"));
    assert_eq!(declared("pub(crate) const fn shown(&self) -> u8 {"), Some("shown"));
    assert_eq!(declared("pub struct Graph<T> {"), Some("Graph"));
    assert_eq!(declared("let helper = 1;"), None);
}
