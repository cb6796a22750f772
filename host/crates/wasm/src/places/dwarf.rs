//! Reads debug info: the `.debug_*` sections of the core modules in a component. What comes out is short, whatever goes
//! in; how long it takes and how much memory, its process has to bound.

use std::collections::HashMap;
use std::ops::Range;

use addr2line::Context;
use addr2line::gimli::{self, Dwarf, EndianSlice, LittleEndian};
use wasmparser::{Parser, Payload};

use super::{Place, Places};
use crate::guest_log::cut;

/// Functions of the source that are told of one frame; the rest, inlined into each other, is left out.
pub(crate) const MOST_INLINED: usize = 16;
/// A name or a path is cut to this, in bytes.
pub(crate) const MOST_NAME_BYTES: usize = 300;

/// A core module of a component.
#[derive(Default)]
struct Module<'a> {
    /// Where its code is in the component's file; DWARF counts from there.
    code: Range<usize>,
    debug: HashMap<&'a str, &'a [u8]>,
}

/// The bytes of debug info in all modules together.
pub(crate) fn size(component: &[u8]) -> u64 {
    let sections = modules(component).into_iter().flat_map(|module| module.debug.into_values());
    sections.map(|section| section.len() as u64).sum()
}

/// Of every offset into the component's file the places in the source. Empty for one that is in no code with debug info.
pub(crate) fn find(component: &[u8], offsets: &[u64]) -> Places {
    let modules = modules(component);
    let read: Vec<Option<Context<_>>> = modules.iter().map(context).collect();
    let places = offsets.iter().map(|&offset| {
        let nth = modules.iter().position(|module| module.code.contains(&(offset as usize)))?;
        let address = offset - modules[nth].code.start as u64;
        of_address(read[nth].as_ref()?, address)
    });
    places.map(Option::unwrap_or_default).collect()
}

fn modules(component: &[u8]) -> Vec<Module<'_>> {
    let (mut done, mut open) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        match payload {
            // Of a module or a component: sections belong to the innermost.
            Payload::Version { .. } => open.push(Module::default()),
            Payload::End(_) => done.extend(open.pop().filter(|module| !module.debug.is_empty())),
            Payload::CodeSectionStart { range, .. } => {
                if let Some(module) = open.last_mut() {
                    module.code = range;
                }
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                if let Some(module) = open.last_mut() {
                    module.debug.insert(section.name(), section.data());
                }
            }
            _ => {}
        }
    }
    done
}

type Reader<'a> = EndianSlice<'a, LittleEndian>;

fn context<'a>(module: &Module<'a>) -> Option<Context<Reader<'a>>> {
    let section = |id: gimli::SectionId| {
        let bytes = module.debug.get(id.name()).copied().unwrap_or_default();
        Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
    };
    Context::from_dwarf(Dwarf::load(section).ok()?).ok()
}

fn of_address(context: &Context<Reader<'_>>, address: u64) -> Option<Vec<Place>> {
    let mut frames = context.find_frames(address).skip_all_loads().ok()?;
    let mut places = Vec::new();
    while places.len() < MOST_INLINED
        && let Ok(Some(frame)) = frames.next()
    {
        let function = frame.function.as_ref().and_then(|function| function.raw_name().ok());
        let (file, line, column) =
            frame.location.map_or((None, None, None), |at| (at.file, at.line, at.column));
        places.push(Place {
            function: function.map(|name| readable(&name)),
            file: file.map(|file| cut(file, MOST_NAME_BYTES).to_owned()),
            line,
            column,
        });
    }
    Some(places)
}

/// A function's name as its author wrote it, when it is a Rust function's.
pub(crate) fn readable(name: &str) -> String {
    let name = match rustc_demangle::try_demangle(name) {
        // Without the hash.
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_owned(),
    };
    cut(&name, MOST_NAME_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_names_are_read_as_they_were_written_and_others_stay() {
        // Examples of the two mangling schemes' own documents.
        assert_eq!(readable("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(readable("_RNvC6_123foo3bar"), "123foo::bar");
        assert_eq!(readable("process_block"), "process_block");
        assert_eq!(readable(&"n".repeat(1_000)).len(), MOST_NAME_BYTES);
    }

    #[test]
    fn what_is_no_debug_info_gives_no_places_and_no_panic() {
        let component = |section: &str| {
            let text = format!(
                "(component (core module (func (nop)) (@custom \".debug_info\" (after last) \"{section}\")
                    (@custom \".debug_abbrev\" (after last) \"{section}\")
                    (@custom \".debug_line\" (after last) \"{section}\")))"
            );
            wat::parse_str(text).unwrap()
        };
        for section in ["", "x", "\\ff\\ff\\ff\\ff", "\\04\\00\\00\\00\\05\\00", "\\ff\\ff\\ff\\f0\\00\\00"] {
            let bytes = component(section);
            for offset in 0..bytes.len() as u64 + 1 {
                assert_eq!(find(&bytes, &[offset]), [vec![]], "{section} at {offset}");
            }
        }
        assert_eq!(size(&component("abc")), 9);
        assert_eq!(size(b"no component"), 0);
    }
}
