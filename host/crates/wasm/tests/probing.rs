//! The guest `probe` as a test talks to it: an order goes in as text, what it saw comes out. No tests.

use std::collections::BTreeMap;
use std::path::Path;

use remotemedia_core::manifest::Permissions;
use remotemedia_core::{Node, NodeError, NodeManifest, Packet, Payload, SandboxPolicy};
use remotemedia_wasm::{WasmConfig, WasmRuntime};
use serde_json::json;

use crate::fixture::{manifest, process, start};

/// A runtime for few nodes under `policy`, on a host whose environment has `A=1` and `B=2` among what is granted.
pub fn runtime(policy: SandboxPolicy) -> WasmRuntime {
    let host = [("A", "1"), ("B", "2")];
    let granted = host.into_iter().filter(|(name, _)| policy.grants.env.iter().any(|known| known == name));
    let env: BTreeMap<String, String> =
        granted.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut policy = policy;
    policy.limits.running_nodes = policy.limits.running_nodes.min(8);
    policy.compile.in_process = true;
    WasmRuntime::new(WasmConfig { policy: policy.into(), env, ..WasmConfig::default() })
}

/// A `probe` whose manifest lies in `base_dir`.
pub fn probe(base_dir: &Path, permissions: Permissions) -> NodeManifest {
    let mut node = manifest("probe", json!({}));
    node.base_dir = base_dir.into();
    node.permissions = Some(permissions);
    node
}

/// A running `probe`.
pub fn started(runtime: &WasmRuntime, node: &NodeManifest) -> Box<dyn Node> {
    start(runtime, node).unwrap_or_else(|error| panic!("{error}"))
}

/// What it gives for an order.
pub fn answer(node: &mut dyn Node, order: &str) -> Result<Payload, NodeError> {
    let mut out = process(node, Packet::new(0, order))?;
    Ok(out.remove(0).1.payload)
}

/// What it says to an order.
pub fn said(node: &mut dyn Node, order: &str) -> String {
    match answer(node, order) {
        Ok(Payload::Text(text)) => text.to_string(),
        Ok(other) => panic!("{order}: {}", other.type_name()),
        Err(error) => panic!("{order}: {error}"),
    }
}
