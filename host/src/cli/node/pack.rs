//! `node pack`: a node's folder, or a bare component, as one file that can be given away.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Host;
use crate::kit::Project;
use crate::package::{MOST_TEXT_BYTES, Package};
use serde_json::json;

use super::args::PackArgs;
use crate::cli::console;
use crate::cli::failure::Failure;

pub fn pack(host: &Host, args: &PackArgs, as_json: bool) -> Result<(), Failure> {
    let (component, folder) = if args.source.is_dir() {
        (Project::open(&args.source)?.built_component()?.to_owned(), args.source.clone())
    } else {
        (args.source.clone(), args.source.parent().map_or_else(PathBuf::new, Path::to_owned))
    };
    let package = gather(host, &component, args, &folder)?;
    let default_name = format!("{}-{}.oci.tar", package.descriptor.node_type, package.descriptor.version);
    let output = args.output.clone().unwrap_or_else(|| default_name.into());
    package.write(&output)?;
    let digest = package.component_digest();
    if as_json {
        return console::write_json(&json!({
            "status": "ok",
            "file": output,
            "node_type": package.descriptor.node_type,
            "version": package.descriptor.version,
            "component_sha256": digest.trim_start_matches("sha256:"),
            "readme": package.readme.is_some(),
            "license": package.license.is_some(),
        }));
    }
    let mut text = format!(
        "{}: `{}` {}, {} bytes of component ({digest})\n",
        output.display(),
        package.descriptor.node_type,
        package.descriptor.version,
        package.component.len()
    );
    for (what, there, hint) in
        [("README", package.readme.is_some(), "README.md"), ("licence", package.license.is_some(), "LICENSE")]
    {
        if !there {
            text.push_str(&format!("  without a {what}: put {hint} beside the component to ship one\n"));
        }
    }
    console::write(&text)
}

fn gather(host: &Host, component: &Path, args: &PackArgs, folder: &Path) -> Result<Package, Failure> {
    // Described first: what this host refuses is not packed, and the message says why.
    let descriptor = host.describe_component(component)?;
    let inspection = host.inspect_component(component).map_err(|error| unreadable(component, &error))?;
    let most = u64::from(host.policy().compile.component_mb) << 20;
    let bytes = read(component, most)?;
    let readme = text_of(args.readme.as_deref(), folder, &["README.md", "README"])?;
    let license =
        text_of(args.license.as_deref(), folder, &["LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"])?;
    let imports = inspection.imports.into_iter().map(|import| import.name).collect();
    Ok(Package { component: bytes, descriptor, imports, readme, license })
}

/// The text of the file that was named, or else of the first of `names` that is in `folder`.
fn text_of(named: Option<&Path>, folder: &Path, names: &[&str]) -> Result<Option<String>, Failure> {
    let found = match named {
        Some(path) => Some(path.to_owned()),
        None => names.iter().map(|name| folder.join(name)).find(|path| path.is_file()),
    };
    let Some(path) = found else { return Ok(None) };
    let text = String::from_utf8(read(&path, MOST_TEXT_BYTES as u64)?)
        .map_err(|_| Failure::usage(format!("`{}` is not text in UTF-8", path.display())))?;
    Ok(Some(text))
}

fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most_bytes + 1).read_to_end(&mut content))
        .map_err(|error| unreadable(path, &error))?;
    if content.len() as u64 > most_bytes {
        return Err(Failure::usage(format!("`{}` is larger than {most_bytes} bytes", path.display())));
    }
    Ok(content)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read `{}`: {error}", path.display()))
}
