//! The package as a file: an OCI image layout in a tar archive, as `skopeo`, `oras` and registries exchange it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use oci_client::manifest::{
    OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest,
};
use serde::Deserialize;
use serde_json::json;

use super::image::{self, MOST_CONFIG_BYTES, MOST_MANIFEST_BYTES};
use super::{Package, PackageError};

/// More entries are no node's package: it has five files, and some tools add folders.
const MOST_ENTRIES: usize = 64;

pub fn write(package: &Package, path: &Path) -> Result<(), PackageError> {
    let what = path.display().to_string();
    let (layer, config, manifest) = image::build(package)?;
    let unwritable = |error: serde_json::Error| PackageError::no_package(&what, error.to_string());
    let manifest = serde_json::to_vec(&manifest).map_err(unwritable)?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE,
        "manifests": [{
            "mediaType": OCI_IMAGE_MEDIA_TYPE,
            "digest": image::digest(&manifest),
            "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": package.descriptor.version},
        }],
    });
    let io = || PackageError::io("write", path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(io())?;
    let mut archive = tar::Builder::new(file);
    append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(io())?;
    append(&mut archive, "index.json", index.to_string().as_bytes()).map_err(io())?;
    for blob in [&manifest[..], &config.data, &layer.data] {
        append(&mut archive, &blob_path(&image::digest(blob)), blob).map_err(io())?;
    }
    let mut file = archive.into_inner().map_err(io())?;
    file.flush().map_err(io())?;
    make_readable(file.as_file()).map_err(io())?;
    file.persist(path).map_err(|error| io()(error.error))?;
    Ok(())
}

/// Temporary files are private; a package is there to be given away.
fn make_readable(file: &File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, data: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    archive.append_data(&mut header, name, data)
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<OciDescriptor>,
}

pub fn read(path: &Path, most_component_bytes: u64) -> Result<Package, PackageError> {
    let what = format!("`{}`", path.display());
    let entries = entries(path, &what, most_component_bytes)?;
    let index = entries
        .get("index.json")
        .ok_or_else(|| PackageError::no_package(&what, "it has no index.json: it is no OCI image layout"))?;
    let index: Index = json(&what, "index.json", index)?;
    let [manifest] = index.manifests.as_slice() else {
        let why = format!("its index names {} manifests, and a node's names one", index.manifests.len());
        return Err(PackageError::no_package(&what, why));
    };
    let manifest: OciImageManifest =
        json(&what, "its manifest", blob(&what, &entries, "the manifest", manifest)?)?;
    let (layer, _) = image::component_layer(&what, &manifest, most_component_bytes)?;
    let component = blob(&what, &entries, "the component", layer)?.to_vec();
    image::parse(&what, blob(&what, &entries, "the config", &manifest.config)?, component)
}

fn json<'a, T: Deserialize<'a>>(what: &str, part: &str, bytes: &'a [u8]) -> Result<T, PackageError> {
    serde_json::from_slice(bytes)
        .map_err(|error| PackageError::no_package(what, format!("{part} cannot be read: {error}")))
}

/// The files of the archive by their names, none larger than any part of a package may be.
fn entries(
    path: &Path,
    what: &str,
    most_component_bytes: u64,
) -> Result<HashMap<String, Vec<u8>>, PackageError> {
    let file = File::open(path).map_err(PackageError::io("read", path))?;
    let most_bytes = most_component_bytes.max(MOST_CONFIG_BYTES);
    // Tar's own records are at most one block of 512 bytes per 512 of content, plus the end.
    let most_archive_bytes = most_component_bytes + MOST_CONFIG_BYTES + MOST_MANIFEST_BYTES + (1 << 20);
    let mut archive = tar::Archive::new(file.take(most_archive_bytes));
    let broken = |error: std::io::Error| {
        PackageError::no_package(what, format!("it is no whole tar archive: {error}"))
    };
    let mut files = HashMap::new();
    for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        if count >= MOST_ENTRIES {
            return Err(PackageError::no_package(what, format!("it holds more than {MOST_ENTRIES} files")));
        }
        if entry.size() > most_bytes {
            return Err(PackageError::TooLarge {
                what: what.into(),
                bytes: entry.size(),
                most: most_component_bytes,
            });
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        files.insert(name, content);
    }
    Ok(files)
}

/// The blob of `descriptor`, with its digest proven.
fn blob<'a>(
    what: &str,
    entries: &'a HashMap<String, Vec<u8>>,
    part: &'static str,
    descriptor: &OciDescriptor,
) -> Result<&'a [u8], PackageError> {
    let content = entries.get(&blob_path(&descriptor.digest)).ok_or_else(|| {
        PackageError::no_package(what, format!("{part} ({}) is missing", descriptor.digest))
    })?;
    let found = image::digest(content);
    if found != descriptor.digest {
        let expected = descriptor.digest.clone();
        return Err(PackageError::Altered { what: what.into(), part, expected, found });
    }
    Ok(content)
}
