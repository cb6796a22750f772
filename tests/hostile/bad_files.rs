//! Attacks by the file: what is no component, a damaged one, one for another world, one that is made to cost.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner};
use remotemedia_core::{ErrorKind, Operation};
use remotemedia_host::{Config, Host};

use super::hand_made::HandMade;
use super::trial::{Trial, guest};

fn refused(host: &Host, node: &HandMade, words: &str) {
    Trial::hand_made(host, node).ends(Operation::Describe, ErrorKind::InvalidParams, words);
}

/// The same cases in every run: a host keeps the code of each component that it has loaded.
fn runner(cases: u32) -> TestRunner {
    let config = Runs { cases, failure_persistence: None, ..Runs::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn importing(import: &str) -> HandMade {
    HandMade::other(format!("(component (import {import}))"))
}

super::cases! {
    fn an_empty_file_is_refused(host) {
        Trial::file(host, b"").ends(Operation::Describe, ErrorKind::InvalidParams, "is not a WebAssembly component");
    }

    fn a_file_larger_than_the_limit_is_refused(host) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attacker.wasm");
        let huge = fs::File::create(&path).unwrap();
        huge.set_len(5 << 30).unwrap();
        Trial::path(host, &path).ends(Operation::Describe, ErrorKind::LimitExceeded, "larger than this host's limit");
    }

    fn an_endless_device_is_refused(host) {
        let device = std::path::Path::new("/dev/zero");
        Trial::path(host, device).ends(Operation::Describe, ErrorKind::Unavailable, "is not a file");
    }

    /// Opening it would wait for a writer that never comes.
    fn a_pipe_is_refused(host) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attacker.wasm");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        Trial::path(host, &path).ends(Operation::Describe, ErrorKind::Unavailable, "is not a file");
    }

    fn a_component_cut_anywhere_is_refused(host) {
        let whole = HandMade::node().bytes();
        for cut in (8..whole.len()).step_by(211) {
            assert!(Trial::file(host, &whole[..cut]).runs_or_not().is_err(), "cut at {cut}");
        }
    }

    /// A flip may leave a node that works, or one that fails: never anything else.
    fn a_component_with_any_bit_flipped_is_refused_or_confined(host) {
        let whole = HandMade::node().bytes();
        let mut runner = runner(48);
        runner
            .run(&(8..whole.len(), 0..8_u8), |(at, bit)| {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                let _ = Trial::file(host, &flipped).runs_or_not();
                Ok(())
            })
            .unwrap();
    }

    /// The cache's code is compiled again, and works.
    fn cached_code_with_any_bit_flipped_is_refused_and_compiled_again(_host) {
        let folder = tempfile::tempdir().unwrap();
        let fresh = || {
            Host::new(Config { cache_dir: Some(folder.path().to_owned()), ..Config::default() })
        };
        Trial::hand_made(&fresh(), &HandMade::node()).must_be_harmless();
        let entries: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "cwasm"))
            .collect();
        let sound: Vec<Vec<u8>> = entries.iter().map(|entry| fs::read(entry).unwrap()).collect();
        let most = sound.iter().map(Vec::len).min().unwrap();
        let mut runner = runner(12);
        runner
            .run(&(0..most, 0..8_u8), |(at, bit)| {
                for (entry, sound) in entries.iter().zip(&sound) {
                    let mut flipped = sound.clone();
                    flipped[at] ^= 1 << bit;
                    fs::write(entry, flipped).unwrap();
                }
                let host = fresh();
                Trial::hand_made(&host, &HandMade::node()).must_be_harmless();
                prop_assert_eq!(host.sandbox_counts().cache_entries_refused, entries.len() as u64);
                Ok(())
            })
            .unwrap();
    }

    fn a_core_module_is_refused(host) {
        refused(host, &HandMade::other("(module)"), "core WebAssembly module");
    }

    fn a_component_that_exports_nothing_is_refused(host) {
        refused(host, &HandMade::other("(component)"), "not a node");
    }

    fn a_node_of_another_version_is_refused(host) {
        let node = HandMade::node().replacing("remotemedia:node/node@0.1.0", "remotemedia:node/node@0.2.0");
        refused(host, &node, "made for remotemedia:node@0.2.0, and this host knows");
    }

    fn a_node_of_the_next_major_version_is_refused(host) {
        let node = HandMade::node().replacing("remotemedia:node/node@0.1.0", "remotemedia:node/node@7.0.0");
        refused(host, &node, "made for remotemedia:node@7.0.0, and this host knows");
    }

    fn a_node_without_one_of_its_verbs_is_refused(host) {
        let node = HandMade::node().replacing("(export \"flush\" (func $flush))", "");
        refused(host, &node, "flush");
    }

    fn a_verb_of_another_type_is_refused(host) {
        let node = HandMade::node().replacing("(export \"cleanup\" (func $cleanup))", "(export \"cleanup\" (func $flush))");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "expected 0-tuple");
    }

    fn a_record_with_another_field_is_refused(host) {
        let node = HandMade::node().replacing("(field \"pts-ns\" s64)", "(field \"pts-ns\" u64)");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "expected `s64` found `u64`");
    }

    fn an_import_that_nobody_offers_is_named(host) {
        let import = importing(r#""acme:gpu/compute@1.0.0" (instance (export "run" (func)))"#);
        refused(host, &import, "acme:gpu/compute");
    }

    fn an_import_of_another_type_than_offered_is_named(host) {
        let import = importing(r#""remotemedia:node/host@0.1.0" (instance (export "log" (func (param "all" u64))))"#);
        refused(host, &import, "remotemedia:node/host");
    }

    fn a_function_of_the_host_that_does_not_exist_is_named(host) {
        let import = importing(r#""remotemedia:node/host@0.1.0" (instance (export "run-shell" (func)))"#);
        refused(host, &import, "run-shell");
    }

    fn a_component_that_uses_a_proposal_that_is_off_is_refused(host) {
        let node = HandMade::node().adding("COMPONENT", "(core module (memory i64 1))");
        refused(host, &node, "memory64");
    }

    /// A name that a terminal would obey.
    fn an_import_named_with_garbage_is_refused(host) {
        let mut bytes = importing(r#""acme:gpu/compute@1.0.0" (instance (export "run" (func)))"#).bytes();
        let at = bytes.windows(4).position(|window| window == b"acme").unwrap();
        bytes[at] = 0x1b;
        Trial::file(host, &bytes).ends(Operation::Describe, ErrorKind::InvalidParams, "");
    }

    fn another_guest_under_this_name_is_refused(host) {
        Trial::path(host, &guest("gain")).must_be_refused(&["`handmade`", "`gain`"]);
    }
}
