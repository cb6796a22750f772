//! Which wasmtime runs the components, and that it is none with known holes.

use remotemedia_core::{ErrorKind, NodeError};

/// The version of wasmtime that runs the components.
pub const WASMTIME_VERSION: &str = wasmtime_environ::VERSION;

/// 48.0.3 to 48.0.8 mended 36 security faults.
const LEAST: [u64; 3] = [48, 0, 8];

/// Refuses to start an engine with known holes.
///
/// # Errors
/// `Unavailable`, when `version` is older than the least that is safe.
pub(crate) fn assert_safe(version: &str) -> Result<(), NodeError> {
    let mut parts = version.split(['-', '+']).next().unwrap_or_default().split('.').map(str::parse);
    let mut next = || parts.next().and_then(Result::ok);
    if let (Some(major), Some(minor), Some(patch)) = (next(), next(), next())
        && [major, minor, patch] >= LEAST
    {
        return Ok(());
    }
    let [major, minor, patch] = LEAST;
    Err(NodeError::new(
        ErrorKind::Unavailable,
        format!(
            "this host was built with wasmtime {version}, and versions before {major}.{minor}.{patch} have known \
             security faults: update the host"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_with_known_holes_does_not_start() {
        for safe in [WASMTIME_VERSION, "48.0.8", "48.0.10", "48.1.0", "49.0.0", "48.0.9-rc1"] {
            assert_eq!(assert_safe(safe), Ok(()), "{safe}");
        }
        for unsafe_ in ["48.0.7", "47.9.9", "9.0.0", "48", "", "new"] {
            let error = assert_safe(unsafe_).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert!(error.message.contains("48.0.8"), "{error}");
        }
    }
}
