//! Attempts to get further than what was granted: one folder, to read or to write, and a secret beside it.

use std::fs;
use std::path::Path;

use remotemedia_core::manifest::Permissions;
use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{ErrorKind, Operation, Payload};
use remotemedia_host::Host;
use serde_json::{Value, json};

use super::trial::{Trial, host_with};

/// A folder `open` with a file in it, and a secret beside it.
pub(super) struct Place {
    folder: tempfile::TempDir,
    host: Host,
    writable: bool,
}

impl Place {
    fn new(writable: bool) -> Self {
        Self::under(SandboxPolicy::default(), writable)
    }

    /// The same under another policy.
    pub fn under(mut policy: SandboxPolicy, writable: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("open")).unwrap();
        fs::write(folder.path().join("open/a.txt"), "hello").unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        let granted = if writable { &mut policy.grants.fs_write } else { &mut policy.grants.fs_read };
        granted.push(folder.path().join("open"));
        Self { host: host_with(policy), folder, writable }
    }

    /// The path of something in the folder, as host and guest call it.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join("open").join(name).display().to_string()
    }

    /// The deed, about to be done there.
    pub fn trial(&self, deed: &str, params: Value) -> Trial<'_> {
        let open = vec![self.folder.path().join("open").display().to_string()];
        Trial::deed_with(&self.host, deed, params).changed(|attacker| {
            let mut permissions = Permissions::default();
            *if self.writable { &mut permissions.fs_write } else { &mut permissions.fs_read } = open;
            attacker.permissions = Some(permissions);
        })
    }

    /// The deed fails, and everything lies where it lay.
    fn in_vain(&self, deed: &str, params: Value) {
        let error = self.trial(deed, params).ends(Operation::Process, ErrorKind::Internal, "in vain");
        assert!(!error.message.contains("secret"), "{error}");
        assert_eq!(fs::read_to_string(self.folder.path().join("secret.txt")).unwrap(), "secret");
        assert_eq!(fs::read_to_string(self.path("a.txt")).unwrap(), "hello");
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 2);
    }

    fn told(&self, deed: &str, params: Value) -> Value {
        let packets = self.trial(deed, params).must_be_harmless();
        let Payload::Json(told) = &packets[0].payload else { panic!("{packets:?}") };
        told.as_ref().clone()
    }
}

fn link(target: impl AsRef<Path>, name: String) {
    std::os::unix::fs::symlink(target, name).unwrap();
}

super::cases! {
    fn with_a_grant_the_folder_itself_is_open(_host) {
        let place = Place::new(false);
        assert_eq!(place.told("read", json!({"path": place.path("a.txt")})), json!({"read": "hello"}));
    }

    fn with_a_grant_a_path_upwards_leads_nowhere(_host) {
        let place = Place::new(false);
        place.in_vain("read", json!({"path": place.path("../secret.txt")}));
        place.in_vain("read", json!({"path": place.path("deep/../../secret.txt")}));
        place.in_vain("read", json!({"path": "/etc/passwd"}));
        place.in_vain("list", json!({"path": place.path("..")}));
    }

    fn with_a_grant_a_symbolic_link_that_lies_there_leads_nowhere(_host) {
        let place = Place::new(false);
        link("../secret.txt", place.path("upwards"));
        link(place.folder.path().join("secret.txt"), place.path("absolute"));
        link("..", place.path("folder"));
        for name in ["upwards", "absolute", "folder/secret.txt"] {
            place.in_vain("read", json!({"path": place.path(name)}));
        }
    }

    fn with_a_grant_a_symbolic_link_of_the_guest_s_own_leads_nowhere(_host) {
        let place = Place::new(true);
        let own = place.path("own");
        place.trial("symbolic_link", json!({"path": own, "to": "../secret.txt"})).ends_somehow();
        place.in_vain("read", json!({"path": own}));
        place.in_vain("write", json!({"path": own}));
        place.in_vain("symbolic_link", json!({"path": place.path("other"), "to": "/etc/passwd"}));
    }

    fn with_a_grant_a_hard_link_to_a_file_outside_is_not_made(_host) {
        let place = Place::new(true);
        place.in_vain("hard_link", json!({"path": place.path("../secret.txt"), "to": place.path("inside")}));
        place.in_vain("hard_link", json!({"path": place.path("a.txt"), "to": place.path("../outside")}));
    }

    fn with_a_grant_nothing_is_renamed_in_or_out(_host) {
        let place = Place::new(true);
        place.in_vain("rename", json!({"path": place.path("a.txt"), "to": place.path("../stolen.txt")}));
        place.in_vain("rename", json!({"path": place.path("../secret.txt"), "to": place.path("stolen.txt")}));
        place.in_vain("remove", json!({"path": place.path("../secret.txt")}));
    }

    fn with_a_grant_to_read_nothing_is_changed(_host) {
        let place = Place::new(false);
        place.in_vain("write", json!({"path": place.path("a.txt")}));
        place.in_vain("write", json!({"path": place.path("new.txt")}));
        place.in_vain("remove", json!({"path": place.path("a.txt")}));
        place.in_vain("rename", json!({"path": place.path("a.txt"), "to": place.path("b.txt")}));
    }

    fn with_a_grant_open_files_are_limited_in_number(_host) {
        let place = Place::new(false);
        let trial = place.trial("hold_files", json!({"path": place.path("a.txt")})).unhurried();
        trial.ends(Operation::Process, ErrorKind::LimitExceeded, "limits.resources");
    }

    fn with_a_grant_entries_are_limited_in_number(_host) {
        let mut policy = SandboxPolicy::default();
        policy.limits.directory_entries = 100;
        let place = Place::under(policy, false);
        for number in 0..40 {
            fs::write(place.path(&format!("{number}.txt")), "").unwrap();
        }
        let list = |deed: &str| place.trial(deed, json!({"path": place.path("")})).unhurried();
        list("list").must_be_harmless();
        list("hold_listings").ends(
            Operation::Process,
            ErrorKind::LimitExceeded,
            "more than 18 entries, and may list 100 at once (limits.directory_entries)",
        );
        for number in 0..200 {
            fs::write(place.path(&format!("{number}.txt")), "").unwrap();
        }
        list("list").ends(Operation::Process, ErrorKind::LimitExceeded, "limits.directory_entries");
    }

    /// Each of the nodes is far from its own limit.
    fn with_a_grant_open_files_are_limited_over_all_nodes_of_a_tenant(_host) {
        let mut policy = SandboxPolicy::default();
        policy.tenant.open_files = 100;
        let place = Place::under(policy, false);
        let sixty = || place.trial("hold_files", json!({"path": place.path("a.txt"), "to": "60"})).unhurried();
        let running = sixty().goes_on();
        sixty().ends(Operation::Process, ErrorKind::LimitExceeded, "may have 100 open (tenant.open_files)");
        drop(running);
        sixty().must_be_harmless();
    }
}
