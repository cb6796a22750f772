//! Attacks on the host's memory: what a guest keeps, and what it makes the host keep.

use remotemedia_core::{ErrorKind, Operation};

use super::hand_made::HandMade;
use super::trial::Trial;

/// What the memory meter says.
const ITS_LIMIT: &str = "of memory, and its limit is";

/// The boundary's budget for one call.
const TOO_MUCH: &str = "asked too much of the host";

/// `count` instances of a module, beside the node.
fn many(module: &str, count: usize) -> HandMade {
    let instances = "(core instance (instantiate $extra))\n".repeat(count);
    HandMade::node().adding("COMPONENT", &format!("(core module $extra {module})\n{instances}"))
}

super::cases! {
    fn a_rust_guest_that_hoards_memory_meets_its_limit(host) {
        let trial = Trial::deed(host, "allocate").changed(|attacker| {
            attacker.limits.as_mut().unwrap().memory_mb = Some(8);
            attacker.limits.as_mut().unwrap().call_timeout_ms = Some(1_000);
        });
        trial.ends(Operation::Process, ErrorKind::LimitExceeded, "its limit is 8.0 MiB");
    }

    fn growing_a_page_at_a_time_meets_the_limit(host) {
        let node = HandMade::node().with(
            "process",
            "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
        );
        Trial::hand_made(host, &node).unhurried().ends(
            Operation::Process,
            ErrorKind::LimitExceeded,
            ITS_LIMIT,
        );
    }

    fn growing_by_four_gibibytes_at_once_meets_the_limit(host) {
        let node = HandMade::node().with("process", "(drop (memory.grow (i32.const 65532))) unreachable");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, ITS_LIMIT);
    }

    fn a_memory_that_begins_too_large_is_refused(host) {
        let node = many("(memory 8192)", 1);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "exceeds the limit of");
    }

    fn memories_are_limited_in_number(host) {
        let node = many("(memory 1)", 20);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "exceeds the configured maximum");
    }

    /// Each memory is below the limit, all of them together are not.
    fn memories_are_limited_in_sum(host) {
        let node = many("(memory 200)", 6);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, ITS_LIMIT);
    }

    fn a_table_that_begins_too_large_is_refused(host) {
        let node = many("(table 10000000 funcref)", 1);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "exceeds the limit of 20000");
    }

    fn growing_a_table_meets_the_limit(host) {
        let node = HandMade::node().adding("MODULE", "(table $t 1 funcref)").with(
            "process",
            "(loop $again
               (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
             unreachable",
        );
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, "table elements");
    }

    fn tables_are_limited_in_number(host) {
        let node = many("(table 1 funcref)", 20);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "exceeds the configured maximum");
    }

    fn instances_are_limited_in_number(host) {
        let node = many("", 100);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "core module instances, which exceeds");
    }

    /// The instance's own structure holds them, not its memory.
    fn a_module_of_seventy_thousand_globals_is_refused(host) {
        let globals = "(global (mut i64) (i64.const 1))".repeat(70_000);
        let node = many(&globals, 1);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "exceeds the configured maximum of 1048576 bytes");
    }

    fn handles_are_limited_in_number(host) {
        let node = HandMade::node()
            .adding(
                "IMPORTS",
                r#"(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
                   (alias export $poll "pollable" (type $pollable))
                   (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                     (alias outer 1 $pollable (type $p)) (export "pollable" (type $q (eq $p)))
                     (export "subscribe-duration" (func (param "when" u64) (result (own $q))))))
                   (core func $subscribe (canon lower (func $clock "subscribe-duration")))"#,
            )
            .replacing("(with \"host\" (instance (export \"log\" (func $log))))",
                "(with \"host\" (instance (export \"log\" (func $log)) (export \"subscribe\" (func $subscribe))))")
            .replacing(
                "(import \"host\" \"log\" (func $log (param i32 i32 i32)))",
                "(import \"host\" \"log\" (func $log (param i32 i32 i32)))
                 (import \"host\" \"subscribe\" (func $subscribe (param i64) (result i32)))",
            )
            .with("process", "(loop $again (drop (call $subscribe (i64.const 1))) (br $again))");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, "limits.resources");
    }

    fn a_returned_value_of_forty_mebibytes_is_a_limit(host) {
        Trial::deed(host, "huge_bytes").unhurried().ends(
            Operation::Process,
            ErrorKind::LimitExceeded,
            TOO_MUCH,
        );
    }

    /// 4,000 packets that all point to the same 100 KiB would be 400 MiB in the host.
    fn one_buffer_returned_many_times_is_a_limit(host) {
        let node = HandMade::node().with(
            "process",
            "(local.set $n (i32.const 4000))
             (loop $again
               (local.set $n (i32.sub (local.get $n) (i32.const 1)))
               (i32.store8 (i32.add (i32.const 90016) (i32.mul (local.get $n) (i32.const 40))) (i32.const 4))
               (i32.store (i32.add (i32.const 90020) (i32.mul (local.get $n) (i32.const 40))) (i32.const 0))
               (i32.store (i32.add (i32.const 90024) (i32.mul (local.get $n) (i32.const 40))) (i32.const 100000))
               (br_if $again (local.get $n)))
             (i32.store (i32.const 2068) (i32.const 90000))
             (i32.store (i32.const 2072) (i32.const 4000))",
        );
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, TOO_MUCH);
    }

    fn a_hundred_thousand_packets_from_one_call_are_a_limit(host) {
        Trial::deed(host, "many_packets").unhurried().ends(
            Operation::Process,
            ErrorKind::LimitExceeded,
            "100000 packets",
        );
    }

    /// A list of outputs needs 40 bytes of guest memory for each, and more in the host.
    fn a_million_packets_from_one_call_are_a_limit(host) {
        let node = HandMade::node().with(
            "process",
            "(drop (memory.grow (i32.const 700)))
             (i32.store (i32.const 2068) (i32.const 65536))
             (i32.store (i32.const 2072) (i32.const 1000000))",
        );
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, TOO_MUCH);
    }

    /// Three bytes of JSON become a value of dozens in the host.
    fn a_json_payload_of_megabytes_is_a_limit(host) {
        Trial::deed(host, "wide_json").unhurried().ends(
            Operation::Process,
            ErrorKind::LimitExceeded,
            "limits.json_bytes",
        );
    }
}
