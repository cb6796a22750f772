//! Attacks on the log and on whoever reads messages: floods, endless lines, terminal escapes.

use remotemedia_core::{ErrorKind, Operation};
use remotemedia_host::Host;

use super::trial::Trial;

/// How many log lines are dropped while that deed is done.
fn dropped(host: &Host, deed: &str) -> u64 {
    let before = host.sandbox_counts().log_lines_dropped;
    assert_eq!(Trial::deed(host, deed).unhurried().must_be_harmless().len(), 1);
    host.sandbox_counts().log_lines_dropped - before
}

super::cases! {
    // Each flood is 200 lines of 5,000 bytes. 16 lines of 1 KiB fit into a second, and a flood must be over within
    // one, so that at most 32 lines of two windows are logged.
    fn a_flood_of_log_lines_is_dropped_and_counted(host) {
        assert!((168..200).contains(&dropped(host, "flood_log")));
    }

    fn a_flood_of_stdout_is_dropped_and_counted(host) {
        assert!((168..200).contains(&dropped(host, "flood_stdout")));
    }

    fn a_flood_of_stderr_is_dropped_and_counted(host) {
        assert!((168..200).contains(&dropped(host, "flood_stderr")));
    }

    /// 1 MB without an end of line are one line, of which the first KiB is kept.
    fn a_line_that_never_ends_is_cut(host) {
        assert_eq!(dropped(host, "endless_line"), 0);
    }

    fn an_honest_line_is_not_dropped(host) {
        assert_eq!(dropped(host, "log"), 0);
    }

    fn an_error_message_of_megabytes_is_cut(host) {
        let error = Trial::deed(host, "long_error").unhurried().ends(
            Operation::Process,
            ErrorKind::Internal,
            "long long long",
        );
        assert_eq!(error.message.len(), 4_096);
    }

    fn an_error_message_of_megabytes_in_initialize_is_cut(host) {
        let error = Trial::deed(host, "long_error_in_initialize").ends(
            Operation::Initialize,
            ErrorKind::InvalidParams,
            "long long long",
        );
        assert_eq!(error.message.len(), 4_096);
    }

    fn terminal_escapes_in_an_error_message_are_not_printed(host) {
        let error = Trial::deed(host, "escape_codes").ends(Operation::Process, ErrorKind::Internal, "red");
        assert!(!error.message.contains(|letter: char| letter.is_control()), "{error:?}");
    }

    fn last_words_of_megabytes_are_cut(host) {
        let error = Trial::deed(host, "long_panic").unhurried().ends(
            Operation::Process,
            ErrorKind::Trap,
            "the component trapped",
        );
        assert!(error.trace.unwrap().len() < 16 << 10);
    }
}
