//! The corpora of the fuzz targets, through the functions that are fuzzed. `make fuzz` looks for more.

mod audio_file;
mod component;
mod echo;
mod here;
mod manifest;
mod packet;
mod returned;
mod scratch;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use crate::binary::repository;

/// A fuzz target: its name, and what it does with its input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("audio_file", audio_file::audio_file),
    ("component", component::component),
    ("manifest", manifest::manifest),
    ("packet", packet::packet),
    ("returned", returned::returned),
];

/// A corpus holds more than a seed.
const FEWEST_FILES: usize = 10;
/// All corpora together, in bytes.
const MOST_BYTES: u64 = 1 << 20;

fn fuzz() -> PathBuf {
    repository().join("tests/fuzz")
}

/// The files of a corpus, in the order of their names.
fn files(target: &str) -> BTreeSet<PathBuf> {
    let folder = fuzz().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|entry| entry.unwrap().path()).collect()
}

fn replay(wanted: &str) {
    let (_, function) = TARGETS.iter().find(|(name, _)| *name == wanted).unwrap();
    let files = files(wanted);
    assert!(files.len() >= FEWEST_FILES, "the corpus of {wanted} has {} files", files.len());
    // Every file that fails is told, and each with its own panic.
    let fails = |file: &PathBuf| {
        let data = fs::read(file).unwrap();
        let failed = catch_unwind(|| function(&data)).is_err();
        if failed {
            println!("this was {}", file.display());
        }
        failed
    };
    let failing: Vec<PathBuf> = files.into_iter().filter(fails).collect();
    assert!(failing.is_empty(), "{failing:#?}");
}

#[test]
fn every_manifest_of_the_corpus_is_planned_or_refused_in_words() {
    replay("manifest");
}

#[test]
fn every_packet_of_the_corpus_comes_back_from_every_runtime_as_it_was() {
    replay("packet");
}

#[test]
fn every_audio_file_of_the_corpus_is_read_within_its_caps_or_refused() {
    replay("audio_file");
}

#[test]
fn every_component_of_the_corpus_is_described_within_limits_or_refused() {
    replay("component");
}

#[test]
fn everything_in_the_corpus_that_a_component_returns_keeps_its_word_or_is_refused() {
    replay("returned");
}

#[test]
fn every_fuzz_target_has_a_corpus_that_is_replayed_here() {
    let mut bytes = 0;
    for (name, _) in TARGETS {
        bytes += files(name).iter().map(|file| file.metadata().unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of corpora: `cargo fuzz cmin` keeps what matters");
    let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let inside = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!((&inside("corpus"), &inside("fuzz_targets")), (&named, &named));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in named {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "tests/fuzz/Cargo.toml does not name {name}"
        );
    }
}
