//! Nodes that give back what they get, one per runtime that packets leave the host for.

use std::io::Write;

use remotemedia_core::policy::{NonFinite, SandboxPolicy};
use remotemedia_core::{Node, NodeManifest, Runtime};

use super::here::HandMade;

/// The class in `echo.py`.
pub fn class() -> NodeManifest {
    NodeManifest::new("echo", "echo:Echo")
}

/// Everything that a packet may be.
pub fn policy() -> SandboxPolicy {
    let mut policy = SandboxPolicy::default();
    let limits = &mut policy.limits;
    (limits.lowest_sample_rate_hz, limits.sample_rate_hz, limits.channels) = (1, HIGHEST_RATE_HZ, u16::MAX);
    (limits.non_finite, limits.tensor_dimensions, limits.json_depth) = (NonFinite::Keep, 64, 127);
    (limits.running_nodes, limits.wall_timeout_ms, limits.call_timeout_ms) = (8, 60_000, Some(1_000));
    policy
}

/// The highest sample rate that a policy can allow.
pub const HIGHEST_RATE_HZ: u32 = 6_144_000;

/// A component that returns every packet as it came: the fields of all payloads lie as they are handed in.
pub fn component(runtime: &dyn Runtime) -> Box<dyn Node> {
    let component = HandMade::node()
        .with(
            "process",
            "(i32.store (i32.const 2132) (local.get $format)) (i32.store (i32.const 2140) (local.get $channels))",
        )
        .adding("MODULE", "(data (i32.const 1160) \"\\05\") (data (i32.const 1176) \"\\05\")")
        .bytes();
    let mut file = tempfile::Builder::new().suffix(".wasm").tempfile().unwrap();
    file.write_all(&component).unwrap();
    let mut echo = NodeManifest::new("echo", "handmade");
    echo.component = Some(file.path().to_owned().into());
    let mut echo = runtime.create(&echo).unwrap();
    echo.initialize().unwrap();
    echo
}

/// Calls `each` with every echo.
pub fn call(echoes: &mut [(&'static str, Box<dyn Node>)], mut each: impl FnMut(&str, &mut dyn Node)) {
    for (name, echo) in echoes {
        each(name, &mut **echo);
    }
}
