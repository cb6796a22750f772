//! Attempts to reach something: files, environment, clocks, randomness, network. Nothing is granted here but where
//! a case says so.

use remotemedia_core::{ErrorKind, Operation, Payload};
use remotemedia_host::Host;
use serde_json::{Value, json};

use super::hand_made::HandMade;
use super::trial::Trial;

/// The deed fails inside the guest, with the error that a program gets when there is no such thing.
fn in_vain(host: &Host, deed: &str, params: Value) {
    let error = Trial::deed_with(host, deed, params).ends(Operation::Process, ErrorKind::Internal, "in vain");
    assert!(!error.message.contains("root:"), "{error}");
}

fn import_refused(host: &Host, interface: &str) {
    let node =
        HandMade::other(format!(r#"(component (import "{interface}" (instance (export "go" (func)))))"#));
    let error = Trial::hand_made(host, &node).ends(
        Operation::Describe,
        ErrorKind::InvalidParams,
        "imports what no node may use",
    );
    assert!(error.message.contains(interface), "{error}");
}

/// What the deed tells as JSON.
fn told(host: &Host, deed: &str) -> Value {
    let packets = Trial::deed(host, deed).must_be_harmless();
    let Payload::Json(told) = &packets[0].payload else { panic!("{packets:?}") };
    told.as_ref().clone()
}

super::cases! {
    fn an_absolute_path_leads_nowhere(host) {
        in_vain(host, "read", json!({"path": "/etc/passwd"}));
    }

    fn a_path_upwards_leads_nowhere(host) {
        in_vain(host, "read", json!({"path": "../../../../../../../../etc/passwd"}));
    }

    fn a_relative_path_leads_nowhere(host) {
        in_vain(host, "read", json!({"path": "Cargo.toml"}));
    }

    fn a_file_of_the_processes_leads_nowhere(host) {
        in_vain(host, "read", json!({"path": "/proc/self/environ"}));
    }

    fn a_folder_cannot_be_listed(host) {
        in_vain(host, "list", json!({"path": "/"}));
    }

    fn a_file_cannot_be_written(host) {
        let folder = tempfile::tempdir().unwrap();
        in_vain(host, "write", json!({"path": folder.path().join("new")}));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn a_symbolic_link_cannot_be_made(host) {
        let folder = tempfile::tempdir().unwrap();
        in_vain(host, "symbolic_link", json!({"path": folder.path().join("link"), "to": "/etc/passwd"}));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn a_hard_link_cannot_be_made(host) {
        let folder = tempfile::tempdir().unwrap();
        in_vain(host, "hard_link", json!({"path": "/etc/passwd", "to": folder.path().join("link")}));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn a_file_cannot_be_renamed_or_removed(host) {
        let file = tempfile::NamedTempFile::new().unwrap();
        in_vain(host, "rename", json!({"path": file.path(), "to": "/tmp/stolen"}));
        in_vain(host, "remove", json!({"path": file.path()}));
        assert!(file.path().is_file());
    }

    fn the_environment_and_the_arguments_are_empty(host) {
        assert_eq!(told(host, "probe_process"), json!({"vars": 0, "args": 0}));
    }

    fn standard_input_is_empty(host) {
        assert_eq!(told(host, "probe_stdin"), json!({"bytes": 0}));
    }

    fn clocks_show_whole_milliseconds(host) {
        let step = told(host, "probe_clocks")["monotonic_ns"].as_u64().unwrap();
        assert!(step > 0 && step.is_multiple_of(1_000_000), "a step of {step} ns");
    }

    fn two_runs_are_seeded_differently(host) {
        assert_ne!(told(host, "probe_chance"), told(host, "probe_chance"));
    }

    fn sockets_cannot_even_be_imported(host) {
        for interface in ["tcp", "udp", "tcp-create-socket", "network", "instance-network", "ip-name-lookup"] {
            import_refused(host, &format!("wasi:sockets/{interface}@0.2.0"));
        }
    }

    fn http_cannot_even_be_imported(host) {
        import_refused(host, "wasi:http/outgoing-handler@0.2.0");
        import_refused(host, "wasi:http/types@0.2.0");
    }

    fn threads_and_other_worlds_cannot_even_be_imported(host) {
        for interface in ["wasi:keyvalue/store@0.2.0", "wasi:nn/inference@0.2.0", "wasi:config/store@0.2.0", "wasi:cli/run@0.2.0"] {
            import_refused(host, interface);
        }
    }

    /// The host would have to make the bytes before it could hand them over.
    fn a_terabyte_of_randomness_is_refused(host) {
        for (interface, function) in
            [("random", "get-random-bytes"), ("insecure", "get-insecure-random-bytes")]
        {
            let node = with_random(
                interface,
                function,
                "(call $random (i64.const 1099511627776) (i32.const 3000))",
            );
            Trial::hand_made(host, &node).ends(
                Operation::Process,
                ErrorKind::LimitExceeded,
                "wanted 1099511627776 random bytes at once, and its limit is 65536 (limits.random_bytes)",
            );
        }
    }
}

/// A node that imports that function of `wasi:random` and whose process does `body`.
fn with_random(interface: &str, function: &str, body: &str) -> HandMade {
    HandMade::node()
        .adding(
            "IMPORTS",
            &format!(
                r#"(import "wasi:random/{interface}@0.2.0" (instance $random
                     (export "{function}" (func (param "len" u64) (result (list u8))))))"#
            ),
        )
        .replacing(
            "(core func $log (canon",
            &format!(
                "(core func $bytes (canon lower (func $random \"{function}\") (memory $mem) (realloc $realloc)))
                 (core func $log (canon"
            ),
        )
        .replacing(
            "(import \"host\" \"log\" (func $log (param i32 i32 i32)))",
            "(import \"host\" \"log\" (func $log (param i32 i32 i32)))
             (import \"host\" \"random\" (func $random (param i64 i32)))",
        )
        .replacing(
            "(export \"log\" (func $log))))",
            "(export \"log\" (func $log)) (export \"random\" (func $bytes))))",
        )
        .with("process", body)
}
