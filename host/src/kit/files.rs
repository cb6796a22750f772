//! The files that `node new` copies: embedded into the binary by the build script, straight from the repository.

/// Path and content of every embedded file, sorted within its root.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/kit_files.rs"));

/// The files below `root`, with their paths relative to it.
pub(super) fn below(root: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let root = format!("{root}/");
    FILES.iter().filter_map(move |&(path, content)| Some((path.strip_prefix(&root)?, content)))
}

/// The content of the text file at `path`; empty when there is none.
pub(super) fn text(path: &str) -> &'static str {
    let found = FILES.iter().find(|(known, _)| *known == path);
    found.and_then(|(_, content)| std::str::from_utf8(content).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_sdk_and_licence_are_there() {
        for root in ["templates/rust", "templates/any", "sdk/rust"] {
            assert!(below(root).count() > 0, "{root}");
        }
        assert!(text("LICENSE").contains("Apache License"));
        assert!(text("rust/Cargo.lock").contains("remotemedia-node"));
        assert_eq!(text("none"), "");
    }

    #[test]
    fn the_sdk_carries_the_wit_of_the_repository() {
        let wit = |name: &str| {
            std::fs::read_to_string(format!("{}/../wit/v0.1.0/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        for name in ["world.wit", "node.wit", "types.wit", "host.wit"] {
            assert_eq!(text(&format!("sdk/rust/wit/{name}")), wit(name), "{name}");
        }
    }
}
