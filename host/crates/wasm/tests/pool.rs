//! A full pool refuses, and says so: it never makes instances in a slower way behind the operator's back.

use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{ErrorKind, Runtime, SandboxPolicy};
use serde_json::json;

use crate::fixture::{audio, buffer, error_of, manifest, process, runtime_of, start};

#[test]
fn one_node_too_many_is_refused_and_there_is_room_again_when_one_ends() {
    let limits = SandboxLimits { running_nodes: 4, ..SandboxLimits::default() };
    let policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
    let runtime = runtime_of(policy);
    let gain = manifest("gain", json!({"gain_db": 20}));
    let mut running: Vec<_> = (0..4).map(|_| start(&runtime, &gain).unwrap()).collect();
    for _ in 0..10 {
        let error = error_of(runtime.create(&gain));
        assert_eq!(error.kind, ErrorKind::LimitExceeded);
        assert!(error.message.contains("at most 4 wasm nodes at once"), "{error}");
        assert!(error.message.contains("`limits.running_nodes` of the policy"), "{error}");
    }
    for (index, node) in running.iter_mut().enumerate() {
        let input = index as f32;
        let scaled = buffer(process(&mut **node, audio(48_000, 1, vec![input])).unwrap().remove(0).1);
        assert_eq!(scaled.as_f32().unwrap(), [input * 10.0], "those that run are not touched");
    }
    running.pop();
    start(&runtime, &gain).unwrap();
}

#[test]
fn a_slot_that_is_used_again_holds_nothing_of_its_last_guest() {
    let limits = SandboxLimits { running_nodes: 1, ..SandboxLimits::default() };
    let policy = SandboxPolicy { limits, ..SandboxPolicy::default() };
    let runtime = runtime_of(policy);
    for _ in 0..20 {
        let mut node = start(&runtime, &manifest("hostile", json!({"deed": "obey"}))).unwrap();
        let mut out = process(&mut *node, remotemedia_core::Packet::new(0, "count")).unwrap();
        let remotemedia_core::Payload::Text(seen) = out.remove(0).1.payload else { panic!("no text") };
        assert_eq!(&*seen, "1", "the last guest's count is still there");
    }
}
