//! A `.wasm` file of anybody's: refused in words, or compiled in a process of its own and described within limits.

use std::path::Path;

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{ErrorKind, NodeDescriptor, NodeError};

use super::here::{self, BinaryKind, Describe, Inspection};
use super::scratch;

/// The largest file that is looked at.
const MOST_BYTES: u64 = 1 << 20;
/// The key that signed the seeds of the corpus; its other half was thrown away.
const TRUSTED_KEY: &str = "ed25519:7vSU8xSTtUrCQKBoMkwf5LpqvhcNk7YEKM1AXGe0/PU=";
/// What makes a component a node.
const NODE: &str = "remotemedia:node/node@0.1.0";

/// A host that takes every component, and one that wants a signature.
fn policy(require_signature: bool) -> SandboxPolicy {
    let mut policy = SandboxPolicy::default();
    (policy.limits.running_nodes, policy.limits.memory_mb) = (4, 16);
    (policy.limits.start_timeout_ms, policy.limits.wall_timeout_ms) = (500, 60_000);
    (policy.compile.component_mb, policy.compile.memory_mb, policy.compile.functions) = (1, 512, 1_000);
    (policy.compile.cpu_ms, policy.compile.unused_mb) = (5_000, 0);
    policy.trust.require_signature = require_signature;
    policy.trust.trusted_keys = vec![TRUSTED_KEY.into()];
    policy
}

/// Loads `data` as `remotemedia` does.
pub fn component(data: &[u8]) {
    thread_local! {
        // Their compiler is not there: whatever they accept was compiled in this process.
        static WITHOUT: [Describe; 2] = [false, true].map(|signed| here::describe(policy(signed), false));
        static WITH: Describe = here::describe(policy(false), true);
    }
    scratch::file("component", data, |path| {
        let inspection = Inspection::of(path, MOST_BYTES).unwrap();
        check_inspection(&inspection, data);
        let refused = WITHOUT.with(|hosts| hosts.each_ref().map(|host| refusal(host(path))));
        assert!(refused[1] == refused[0] || refused[1] == ErrorKind::PermissionDenied, "{refused:?}");
        let is_component = inspection.kind == BinaryKind::Component;
        assert!(is_component || refused[0] == ErrorKind::InvalidParams, "{refused:?}: {inspection:?}");
        let is_node = inspection.exports.iter().any(|export| export == NODE) && inspection.damage.is_none();
        if refused[0] == ErrorKind::Unavailable && is_node {
            WITH.with(|host| check_described(host(path), path));
        }
    });
}

/// The names in a file are shown to people.
fn check_inspection(inspection: &Inspection, data: &[u8]) {
    assert_eq!(inspection.bytes, data.len() as u64);
    assert!(inspection.imports.len() <= 500 && inspection.exports.len() <= 500);
    let imports = inspection.imports.iter().map(|import| &import.name);
    for name in imports.chain(&inspection.exports).chain(&inspection.makers).chain(&inspection.damage) {
        check_text(name, 1 << 10);
    }
}

fn refusal(described: Result<NodeDescriptor, NodeError>) -> ErrorKind {
    let error = described.expect_err("compiled in this process");
    check_error(&error);
    error.kind
}

fn check_error(error: &NodeError) {
    check_text(&error.message, 8 << 10);
    let known = [
        ErrorKind::InvalidParams,
        ErrorKind::LimitExceeded,
        ErrorKind::PermissionDenied,
        ErrorKind::Timeout,
        ErrorKind::Trap,
        ErrorKind::Unavailable,
    ];
    assert!(known.contains(&error.kind), "{error:?}");
}

fn check_described(described: Result<NodeDescriptor, NodeError>, path: &Path) {
    match described {
        Err(error) => {
            check_error(&error);
            let about_the_host = error.kind == ErrorKind::Unavailable;
            assert!(!about_the_host, "{} is to blame, not the compiler: {error}", path.display());
        }
        Ok(descriptor) => {
            check_text(&descriptor.node_type, 128);
            check_text(&descriptor.version, 1 << 10);
            // It is cut, and then every control character becomes up to eight printable ones.
            check_text(&descriptor.summary, 8 * policy(false).limits.message_bytes);
            assert!(!descriptor.node_type.is_empty());
            assert!(descriptor.params_schema.is_object(), "{}", descriptor.params_schema);
            for ports in [&descriptor.inputs, &descriptor.outputs] {
                assert!(ports.len() <= 64, "{} ports", ports.len());
                for (index, port) in ports.iter().enumerate() {
                    check_text(&port.name, 256);
                    assert!(
                        !port.name.is_empty() && ports[..index].iter().all(|other| other.name != port.name)
                    );
                }
            }
        }
    }
}

fn check_text(text: &str, most: usize) {
    assert!(text.len() <= most, "a text of {} bytes", text.len());
    assert!(!text.chars().any(|letter| letter.is_control() && !"\n\t".contains(letter)), "{text:?}");
}
