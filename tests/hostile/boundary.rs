//! Lies of the canonical ABI: pointers, lengths and discriminants that point nowhere and mean nothing, in what a
//! hand-made component returns and in where it lets the host write.

use remotemedia_core::{ErrorKind, Operation};

use super::hand_made::HandMade;
use super::trial::Trial;

/// How the host calls values that are not what the types say.
const BROKE: &str = "the component broke its contract";

/// A node that stores `value` at `address` before `process` returns: 2064 is the result's discriminant, 2068 and
/// 2072 are its list, 2112 and up the output that lies in it.
fn storing(instruction: &str, address: u32, value: &str) -> HandMade {
    HandMade::node().with("process", &format!("({instruction} (i32.const {address}) ({value}))"))
}

fn process_ends(host: &remotemedia_host::Host, node: &HandMade, words: &str) {
    Trial::hand_made(host, node).ends(Operation::Process, ErrorKind::Trap, words);
}

super::cases! {
    fn a_result_beyond_the_memory_is_refused(host) {
        let node = HandMade::node().with("describe", "(i32.const -64)");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "out of bounds");
    }

    fn a_misaligned_result_is_refused(host) {
        let node = HandMade::node().with("describe", "(i32.const 1025)");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "not aligned");
    }

    fn a_list_that_begins_beyond_the_memory_is_refused(host) {
        process_ends(host, &storing("i32.store", 2068, "i32.const -16"), "out of bounds");
    }

    fn a_list_that_ends_beyond_the_memory_is_refused(host) {
        process_ends(host, &storing("i32.store", 2072, "i32.const 100000"), "out of bounds");
    }

    /// 40 times this length is 2^32 + 24.
    fn a_list_whose_size_overflows_is_refused(host) {
        process_ends(host, &storing("i32.store", 2072, "i32.const 107374183"), "out of bounds");
    }

    fn a_misaligned_list_is_refused(host) {
        process_ends(host, &storing("i32.store", 2068, "i32.const 2113"), "not aligned");
    }

    fn bytes_that_end_beyond_the_memory_are_refused(host) {
        process_ends(host, &storing("i32.store", 2148, "i32.const -1"), "out of bounds");
    }

    fn a_result_that_is_neither_ok_nor_error_is_refused(host) {
        process_ends(host, &storing("i32.store8", 2064, "i32.const 7"), "discriminant");
    }

    fn a_payload_of_no_kind_is_refused(host) {
        process_ends(host, &storing("i32.store8", 2128, "i32.const 200"), "discriminant");
    }

    fn a_sample_format_that_does_not_exist_is_refused(host) {
        process_ends(host, &storing("i32.store8", 2132, "i32.const 3"), "discriminant");
    }

    /// A tensor with the audio's bytes in its place.
    fn an_element_type_that_does_not_exist_is_refused(host) {
        let node = HandMade::node().with(
            "process",
            "(i32.store8 (i32.const 2128) (i32.const 3)) (i32.store8 (i32.const 2132) (i32.const 99))
             (i32.store (i32.const 2136) (i32.const 0)) (i32.store (i32.const 2140) (i32.const 0))",
        );
        process_ends(host, &node, "discriminant");
    }

    fn an_error_of_no_kind_is_refused(host) {
        let node = HandMade::node().with(
            "process",
            "(i32.store8 (i32.const 2064) (i32.const 1)) (i32.store (i32.const 2068) (i32.const 77))",
        );
        process_ends(host, &node, "discriminant");
    }

    fn a_port_kind_that_does_not_exist_is_refused(host) {
        let node = HandMade::node().adding("MODULE", "(data (i32.const 1160) \"\\09\")");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "discriminant");
    }

    fn text_that_is_not_utf8_is_refused(host) {
        let node = HandMade::node().with(
            "process",
            "(i32.store8 (i32.const 2128) (i32.const 1)) (i32.store (i32.const 2132) (i32.const 3000))
             (i32.store (i32.const 2136) (i32.const 3)) (i32.store (i32.const 3000) (i32.const 0xfffeff))",
        );
        process_ends(host, &node, "utf-8");
    }

    fn an_error_message_that_is_not_utf8_is_refused(host) {
        let node = HandMade::node().with(
            "process",
            "(i32.store8 (i32.const 2064) (i32.const 1)) (i32.store (i32.const 2068) (i32.const 3))
             (i32.store (i32.const 2072) (i32.const 3000)) (i32.store (i32.const 2076) (i32.const 3))
             (i32.store (i32.const 3000) (i32.const 0xfffeff))",
        );
        process_ends(host, &node, "utf-8");
    }

    fn a_log_line_that_is_not_utf8_is_refused(host) {
        let node = HandMade::node().with(
            "process",
            "(i32.store (i32.const 3000) (i32.const 0xfffeff))
             (call $log (i32.const 0) (i32.const 3000) (i32.const 3))",
        );
        process_ends(host, &node, "utf-8");
    }

    fn a_log_line_beyond_the_memory_is_refused(host) {
        let node = HandMade::node().with("process", "(call $log (i32.const 0) (i32.const 16) (i32.const -1))");
        process_ends(host, &node, "out of bounds");
    }

    fn a_log_level_that_does_not_exist_is_refused(host) {
        let node = HandMade::node().with("process", "(call $log (i32.const 5) (i32.const 16) (i32.const 8))");
        process_ends(host, &node, "discriminant");
    }

    /// Half of a pair of surrogates, from a component that chose UTF-16 for its strings.
    fn half_a_character_of_utf16_is_refused(host) {
        let node = HandMade::node()
            .replacing("(memory $mem) (realloc $realloc)", "string-encoding=utf16 (memory $mem) (realloc $realloc)")
            .adding("MODULE", "(data (i32.const 16) \"\\00\\d8\\00\\d8\\00\\d8\\00\\d8\\00\\d8\\00\\d8\\00\\d8\\00\\d8\")");
        let node = node.replacing("\\18\\00\\00\\00\\05", "\\10\\00\\00\\00\\05").replacing("\\1d\\00\\00\\00\\10", "\\10\\00\\00\\00\\05");
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::Trap, "unpaired surrogate");
    }

    fn a_realloc_that_points_beyond_the_memory_is_refused(host) {
        let node = HandMade::node().with("realloc", "(i32.const -8)");
        Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Trap, "beyond end of memory");
    }

    /// Where the end of the memory cuts through what the host wants to write.
    fn a_realloc_at_the_end_of_the_memory_is_refused(host) {
        let node = HandMade::node().with("realloc", "(i32.const 262143)");
        let error = Trial::hand_made(host, &node).ends(Operation::Initialize, ErrorKind::Trap, BROKE);
        assert!(error.message.contains("beyond end of memory"), "{error}");
    }

    /// The host writes the packet over the node's own descriptor and strings; only the guest suffers.
    fn a_realloc_that_gives_the_same_place_to_everything_harms_only_the_guest(host) {
        let node = HandMade::node().with("realloc", "(i32.const 0)");
        Trial::hand_made(host, &node).ends_somehow();
    }

    fn overlapping_lists_are_only_copied(host) {
        let node = HandMade::node().with(
            "process",
            "(i32.store (i32.const 2144) (i32.const 2064)) (i32.store (i32.const 2148) (i32.const 64))",
        );
        assert_eq!(Trial::hand_made(host, &node).must_be_harmless().len(), 1);
    }
}
