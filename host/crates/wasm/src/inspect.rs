//! What a `.wasm` file is, read without compiling or running it: kind, digest, imports, exports, makers. Works for
//! files that the host refuses, too; whether it accepts one is for the loader to say.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmparser::{KnownCustom, Parser, Payload};

use crate::guest_log::{cut, printable};

/// Longer names are cut: they are made for people.
const NAME_BYTES: usize = 200;
/// More imports or exports than this are counted, not listed. A real node has about 20.
const MOST_NAMES: usize = 500;

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryKind {
    /// A WebAssembly component.
    Component,
    /// A core WebAssembly module, which no host runs as a node.
    CoreModule,
    /// Something else.
    Other,
}

impl BinaryKind {
    /// A few words for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::CoreModule => "core module",
            Self::Other => "no WebAssembly",
        }
    }
}

/// One thing that a component wants from its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// For example `wasi:filesystem/types@0.2.6`.
    pub name: String,
    /// What the host has for it.
    pub offer: Offer,
}

/// What the host has for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Always there and harmless.
    Always,
    /// Always linked, but empty (no file, no variable, a coarse clock …) without one of these permissions.
    Behind(&'static [&'static str]),
    /// Linked, because standard libraries import it, but every call is refused, for this reason.
    Denied(&'static str),
    /// Nothing: a component with this import is refused, for this reason.
    Nothing(&'static str),
}

/// What is known about a file without running it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What the file is.
    pub kind: BinaryKind,
    /// Its size, in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
    /// What it wants from the host, in its own order; at most 500.
    pub imports: Vec<Import>,
    /// What it gives to the host; at most 500.
    pub exports: Vec<String>,
    /// How many more imports and exports there are.
    pub not_listed: usize,
    /// Who made it: `Rust 1.95.0`, `wit-component 0.254.2` …
    pub makers: Vec<String>,
    /// Where its structure stops making sense.
    pub damage: Option<String>,
}

impl Inspection {
    /// Reads `file`, of which no more than `most_bytes` bytes may be there.
    ///
    /// # Errors
    /// When the file cannot be read, or is larger.
    pub fn of(file: &Path, most_bytes: u64) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(file)?.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most_bytes {
            let message = format!("it is larger than this host's limit of {} MiB", most_bytes >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(Self::of_bytes(&bytes))
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let kind = match bytes {
            [0, b'a', b's', b'm', _, _, 1, 0, ..] => BinaryKind::Component,
            [0, b'a', b's', b'm', _, _, 0, 0, ..] => BinaryKind::CoreModule,
            _ => BinaryKind::Other,
        };
        let mut inspection = Self {
            kind,
            bytes: bytes.len() as u64,
            sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            imports: Vec::new(),
            exports: Vec::new(),
            not_listed: 0,
            makers: Vec::new(),
            damage: None,
        };
        if kind != BinaryKind::Other
            && let Err(error) = inspection.walk(bytes)
        {
            inspection.damage = Some(printable(cut(&error.to_string(), NAME_BYTES)));
        }
        inspection
    }

    /// The version of the node interface that it exports, for example `0.1.0`.
    #[must_use]
    pub fn wit_version(&self) -> Option<&str> {
        self.exports.iter().find_map(|export| export.strip_prefix("remotemedia:node/node@"))
    }

    /// Collects the names of the outermost component or module, and all makers.
    fn walk(&mut self, bytes: &[u8]) -> wasmparser::Result<()> {
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        self.import(import?.name.name);
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        self.export(export?.name.name);
                    }
                }
                Payload::ImportSection(imports) if depth == 0 => {
                    for import in imports.into_imports() {
                        let import = import?;
                        self.import(&format!(
                            "{}.{}",
                            cut(import.module, NAME_BYTES),
                            cut(import.name, NAME_BYTES)
                        ));
                    }
                }
                Payload::ExportSection(exports) if depth == 0 => {
                    for export in exports {
                        self.export(export?.name);
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Producers(fields) = section.as_known() {
                        self.add_makers(fields)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn import(&mut self, name: &str) {
        if self.imports.len() == MOST_NAMES {
            self.not_listed += 1;
            return;
        }
        self.imports.push(Import { name: printable(cut(name, NAME_BYTES)), offer: offer(name) });
    }

    fn export(&mut self, name: &str) {
        if self.exports.len() == MOST_NAMES {
            self.not_listed += 1;
            return;
        }
        self.exports.push(printable(cut(name, NAME_BYTES)));
    }

    fn add_makers(&mut self, fields: wasmparser::ProducersSectionReader<'_>) -> wasmparser::Result<()> {
        for field in fields {
            for value in field?.values {
                let value = value?;
                let maker = printable(cut(&format!("{} {}", value.name, value.version), NAME_BYTES));
                let maker = maker.trim_end().to_owned();
                if self.makers.len() < MOST_NAMES && !self.makers.contains(&maker) {
                    self.makers.push(maker);
                }
            }
        }
        Ok(())
    }
}

/// What the linker (`linking.rs`) has for an import of that name.
fn offer(name: &str) -> Offer {
    let (interface, _version) = name.split_once('@').unwrap_or((name, ""));
    let Some((package, item)) = interface.split_once('/') else {
        return Offer::Nothing("no host offers it");
    };
    match package {
        "remotemedia:node" => Offer::Always,
        "wasi:io" => Offer::Always,
        "wasi:cli" if item == "environment" => Offer::Behind(&["env"]),
        "wasi:cli" => Offer::Always,
        "wasi:clocks" => Offer::Behind(&["clock"]),
        "wasi:random" => Offer::Behind(&["random"]),
        "wasi:filesystem" => Offer::Behind(&["fs.read", "fs.write"]),
        "wasi:http" => Offer::Nothing("the permission net.http is not supported"),
        "wasi:sockets" => Offer::Denied("no node may open sockets"),
        _ => Offer::Nothing("no host offers it"),
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;
    use crate::engine::SandboxEngine;

    fn inspected(text: &str) -> Inspection {
        Inspection::of_bytes(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn the_digest_is_the_one_of_the_standard() {
        // FIPS 180-4, the example "abc".
        let inspection = Inspection::of_bytes(b"abc");
        assert_eq!(inspection.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((inspection.kind, inspection.bytes), (BinaryKind::Other, 3));
    }

    #[test]
    fn only_the_names_of_the_outermost_component_are_listed() {
        let inspection = inspected(
            r#"(component
                (core module (import "inner" "f" (func)))
                (component (import "hidden" (func)))
                (import "wasi:sockets/tcp@0.2.6" (instance))
                (import "wasi:filesystem/types@0.2.6" (instance)))"#,
        );
        assert_eq!(inspection.kind, BinaryKind::Component);
        let found: Vec<_> =
            inspection.imports.iter().map(|import| (import.name.as_str(), import.offer)).collect();
        assert_eq!(
            found,
            [
                ("wasi:sockets/tcp@0.2.6", Offer::Denied("no node may open sockets")),
                ("wasi:filesystem/types@0.2.6", Offer::Behind(&["fs.read", "fs.write"])),
            ]
        );
    }

    #[test]
    fn a_core_module_shows_its_imports_and_that_it_is_none_of_ours() {
        let inspection = inspected(r#"(module (import "env" "f" (func)) (func (export "g")))"#);
        assert_eq!(inspection.kind, BinaryKind::CoreModule);
        assert_eq!(inspection.imports[0].name, "env.f");
        assert_eq!((inspection.exports, inspection.damage), (vec!["g".to_owned()], None));
    }

    #[test]
    fn a_truncated_component_is_told_as_damaged() {
        let bytes =
            wat::parse_str(r#"(component (import "wasi:io/poll@0.2.6" (instance)) (core module))"#).unwrap();
        for end in 9..bytes.len() {
            let inspection = Inspection::of_bytes(&bytes[..end]);
            assert_eq!(inspection.kind, BinaryKind::Component);
            assert!(inspection.imports.len() <= 1);
        }
        assert!(Inspection::of_bytes(&bytes[..bytes.len() - 1]).damage.is_some());
    }

    #[test]
    fn what_is_called_offered_is_what_the_linker_has() {
        let engine = SandboxEngine::new(&remotemedia_core::policy::SandboxPolicy::default(), false).unwrap();
        for (interface, function) in [
            ("wasi:io/poll", "poll"),
            ("wasi:clocks/wall-clock", "resolution"),
            ("wasi:random/random", "get-random-u64"),
            ("wasi:filesystem/preopens", "get-directories"),
            ("wasi:cli/environment", "get-arguments"),
            ("wasi:cli/terminal-stderr", "get-terminal-stderr"),
            ("wasi:sockets/instance-network", "instance-network"),
            ("wasi:http/outgoing-handler", "handle"),
            ("acme:cloud/upload", "upload"),
        ] {
            // The right function with a wrong type: only where it is linked can its type be what is wrong.
            let text = format!(
                r#"(component (import "{interface}@0.2.6" (instance (export "{function}" (func (param "x" string))))))"#
            );
            let component = Component::from_binary(&engine.engine, &wat::parse_str(&text).unwrap()).unwrap();
            let error = format!("{:#}", engine.linker.instantiate_pre(&component).err().unwrap());
            let is_linked = !error.contains("function implementation is missing");
            let is_offered = !matches!(offer(&format!("{interface}@0.2.6")), Offer::Nothing(_));
            assert_eq!(is_linked, is_offered, "{interface}: {error}");
        }
    }
}
