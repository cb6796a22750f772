//! `docs/security.md` and `docs/reliability.md` name a test for every promise: here it is checked that each of them
//! exists.

use std::collections::BTreeSet;
use std::path::Path;

use crate::binary::repository;

/// Names of tests are sentences: so many words at least.
const FEWEST_WORDS: usize = 5;

/// The names of tests in `text`: words in backticks that are joined by underscores.
fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |word: &&str| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && word.split('_').count() >= FEWEST_WORDS
    };
    text.split('`').skip(1).step_by(2).filter(is_name).collect()
}

/// Every function in the Rust files below `folder`.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            functions(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("fn ").skip(1);
            found.extend(after.filter_map(|rest| rest.split('(').next()).map(str::to_owned));
        }
    }
}

fn check(document: &str, at_least: usize) {
    let text = std::fs::read_to_string(repository().join(document)).unwrap();
    let named = named(&text);
    assert!(named.len() >= at_least, "{document} names only {} tests: {named:?}", named.len());
    let mut there = BTreeSet::new();
    for folder in ["tests", "host"] {
        functions(&repository().join(folder), &mut there);
    }
    let missing: Vec<_> = named.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "{document} names tests that do not exist: {missing:#?}");
}

#[test]
fn every_test_that_the_document_on_security_names_exists() {
    check("docs/security.md", 40);
}

#[test]
fn every_test_that_the_document_on_reliability_names_exists() {
    check("docs/reliability.md", 20);
}
