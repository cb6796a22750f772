//! Guests that end instead of returning: traps in every verb, exit, and calls into themselves.

use remotemedia_core::{ErrorKind, Operation};

use super::hand_made::HandMade;
use super::trial::Trial;

const TRAPPED: &str = "the component trapped";

super::cases! {
    fn a_trap_in_describe_is_named(host) {
        let node = HandMade::node().with("describe", "unreachable");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, TRAPPED);
    }

    fn a_trap_in_the_start_function_is_named(host) {
        let node = HandMade::node().adding("MODULE", "(func $first unreachable) (start $first)");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, TRAPPED);
    }

    fn a_trap_in_initialize_is_named(host) {
        let node = HandMade::node().with("initialize", "unreachable");
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Trap, TRAPPED);
    }

    fn a_trap_in_process_is_named(host) {
        let node = HandMade::node().with("process", "unreachable");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, "unreachable");
    }

    fn a_trap_in_flush_is_named(host) {
        let node = HandMade::node().with("flush", "unreachable");
        Trial::hand_made(host, &node).ends(Operation::Flush, ErrorKind::Trap, TRAPPED);
    }

    fn a_trap_in_cleanup_ends_nothing_but_the_guest_and_is_counted(host) {
        let before = host.sandbox_counts().traps;
        let node = HandMade::node().with("cleanup", "unreachable");
        Trial::hand_made(host, &node).must_be_harmless();
        assert_eq!(host.sandbox_counts().traps, before + 1);
    }

    fn a_trap_in_realloc_is_named(host) {
        let node = HandMade::node().with("realloc", "unreachable");
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Trap, TRAPPED);
    }

    fn a_trap_in_a_post_return_is_named_and_its_packets_are_not_handed_out(host) {
        let only_then = "(if (i32.eq (local.get $result) (i32.const 2064)) (then unreachable))";
        let node = HandMade::node().with("post", only_then);
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, TRAPPED);
    }

    fn a_division_by_zero_is_named(host) {
        let node = HandMade::node().with("process", "(drop (i32.div_u (i32.const 1) (i32.const 0)))");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, "divide by zero");
    }

    fn a_read_beyond_the_memory_is_named(host) {
        let node = HandMade::node().with("process", "(drop (i64.load offset=4294967295 (i32.const -1)))");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, "out of bounds memory access");
    }

    fn a_call_through_an_empty_table_is_named(host) {
        let node = HandMade::node()
            .adding("MODULE", "(table 1 1 funcref) (type $none (func))")
            .with("process", "(call_indirect (type $none) (i32.const 0))");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, "uninitialized element");
    }

    fn a_call_of_the_wrong_type_is_named(host) {
        let node = HandMade::node()
            .adding("MODULE", "(table 1 1 funcref) (elem (i32.const 0) $process) (type $none (func))")
            .with("process", "(call_indirect (type $none) (i32.const 0))");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, "type mismatch");
    }

    fn a_panic_of_a_rust_guest_is_named_with_its_place(host) {
        let words = "index out of bounds: the len is 0 but the index is 7";
        Trial::deed(host, "panic").ends(Operation::Process, ErrorKind::Trap, words);
    }

    fn exit_does_not_end_the_host(host) {
        Trial::deed(host, "exit").ends(Operation::Process, ErrorKind::Trap, "exit(");
    }

    fn exit_as_if_all_were_well_does_not_end_the_host(host) {
        Trial::deed(host, "exit_in_initialize").ends(Operation::Initialize, ErrorKind::Trap, "exit(0)");
    }

    /// The host asks for memory while it hands a value in: no place to call the host from.
    fn a_call_into_the_host_from_realloc_is_a_trap(host) {
        let node = HandMade::node()
            .sharing_a_table()
            .adding(
                "MODULE",
                "(elem (i32.const 0) func $chatter)
                 (func $chatter (call $log (i32.const 2) (i32.const 16) (i32.const 8)))",
            )
            .with("realloc", "(call_indirect (type $none) (i32.const 0)) (i32.const 65536)");
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Trap, "cannot leave component");
    }

    fn a_call_into_the_host_from_a_post_return_is_a_trap(host) {
        let node = HandMade::node().with("post", "(call $log (i32.const 2) (i32.const 16) (i32.const 8))");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "cannot leave component");
    }

    /// The component lowers its own export and calls it while it is being called.
    fn a_guest_that_calls_itself_through_its_own_export_is_a_trap(host) {
        let node = HandMade::node()
            .sharing_a_table()
            .with("process", "(call_indirect (type $none) (i32.const 0))")
            .adding(
                "COMPONENT",
                "(core func $inside (canon lower (func $cleanup)))
                 (core module $fill
                   (import \"memory\" \"table\" (table 1 1 funcref)) (import \"self\" \"cleanup\" (func $cleanup))
                   (elem (i32.const 0) func $cleanup))
                 (core instance (instantiate $fill
                   (with \"memory\" (instance $memory))
                   (with \"self\" (instance (export \"cleanup\" (func $inside))))))",
            );
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Trap, "cannot enter component");
    }
}
