//! The host's log. Lines appear under the node's id; the host cuts long lines and drops lines beyond its budget.

use crate::bindings::remotemedia::node::host;

fn write(level: host::Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    host::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Logs something only a developer of the node wants to see.
pub fn trace(message: impl AsRef<str>) {
    write(host::Level::Trace, message.as_ref());
}

/// Logs something that helps to find a fault.
pub fn debug(message: impl AsRef<str>) {
    write(host::Level::Debug, message.as_ref());
}

/// Logs something an operator may want to see.
pub fn info(message: impl AsRef<str>) {
    write(host::Level::Info, message.as_ref());
}

/// Logs something an operator should look at.
pub fn warn(message: impl AsRef<str>) {
    write(host::Level::Warn, message.as_ref());
}

/// Logs something an operator must look at.
pub fn error(message: impl AsRef<str>) {
    write(host::Level::Error, message.as_ref());
}
