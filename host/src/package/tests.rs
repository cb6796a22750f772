//! A package survives the way through a file, and a damaged one is refused with its reason.

use std::path::Path;

use remotemedia_core::PayloadKind;

use super::*;

const MOST: u64 = 1 << 20;

fn package() -> Package {
    Package {
        component: b"\0asm\x0d\0\x01\0 and so on".to_vec(),
        descriptor: NodeDescriptor::transform("gain", PayloadKind::Audio, "Scales audio."),
        imports: vec!["remotemedia:node/host@0.1.0".into()],
        readme: Some("# gain\n".into()),
        license: Some("Apache-2.0 …".into()),
    }
}

fn entries(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
    let read = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        (entry.path().unwrap().display().to_string(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

fn write_entries(path: &Path, entries: &[(String, Vec<u8>)]) {
    let mut archive = tar::Builder::new(std::fs::File::create(path).unwrap());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..]).unwrap();
    }
    archive.into_inner().unwrap();
}

#[test]
fn a_package_comes_back_as_it_was_and_packs_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.oci.tar"), folder.path().join("b.oci.tar"));
    package().write(&first).unwrap();
    package().write(&second).unwrap();
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    assert_eq!(Package::read(&first, MOST).unwrap(), package());
}

#[test]
fn the_file_is_an_oci_image_layout_with_one_wasm_layer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gain.oci.tar");
    package().write(&path).unwrap();
    let entries = entries(&path);
    let find = |name: &str| -> serde_json::Value {
        let (_, content) = entries.iter().find(|(known, _)| known == name).unwrap();
        serde_json::from_slice(content).unwrap()
    };
    let blob =
        |digest: &serde_json::Value| find(&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/")));
    assert_eq!(find("oci-layout"), serde_json::json!({"imageLayoutVersion": "1.0.0"}));
    let manifest = blob(&find("index.json")["manifests"][0]["digest"]);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "gain");
    let config = blob(&manifest["config"]["digest"]);
    assert_eq!((&config["architecture"], &config["os"]), (&"wasm".into(), &"wasip2".into()));
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
    assert_eq!(config["component"]["imports"][0], "remotemedia:node/host@0.1.0");
}

#[test]
fn a_changed_blob_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gain.oci.tar");
    package().write(&path).unwrap();
    let good = entries(&path);
    for (changed, part) in [(2, "the manifest"), (3, "the config"), (4, "the component")] {
        let mut bad = good.clone();
        let last = bad[changed].1.len() - 2;
        bad[changed].1[last] ^= 1;
        write_entries(&path, &bad);
        match Package::read(&path, MOST).unwrap_err() {
            PackageError::Altered { part: found, .. } => assert_eq!(found, part),
            other => panic!("{part}: {other}"),
        }
    }
}

#[test]
fn what_is_missing_cut_or_too_large_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gain.oci.tar");
    package().write(&path).unwrap();
    let good = entries(&path);
    let whole = std::fs::read(&path).unwrap();
    let error = |why: &str| {
        let error = Package::read(&path, MOST).unwrap_err().to_string();
        assert!(error.contains(why), "`{error}` lacks `{why}`");
    };
    write_entries(&path, &good[..4]);
    error("the component (sha256:");
    write_entries(&path, &good[2..]);
    error("it has no index.json");
    std::fs::write(&path, &whole[..700]).unwrap();
    error("no whole tar archive");
    std::fs::write(&path, b"neither").unwrap();
    error("is not a node's package");
    std::fs::write(&path, &whole).unwrap();
    assert!(matches!(Package::read(&path, 8), Err(PackageError::TooLarge { bytes: 18, most: 8, .. })));
}

#[test]
fn other_artifacts_are_told_apart() {
    let (_, _, manifest) = image::build(&package()).unwrap();
    let mut image = manifest.clone();
    image.config.media_type = "application/vnd.oci.image.config.v1+json".into();
    let error = image::component_layer("x", &image, MOST).unwrap_err().to_string();
    assert!(error.contains("an image of something else"), "{error}");
    let mut two = manifest.clone();
    two.layers.push(two.layers[0].clone());
    assert!(image::component_layer("x", &two, MOST).is_err());
    let bare = br#"{"created":"1970-01-01T00:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":[]}"#;
    let error = image::parse("x", bare, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("without a node's descriptor"), "{error}");
}
