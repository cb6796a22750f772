//! `node push`: a packed node to a registry.

use crate::Host;
use crate::package::{Credentials, Package, Registry};
use serde_json::json;

use super::args::{PushArgs, RegistryArgs};
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn push(host: &Host, args: &PushArgs, as_json: bool) -> Result<(), Failure> {
    if args.file.extension().is_some_and(|extension| extension == "wasm") {
        let file = args.file.display();
        return Err(Failure::usage(format!(
            "`{file}` is a component, and packages are pushed: make one with `remotemedia node pack {file}`"
        )));
    }
    let registry = registry(host, &args.reference, &args.registry)?;
    let package = Package::read(&args.file, u64::from(host.policy().compile.component_mb) << 20)?;
    let digest = registry.push(&package)?;
    let pinned = registry.pinned(&digest);
    if as_json {
        return console::write_json(&json!({
            "status": "ok",
            "reference": args.reference,
            "pinned": pinned,
            "component_sha256": package.component_digest().trim_start_matches("sha256:"),
        }));
    }
    console::write(&format!(
        "pushed {}: `{}` {}\n  remotemedia node pull {pinned}\n",
        args.reference, package.descriptor.node_type, package.descriptor.version
    ))
}

/// The place that `reference` names, with the credentials that there are for it.
pub(super) fn registry(host: &Host, reference: &str, args: &RegistryArgs) -> Result<Registry, Failure> {
    let credentials = match &host.config().registry_credentials {
        Some(credentials) => credentials.clone(),
        None => Credentials::of_docker(reference),
    };
    Ok(Registry::new(reference, credentials, args.plain_http)?)
}
