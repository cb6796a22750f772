//! Attacks on time: loops that never end, in every place where a guest's code runs, and waiting.

use remotemedia_core::{ErrorKind, Operation};

use super::hand_made::HandMade;
use super::trial::Trial;

const LOOP: &str = "(loop $again (br $again)) unreachable";

/// What every deadline says.
const LATE: &str = "did not return within its limit";

/// The limit of one call in this suite, as messages give it.
const LATE_CALL: &str = "did not return within its limit of 100 ms";

super::cases! {
    fn an_endless_loop_in_describe_is_a_timeout(host) {
        let node = HandMade::node().with("describe", LOOP);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Timeout, LATE);
    }

    fn an_endless_loop_in_initialize_is_a_timeout(host) {
        let node = HandMade::node().with("initialize", LOOP);
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Timeout, LATE);
    }

    fn an_endless_loop_in_process_is_a_timeout(host) {
        let node = HandMade::node().with("process", LOOP);
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Timeout, LATE_CALL);
    }

    fn an_endless_loop_in_flush_is_a_timeout(host) {
        let node = HandMade::node().with("flush", LOOP);
        Trial::hand_made(host, &node).ends(Operation::Flush, ErrorKind::Timeout, LATE_CALL);
    }

    fn an_endless_loop_in_cleanup_ends_and_is_counted(host) {
        let before = host.sandbox_counts().timeouts;
        let node = HandMade::node().with("cleanup", LOOP);
        Trial::hand_made(host, &node).must_be_harmless();
        assert_eq!(host.sandbox_counts().timeouts, before + 1);
    }

    fn an_endless_loop_in_the_start_function_is_a_timeout(host) {
        let node = HandMade::node().adding("MODULE", "(func $first (loop $again (br $again))) (start $first)");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Timeout, LATE);
    }

    fn an_endless_loop_in_realloc_is_a_timeout(host) {
        let node = HandMade::node().with("realloc", LOOP);
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Timeout, LATE);
    }

    fn an_endless_loop_in_the_post_return_of_describe_is_a_timeout(host) {
        let node = HandMade::node().with("post", "(loop $again (br $again))");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Timeout, LATE);
    }

    fn an_endless_loop_in_the_post_return_of_process_is_a_timeout(host) {
        let only_then = "(if (i32.eq (local.get $result) (i32.const 2064)) (then (loop $again (br $again))))";
        let node = HandMade::node().with("post", only_then);
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Timeout, LATE_CALL);
    }

    /// Without a branch backwards: 2^60 calls, none of them deep.
    fn exponentially_many_calls_are_a_timeout(host) {
        let levels: String = (1..60)
            .map(|n| format!("(func $f{n} (call $f{0}) (call $f{0}))\n", n - 1))
            .collect();
        let node = HandMade::node()
            .adding("MODULE", &format!("(func $f0)\n{levels}"))
            .with("process", "(call $f59)");
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Timeout, LATE_CALL);
    }

    /// One instruction that works for milliseconds: the deadline is looked at between two of them.
    fn endless_bulk_copies_are_a_timeout(host) {
        let node = HandMade::node().with(
            "process",
            "(drop (memory.grow (i32.const 700)))
             (loop $again
               (memory.fill (i32.const 65536) (i32.const 1) (i32.const 45000000))
               (memory.copy (i32.const 65536) (i32.const 65540) (i32.const 45000000))
               (br $again))",
        );
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Timeout, LATE_CALL);
    }

    /// The time is spent in the host, on the guest's behalf.
    fn endless_calls_into_the_host_are_a_timeout(host) {
        let node = HandMade::node().with(
            "process",
            "(loop $again (call $log (i32.const 4) (i32.const 70000) (i32.const 100000)) (br $again))",
        );
        Trial::hand_made(host, &node).ends(Operation::Process, ErrorKind::Timeout, LATE_CALL);
    }

    fn sleeping_for_an_hour_is_a_timeout(host) {
        Trial::deed(host, "sleep").ends(Operation::Process, ErrorKind::Timeout, LATE);
    }

    /// Each nap is shorter than a call may take, and none of them uses the processor.
    fn endless_short_naps_are_a_timeout(host) {
        Trial::deed(host, "doze").ends(Operation::Process, ErrorKind::Timeout, LATE);
    }
}
