//! Attacks on the stack: recursion in every place where a guest's code runs.

use remotemedia_core::{ErrorKind, Operation};

use super::hand_made::HandMade;
use super::trial::Trial;

const TOO_DEEP: &str = "nest too deeply for its stack";

/// A function that only calls itself.
const RECURSION: &str = "(func $deeper (call $deeper))";

super::cases! {
    fn endless_recursion_is_a_limit(host) {
        let node = HandMade::node().adding("MODULE", RECURSION).with("process", "(call $deeper)");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, TOO_DEEP);
    }

    fn endless_recursion_in_the_start_function_is_a_limit(host) {
        let node = HandMade::node().adding("MODULE", &format!("{RECURSION} (start $deeper)"));
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, TOO_DEEP);
    }

    fn endless_recursion_in_realloc_is_a_limit(host) {
        let node = HandMade::node().with(
            "realloc",
            "(return (call $again (local.get 0) (local.get 1) (local.get 2) (local.get 3)))",
        );
        let node = node.replacing("(func (export \"realloc\")", "(func $again (export \"realloc\")");
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::LimitExceeded, TOO_DEEP);
    }

    fn recursion_through_a_table_is_a_limit(host) {
        let node = HandMade::node()
            .adding(
                "MODULE",
                "(table 1 1 funcref) (elem (i32.const 0) $turn) (type $none (func))
                 (func $turn (call_indirect (type $none) (i32.const 0)))",
            )
            .with("flush", "(call $turn) (i32.const 2064)");
        Trial::hand_made(host, &node).ends(Operation::Flush, ErrorKind::LimitExceeded, TOO_DEEP);
    }

    /// A frame of a thousand values that all live across the call: few calls fill the stack.
    fn recursion_with_huge_frames_is_a_limit(host) {
        let locals: String = (0..1_000).map(|n| format!("(local $l{n} i64)")).collect();
        let set: String = (0..1_000)
            .map(|n| format!("(local.set $l{n} (i64.add (local.get $seed) (i64.const {n})))"))
            .collect();
        let add: String = (0..1_000)
            .map(|n| format!("(local.set $seed (i64.xor (local.get $seed) (local.get $l{n})))"))
            .collect();
        let function = format!(
            "(func $deeper (param $seed i64) (result i64) {locals} {set}
               (local.set $seed (call $deeper (i64.mul (local.get $seed) (i64.const 3)))) {add} (local.get $seed))"
        );
        let node = HandMade::node()
            .adding("MODULE", &function)
            .with("process", "(drop (call $deeper (i64.const 1)))");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::LimitExceeded, TOO_DEEP);
    }

    /// Arrays on the stack of a Rust program lie in its linear memory, at whose low end they run out of it.
    fn recursion_with_arrays_in_a_rust_guest_is_a_trap(host) {
        Trial::deed(host, "recurse").ends(Operation::Process, ErrorKind::Trap, "out of bounds memory access");
    }

    /// The host's own frames, of the call into it, need room on the same stack.
    fn a_call_into_the_host_at_the_end_of_the_stack_is_a_limit(host) {
        let node = HandMade::node()
            .adding(
                "MODULE",
                "(func $deeper (call $log (i32.const 0) (i32.const 16) (i32.const 8)) (call $deeper))",
            )
            .with("process", "(call $deeper)");
        Trial::hand_made(host, &node).unhurried().ends(
            Operation::Process,
            ErrorKind::LimitExceeded,
            TOO_DEEP,
        );
    }
}
