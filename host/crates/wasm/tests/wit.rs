//! Released WIT never changes, and the engine never falls behind its security fixes.

use std::fs;
use std::path::PathBuf;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

#[test]
fn released_wit_is_never_edited() {
    let released = [
        ("host.wit", "6a50a6faf8953c53b0238eb9b32a66fe7d49f2d99ce66d975b28c421636caba0"),
        ("node.wit", "ba955aab820d1d2f18cb8a5365cacacbe9394dabf0e3c5ac03a8d3d3ecacd018"),
        ("types.wit", "db1473c9a29e2a38833e78c77ad01c2ff00b0eeea6c7b4186b228683d5a9ef6c"),
        ("world.wit", "a2bb185988bbf065c25bcbee6d7f7d1eb0e85b9b6cadad0d4e07c9907f53eec8"),
    ];
    let folder = repository().join("wit/v0.1.0");
    let mut files: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let actual: Vec<(String, String)> = files
        .into_iter()
        .map(|file| {
            let digest = blake3::hash(&fs::read(folder.join(&file)).unwrap()).to_hex().to_string();
            (file, digest)
        })
        .collect();
    assert_eq!(
        actual,
        released.map(|(file, digest)| (file.to_owned(), digest.to_owned())),
        "wit/v0.1.0 was edited, and components in the field were built against it: undo the edit, and write the wish \
         into wit/PENDING_CHANGES.md"
    );
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
