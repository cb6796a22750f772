//! Attempts to fill the disk of a host that grants a folder to write to.

use std::fs;

use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{ErrorKind, NodeError, Operation};
use serde_json::json;

use super::granted::Place;

/// What a node may write here: little, so that the attacks are quick cases.
const WRITTEN_MB: u32 = 8;
const CREATED_FILES: u32 = 50;

fn place() -> Place {
    let mut policy = SandboxPolicy::default();
    (policy.limits.written_mb, policy.limits.created_files) = (WRITTEN_MB, CREATED_FILES);
    // Enough for one node and a half.
    (policy.tenant.written_mb, policy.tenant.created_files) = (WRITTEN_MB * 3 / 2, CREATED_FILES * 3 / 2);
    Place::under(policy, true)
}

/// Names and bytes in the place's folder, and what its files take of the disk.
fn taken(place: &Place) -> (usize, u64) {
    let entries = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    let lengths: Vec<u64> = entries.map(|entry| if entry.is_file() { entry.len() } else { 0 }).collect();
    (lengths.len(), lengths.iter().sum())
}

fn ends(place: &Place, deed: &str, params: serde_json::Value, words: &str) -> NodeError {
    place.trial(deed, params).unhurried().ends(Operation::Process, ErrorKind::LimitExceeded, words)
}

/// The deed ends at the node's limit, a second one at the tenant's, a third one at once: nothing is given back.
fn ends_at_both_limits(deed: &str) {
    let place = place();
    let mut last = taken(&place);
    for (file, limit, most_mb) in [("one", "limits", 8), ("two", "tenant", 12), ("three", "tenant", 12)] {
        ends(&place, deed, json!({"path": place.path(file)}), &format!("({limit}.written_mb)"));
        let now = taken(&place);
        assert!(now.1 <= (most_mb << 20) + 5, "{now:?}");
        assert!(now.1 >= last.1, "something is gone");
        last = now;
    }
}

/// The same for names.
fn creates_no_more_than_it_may(deed: &str) {
    let place = place();
    for (name, limit, most) in [("one", "limits", 50), ("two", "tenant", 75), ("three", "tenant", 75)] {
        ends(&place, deed, json!({"path": place.path(name)}), &format!("{most} ({limit}.created_files)"));
        // And the file that was there.
        assert_eq!(taken(&place).0, most + 1);
    }
}

super::cases! {
    fn endless_writing_through_a_stream_is_a_limit(_host) {
        ends_at_both_limits("write_for_ever");
    }

    fn endless_appending_is_a_limit(_host) {
        ends_at_both_limits("append_for_ever");
    }

    fn endless_writing_without_a_stream_is_a_limit(_host) {
        ends_at_both_limits("write_at_for_ever");
    }

    fn endless_writing_over_the_same_bytes_is_a_limit(_host) {
        ends_at_both_limits("write_over_for_ever");
    }

    fn one_byte_behind_a_hole_of_a_terabyte_is_a_limit(_host) {
        let place = place();
        ends(&place, "write_far_away", json!({"path": place.path("new")}), "wanted to write 1048576.0 MiB more");
        assert_eq!(taken(&place), (2, 5));
    }

    fn a_file_made_giant_without_writing_is_a_limit(_host) {
        for size in [u64::MAX >> 1, 1 << 40, (u64::from(WRITTEN_MB) << 20) + 1] {
            let place = place();
            let params = json!({"path": place.path("new"), "to": size.to_string()});
            ends(&place, "grow_file", params, "(limits.written_mb)");
            assert_eq!(taken(&place), (2, 5));
        }
    }

    fn a_million_files_are_a_limit(_host) {
        creates_no_more_than_it_may("make_files");
    }

    fn a_million_folders_are_a_limit(_host) {
        creates_no_more_than_it_may("make_folders");
    }

    fn a_million_links_are_a_limit(_host) {
        let place = place();
        ends(&place, "make_links", json!({"path": place.path("a.txt")}), "(limits.created_files)");
        assert_eq!(taken(&place).0, 51);
    }
}
