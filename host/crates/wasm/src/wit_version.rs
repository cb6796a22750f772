//! Which version of the node world a component was made for, read off the names of its imports and exports: the reason
//! why a component of a version that this host does not know is refused.

use wasmtime::Engine;
use wasmtime::component::Component;

/// The package of the node world, in every version.
const PACKAGE: &str = "remotemedia:node/";

/// The version that `component` was made for, when it is not `ours`: a host of version 0.1.0 runs every 0.1.
pub(crate) fn foreign(engine: &Engine, component: &Component, ours: &str) -> Option<String> {
    let world = component.component_type();
    let imports = world.imports(engine).map(|(name, _)| name);
    let exports = world.exports(engine).map(|(name, _)| name);
    let found = imports.chain(exports).filter_map(version_of).find(|version| series(version) != series(ours));
    found.map(str::to_owned)
}

/// The version in `remotemedia:node/types@0.1.0`.
pub(crate) fn version_of(interface: &str) -> Option<&str> {
    interface.strip_prefix(PACKAGE)?.split_once('@').map(|(_, version)| version)
}

/// What must agree: the first number, and the second one where the first is 0.
fn series(version: &str) -> (&str, &str) {
    let (first, rest) = version.split_once('.').unwrap_or((version, ""));
    (first, if first == "0" { rest.split('.').next().unwrap_or_default() } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_series_are_compatible() {
        assert_eq!(version_of("remotemedia:node/types@0.1.0"), Some("0.1.0"));
        assert_eq!(version_of("wasi:io/streams@0.2.6"), None);
        assert_eq!(series("0.1.0"), series("0.1.9"));
        assert_eq!(series("1.0.0"), series("1.4.2"));
        assert_ne!(series("0.1.0"), series("0.2.0"));
        assert_ne!(series("0.1.0"), series("1.1.0"));
    }
}
