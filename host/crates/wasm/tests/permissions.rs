//! Both keys: a guest reaches what its manifest asks for and the policy grants, and nothing else.

use std::fs;

use remotemedia_core::manifest::Permissions;
use remotemedia_core::policy::{Clock, Random, SandboxPolicy};
use remotemedia_core::{ErrorKind, Packet, Runtime};

use crate::fixture::{error_of, process};
use crate::probing::{answer, probe, runtime, said, started};

fn reading(dir: &str) -> Permissions {
    Permissions { fs_read: vec![dir.into()], ..Permissions::default() }
}

fn writing(dir: &str) -> Permissions {
    Permissions { fs_write: vec![dir.into()], ..Permissions::default() }
}

#[test]
fn with_both_keys_a_directory_is_read_under_the_manifest_s_name_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/deep")).unwrap();
    fs::write(folder.path().join("data/deep/a.txt"), "hello").unwrap();
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_read = vec![folder.path().into()];
    let runtime = runtime(policy);
    let mut node = started(&runtime, &probe(folder.path(), reading("data")));
    assert_eq!(said(&mut *node, "read data/deep/a.txt"), "hello");
    assert_eq!(said(&mut *node, "list data"), "deep");
    for order in ["write data/deep/a.txt x", "write data/new.txt x", "remove data/deep/a.txt"] {
        assert!(said(&mut *node, order).starts_with("error"), "{order}");
    }
    for order in ["read data/../secret.txt", "read secret.txt", "read /etc/hostname", "list /", "list ."] {
        assert!(said(&mut *node, order).starts_with("error"), "{order}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("data/deep/a.txt")).unwrap(), "hello");
    assert_eq!(fs::read_dir(folder.path().join("data")).unwrap().count(), 1);
    // An absolute path is the guest's name for it too.
    let absolute = folder.path().join("data").display().to_string();
    let mut node = started(&runtime, &probe(folder.path(), reading(&absolute)));
    assert_eq!(said(&mut *node, &format!("read {absolute}/deep/a.txt")), "hello");
}

#[test]
fn with_both_keys_a_directory_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_write = vec![folder.path().join("out")];
    let mut node = started(&runtime(policy), &probe(folder.path(), writing("out")));
    assert_eq!(said(&mut *node, "write out/a.txt hello"), "written");
    assert_eq!(said(&mut *node, "read out/a.txt"), "hello");
    assert_eq!(fs::read_to_string(folder.path().join("out/a.txt")).unwrap(), "hello");
    assert!(said(&mut *node, "write a.txt x").starts_with("error"));
    assert!(!folder.path().join("a.txt").exists());
}

#[test]
fn only_what_was_not_there_before_counts_as_created() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("there.txt"), "old").unwrap();
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_write = vec![folder.path().into()];
    policy.limits.created_files = 2;
    let mut node = started(&runtime(policy), &probe(folder.path(), writing(".")));
    for file in ["there.txt", "one.txt", "one.txt", "two.txt", "there.txt", "two.txt"] {
        assert_eq!(said(&mut *node, &format!("write ./{file} new")), "written");
        assert_eq!(said(&mut *node, &format!("read ./{file}")), "new");
    }
    assert!(said(&mut *node, "write . x").starts_with("error"), "a folder is no file");
    let error = error_of(answer(&mut *node, "write ./three.txt new"));
    assert_eq!(error.kind, ErrorKind::LimitExceeded, "{error}");
    assert!(error.message.contains("it may create 2 (limits.created_files)"), "{error}");
    assert!(!folder.path().join("three.txt").exists());
}

#[test]
fn a_node_made_anew_has_written_what_it_wrote_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_write = vec![folder.path().into()];
    policy.limits.created_files = 2;
    policy.restart.attempts = 2;
    let runtime = runtime(policy);
    let mut node = started(&runtime, &probe(folder.path(), writing(".")));
    for file in ["one", "two"] {
        assert_eq!(said(&mut *node, &format!("write ./{file} x")), "written");
    }
    for restarts in 1..=2 {
        let lost = process(&mut *node, Packet::new(0, "write ./three x")).unwrap();
        assert_eq!((lost.len(), runtime.counts().restarts), (0, restarts));
    }
    assert_eq!(error_of(answer(&mut *node, "write ./three x")).kind, ErrorKind::LimitExceeded);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_directory_that_a_guest_swapped_for_a_link_is_not_opened_when_a_node_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("open/data")).unwrap();
    fs::create_dir(at("secret")).unwrap();
    fs::write(at("secret/a.txt"), "secret").unwrap();
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_write = vec![at("open")];
    policy.limits.created_files = 1;
    policy.restart.attempts = 2;
    let runtime = runtime(policy);
    let mut node = started(&runtime, &probe(&at("open"), writing("data")));
    assert_eq!(said(&mut *node, "write data/one x"), "written");
    // What a node with the whole of `open` can do.
    fs::rename(at("open/data"), at("open/aside")).unwrap();
    std::os::unix::fs::symlink("../secret", at("open/data")).unwrap();
    assert_eq!(said(&mut *node, "read data/one"), "x", "it goes on with the directory that it has");
    let error = error_of(answer(&mut *node, "write data/two x"));
    assert_eq!(error.kind, ErrorKind::LimitExceeded, "{error}");
    assert!(error.message.contains("making it anew failed: the directory `data`"), "{error}");
    assert!(error.message.contains("where no symbolic link is followed"), "{error}");
    let asking = runtime.refusals(&probe(&at("open"), writing("data")));
    assert!(asking[0].to_string().contains("which nodes may write"), "{asking:?}");
    assert_eq!(fs::read_dir(at("secret")).unwrap().count(), 1);
}

#[test]
fn one_key_alone_opens_nothing_and_the_error_names_the_other() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "hello").unwrap();
    let here = folder.path().to_str().unwrap();
    // The policy grants, the manifest does not ask.
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_read = vec![folder.path().into()];
    policy.grants.env = vec!["A".into()];
    let mut node = started(&runtime(policy), &probe(folder.path(), Permissions::default()));
    assert!(said(&mut *node, &format!("read {here}/a.txt")).starts_with("error"));
    assert_eq!(said(&mut *node, "env A"), "unset");
    assert_eq!(said(&mut *node, "envs"), "");
    // The manifest asks, the policy does not grant.
    let closed = runtime(SandboxPolicy { source: Some("/etc/rm.toml".into()), ..SandboxPolicy::default() });
    let asking = probe(folder.path(), reading(here));
    let faults = closed.refusals(&asking);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].path, "permissions[\"fs.read\"][0]");
    assert!(faults[0].to_string().contains("`grants.\"fs.read\"` in `/etc/rm.toml`"), "{}", faults[0]);
    for error in [error_of(closed.create(&asking)), error_of(closed.describe(&asking))] {
        assert_eq!(error.kind, ErrorKind::PermissionDenied);
        assert!(
            error.message.contains("asks for fs.read") && error.message.contains("grants no such directory")
        );
    }
}

#[test]
fn environment_variables_are_seen_one_by_one() {
    let mut policy = SandboxPolicy::default();
    policy.grants.env = vec!["A".into(), "B".into(), "NOT_SET".into()];
    let asked = Permissions { env: vec!["A".into(), "NOT_SET".into()], ..Permissions::default() };
    let mut node = started(&runtime(policy), &probe("".as_ref(), asked));
    assert_eq!(said(&mut *node, "env A"), "1");
    assert_eq!(said(&mut *node, "env B"), "unset", "granted, but not asked for");
    assert_eq!(said(&mut *node, "env PATH"), "unset");
    assert_eq!(said(&mut *node, "envs"), "A");
}

#[test]
fn clocks_show_whole_milliseconds_unless_fine_ones_are_asked_for_and_granted() {
    let mut policy = SandboxPolicy::default();
    let wall_ns = |node: &mut dyn remotemedia_core::Node| said(node, "wall").parse::<u128>().unwrap();
    let coarse = runtime(policy.clone());
    let mut node = started(&coarse, &probe("".as_ref(), Permissions::default()));
    for _ in 0..20 {
        assert_eq!(wall_ns(&mut *node) % 1_000_000, 0);
    }
    let step: u128 = said(&mut *node, "step").parse().unwrap();
    assert!(step >= 1_000_000 && step.is_multiple_of(1_000_000), "{step} ns");
    policy.grants.clock = Clock::Fine;
    let asked = Permissions { clock: Some(Clock::Fine), ..Permissions::default() };
    let mut node = started(&runtime(policy.clone()), &probe("".as_ref(), asked.clone()));
    let now_ns = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert!(wall_ns(&mut *node) >= now_ns, "the real time");
    assert!((0..20).any(|_| !wall_ns(&mut *node).is_multiple_of(1_000_000)));
    assert!(said(&mut *node, "step").parse::<u128>().unwrap() < 1_000_000);
    let mut node = started(&runtime(policy), &probe("".as_ref(), Permissions::default()));
    assert_eq!(wall_ns(&mut *node) % 1_000_000, 0, "granted, but not asked for");
    assert_eq!(coarse.refusals(&probe("".as_ref(), asked))[0].path, "permissions.clock");
}

#[test]
fn seeded_random_numbers_follow_from_seed_and_node_and_real_ones_do_not() {
    let random = |policy: &SandboxPolicy, asked: Option<Random>, id: &str| {
        let mut node = probe("".as_ref(), Permissions { random: asked, ..Permissions::default() });
        node.id = id.into();
        said(&mut *started(&runtime(policy.clone()), &node), "random")
    };
    let mut policy = SandboxPolicy::default();
    assert_ne!(random(&policy, None, "a"), random(&policy, None, "a"), "real");
    let seeded = random(&policy, Some(Random::Seeded), "a");
    assert_eq!(random(&policy, Some(Random::Seeded), "a"), seeded);
    assert_ne!(random(&policy, Some(Random::Seeded), "b"), seeded);
    policy.grants.random_seed = 1;
    assert_ne!(random(&policy, Some(Random::Seeded), "a"), seeded);
    policy.grants = remotemedia_core::policy::Grants { random: Random::Seeded, ..Default::default() };
    assert_eq!(random(&policy, None, "a"), seeded, "the operator decides for all");
    let asking = probe("".as_ref(), Permissions { random: Some(Random::Real), ..Permissions::default() });
    assert_eq!(runtime(policy).refusals(&asking)[0].path, "permissions.random");
}

#[test]
fn a_network_is_refused_as_not_supported() {
    let asking =
        probe("".as_ref(), Permissions { net_http: vec!["example.org".into()], ..Permissions::default() });
    let faults = runtime(SandboxPolicy::default()).refusals(&asking);
    assert_eq!(faults[0].path, "permissions[\"net.http\"]");
    assert!(faults[0].message.contains("`example.org`, which is not supported"), "{}", faults[0]);
}

#[test]
fn open_files_are_counted_and_limited() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "hello").unwrap();
    let mut policy = SandboxPolicy::default();
    policy.grants.fs_read = vec![folder.path().into()];
    policy.limits.resources = 32;
    let runtime = runtime(policy);
    let mut node = started(&runtime, &probe(folder.path(), reading(".")));
    assert_eq!(said(&mut *node, "open ./a.txt 10"), "10 open");
    let error = error_of(answer(&mut *node, "open ./a.txt 100"));
    assert_eq!(error.kind, ErrorKind::LimitExceeded, "{error}");
    assert!(error.message.contains("limits.resources"), "{error}");
}
