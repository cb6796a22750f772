//! What a guest returns is checked: a lie ends as an error that says what was wrong, and the liar is stopped.

use remotemedia_core::policy::SandboxLimits;
use remotemedia_core::{ErrorKind, Packet};
use serde_json::json;

use crate::fixture::{error_of, manifest, process, runtime, runtime_with, start};

#[test]
fn every_lie_is_found_and_named() {
    let runtime = runtime();
    for (lie, kind, words) in [
        ("zero_rate", ErrorKind::Trap, "0 Hz is not audio"),
        ("huge_rate", ErrorKind::Trap, "audio at 4294967295 Hz"),
        ("zero_channels", ErrorKind::Trap, "at least one channel"),
        ("many_channels", ErrorKind::Trap, "65535 channels"),
        ("partial_frame", ErrorKind::Trap, "not whole frames of 2 channels"),
        ("partial_sample", ErrorKind::Trap, "not whole frames"),
        ("bad_json", ErrorKind::Trap, "JSON payload that is not JSON"),
        ("deep_json", ErrorKind::LimitExceeded, "nests 100000 deep"),
        ("bad_utf8", ErrorKind::Trap, "utf-8"),
        ("tensor_shape", ErrorKind::Trap, "shape [2, 3]"),
        ("tensor_overflow", ErrorKind::Trap, "do not fill"),
        ("tensor_rank", ErrorKind::Trap, "10000 dimensions"),
        ("huge_bytes", ErrorKind::LimitExceeded, "too much"),
        ("wrong_port", ErrorKind::Trap, "output port 2, and it declares 2"),
        ("wrong_kind", ErrorKind::Trap, "text on output port `audio`"),
        ("many_packets", ErrorKind::LimitExceeded, "100000 packets"),
    ] {
        let mut node = start(&runtime, &manifest("hostile", json!({ "deed": lie }))).unwrap();
        let error = error_of(process(&mut *node, Packet::new(0, "x")));
        assert_eq!(error.kind, kind, "{lie}: {error}");
        assert!(error.message.to_lowercase().contains(&words.to_lowercase()), "{lie}: {error}");
        let later = error_of(process(&mut *node, Packet::new(0, "x")));
        assert!(later.message.contains("stopped after an earlier failure"), "{lie}: {later}");
    }
}

#[test]
fn a_long_error_message_is_cut() {
    let mut node = start(&runtime(), &manifest("hostile", json!({"deed": "long_error"}))).unwrap();
    let error = error_of(process(&mut *node, Packet::new(0, "x")));
    assert_eq!(error.kind, ErrorKind::Internal);
    assert_eq!(error.message.len(), 4_096);
}

#[test]
fn a_flood_of_log_lines_is_dropped_and_counted() {
    // The flood is to end, also on a busy machine.
    let runtime = runtime_with(SandboxLimits { call_timeout_ms: Some(60_000), ..SandboxLimits::default() });
    for fault in ["flood_log", "flood_stdout", "log"] {
        let dropped_before = runtime.counts().log_lines_dropped;
        let mut node = start(&runtime, &manifest("hostile", json!({ "deed": fault }))).unwrap();
        process(&mut *node, Packet::new(0, "x")).unwrap();
        let dropped = runtime.counts().log_lines_dropped - dropped_before;
        if fault == "log" {
            assert_eq!(dropped, 0);
        } else {
            // 16 lines of 1 KiB fit into a second, and the flood lasts less than a minute.
            assert!((9_000..10_000).contains(&dropped), "{fault}: {dropped} of 10,000 lines dropped");
        }
    }
}
