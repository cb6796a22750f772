//! Released WIT never changes, and the engine never falls behind its security fixes.

use std::fs;
use std::path::PathBuf;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

#[test]
fn released_wit_is_never_edited() {
    let digests = [("host.wit", "?"), ("node.wit", "?"), ("types.wit", "?"), ("world.wit", "?")];
    let folder = repository().join("wit/v0.1.0");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), digests.len(), "a file came or went");
    for (file, digest) in digests {
        let actual = blake3::hash(&fs::read(folder.join(file)).unwrap()).to_hex();
        assert_eq!(
            actual.as_str(),
            digest,
            "wit/v0.1.0/{file} was edited: components in the field were built against it. Undo the edit, and write \
             the wish into wit/PENDING_CHANGES.md"
        );
    }
}

#[test]
fn wasmtime_is_at_least_the_release_with_the_known_security_fixes() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    for name in ["wasmtime", "wasmtime-wasi"] {
        let (_, entry) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap();
        let version: Vec<u64> =
            entry.split('"').next().unwrap().split('.').map(|n| n.parse().unwrap()).collect();
        // 48.0.3 to 48.0.8 fixed 36 advisories.
        assert!(version >= vec![48, 0, 8], "{name} {version:?}");
    }
}
