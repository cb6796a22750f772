//! The blobs of the artifact: what a package looks like as OCI config and manifest, and back.

use oci_client::client::{Config, ImageLayer};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use remotemedia_core::NodeDescriptor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

use super::{Package, PackageError};

/// The media type of the component.
pub const LAYER_TYPE: &str = "application/wasm";
/// The media type of the config.
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The largest config that is read: two texts of the largest size, escaped, and a descriptor.
pub const MOST_CONFIG_BYTES: u64 = 8 << 20;
/// The largest manifest that is read; registries allow 4 MiB.
pub const MOST_MANIFEST_BYTES: u64 = 4 << 20;

const WORLD: &str = "remotemedia:node/plugin@0.1.0";
const EXPORT: &str = "remotemedia:node/node@0.1.0";
/// When an artifact was made says nothing about what is in it: the same node packs to the same bytes.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The fields of the config that the format defines, and ours.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig {
    created: String,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    component: Option<Component>,
    /// What this project adds; other tools skip it.
    remotemedia: Option<About>,
}

#[derive(Serialize, Deserialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
    target: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct About {
    descriptor: NodeDescriptor,
    readme: Option<String>,
    license: Option<String>,
}

/// `sha256:<hex>` of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The artifact of `package`: layer, config and manifest.
pub fn build(package: &Package) -> Result<(ImageLayer, Config, OciImageManifest), PackageError> {
    let config = WasmConfig {
        created: CREATED.into(),
        architecture: "wasm".into(),
        os: "wasip2".into(),
        layer_digests: vec![package.component_digest()],
        component: Some(Component {
            exports: vec![EXPORT.into()],
            imports: package.imports.clone(),
            target: Some(WORLD.into()),
        }),
        remotemedia: Some(About {
            descriptor: package.descriptor.clone(),
            readme: package.readme.clone(),
            license: package.license.clone(),
        }),
    };
    let config = serde_json::to_vec(&config)
        .map_err(|error| PackageError::no_package(&package.descriptor.node_type, error.to_string()))?;
    let layer = ImageLayer::new(package.component.clone(), LAYER_TYPE.into(), None);
    let config = Config::new(config, CONFIG_TYPE.into(), None);
    let annotations = [
        ("org.opencontainers.image.title", &package.descriptor.node_type),
        ("org.opencontainers.image.version", &package.descriptor.version),
        ("org.opencontainers.image.description", &package.descriptor.summary),
    ];
    let manifest = OciImageManifest {
        schema_version: 2,
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.into()),
        config: described(CONFIG_TYPE, &config.data),
        layers: vec![described(LAYER_TYPE, &layer.data)],
        annotations: Some(
            annotations
                .into_iter()
                .map(|(name, value)| (name.into(), value.clone()))
                .collect::<BTreeMap<_, _>>(),
        ),
        ..OciImageManifest::default()
    };
    Ok((layer, config, manifest))
}

fn described(media_type: &str, data: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.into(),
        digest: digest(data),
        size: i64::try_from(data.len()).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

/// The one layer of a manifest that is a node's, with its size.
pub fn component_layer<'a>(
    what: &str,
    manifest: &'a OciImageManifest,
    most_bytes: u64,
) -> Result<(&'a OciDescriptor, u64), PackageError> {
    if manifest.config.media_type != CONFIG_TYPE {
        let why = format!(
            "its config is `{}`, not `{CONFIG_TYPE}`: it is an image of something else",
            manifest.config.media_type
        );
        return Err(PackageError::no_package(what, why));
    }
    let [layer] = manifest.layers.as_slice() else {
        let why = format!("it has {} layers, and a component is exactly one", manifest.layers.len());
        return Err(PackageError::no_package(what, why));
    };
    if layer.media_type != LAYER_TYPE {
        let why = format!("its layer is `{}`, not `{LAYER_TYPE}`", layer.media_type);
        return Err(PackageError::no_package(what, why));
    }
    let bytes = size(what, layer)?;
    if bytes > most_bytes {
        return Err(PackageError::TooLarge { what: what.into(), bytes, most: most_bytes });
    }
    Ok((layer, bytes))
}

/// The size that a descriptor claims.
pub fn size(what: &str, descriptor: &OciDescriptor) -> Result<u64, PackageError> {
    u64::try_from(descriptor.size)
        .map_err(|_| PackageError::no_package(what, format!("a part of it has {} bytes", descriptor.size)))
}

/// The package that config and component are.
pub fn parse(what: &str, config: &[u8], component: Vec<u8>) -> Result<Package, PackageError> {
    let config: WasmConfig = serde_json::from_slice(config)
        .map_err(|error| PackageError::no_package(what, format!("its config cannot be read: {error}")))?;
    let Some(about) = config.remotemedia else {
        return Err(PackageError::no_package(
            what,
            "it is a WebAssembly artifact without a node's descriptor; pack the component with `remotemedia node pack`",
        ));
    };
    Ok(Package {
        component,
        descriptor: about.descriptor,
        imports: config.component.map_or_else(Vec::new, |component| component.imports),
        readme: about.readme,
        license: about.license,
    })
}
