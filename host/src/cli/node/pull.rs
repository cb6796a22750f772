//! `node pull`: a node's component out of a registry or a packed file, checked before it gets its name.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Host;
use crate::package::Package;
use serde_json::json;

use super::args::PullArgs;
use super::push::registry;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn pull(host: &Host, args: &PullArgs, as_json: bool) -> Result<(), Failure> {
    let most = u64::from(host.policy().compile.component_mb) << 20;
    let (package, name, pinned) = if args.source.ends_with(".oci.tar") {
        let package = Package::read(Path::new(&args.source), most)?;
        let name = package.descriptor.node_type.clone();
        (package, name, None)
    } else {
        let registry = registry(host, &args.source, &args.registry)?;
        let (package, digest) = registry.pull(most)?;
        let pinned = registry.pinned(&digest);
        (package, registry.name().to_owned(), Some(pinned))
    };
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(file_name(&name)));
    // What the component itself says counts, not what travelled beside it.
    let descriptor = write_checked(host, &package.component, &output)?;
    let sha256 = package.component_digest().trim_start_matches("sha256:").to_owned();
    if as_json {
        return console::write_json(&json!({
            "status": "ok",
            "file": output,
            "node_type": descriptor.node_type,
            "version": descriptor.version,
            "sha256": sha256,
            "pinned": pinned,
        }));
    }
    let component = json!({"path": output, "sha256": sha256});
    console::write(&format!(
        "{}: `{}` {}\n  {}\n  \"component\": {component}\n",
        output.display(),
        descriptor.node_type,
        descriptor.version,
        descriptor.summary
    ))
}

/// Node types may be any text; a file name may not.
fn file_name(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let name: String = name.chars().filter(|&letter| plain(letter)).collect();
    if name.is_empty() { "node.wasm".into() } else { format!("{name}.wasm") }
}

/// Writes the component under its name only when this host would run it.
fn write_checked(
    host: &Host,
    component: &[u8],
    output: &Path,
) -> Result<remotemedia_core::NodeDescriptor, Failure> {
    let unwritable =
        |error: std::io::Error| Failure::output(format!("cannot write `{}`: {error}", output.display()));
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".pulled-")
        .suffix(".wasm")
        .tempfile_in(folder)
        .map_err(unwritable)?;
    file.write_all(component).and_then(|()| file.flush()).map_err(unwritable)?;
    let descriptor = host.describe_component(file.path())?;
    make_readable(file.as_file()).map_err(unwritable)?;
    file.persist(output).map_err(|error| unwritable(error.error))?;
    Ok(descriptor)
}

fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_name_cannot_choose_the_folder() {
        assert_eq!(file_name("gain"), "gain.wasm");
        assert_eq!(file_name("../../etc/passwd"), "etcpasswd.wasm");
        assert_eq!(file_name("…"), "node.wasm");
    }
}
