//! What a node was granted: what its manifest asks for and the operator's policy allows. Both keys are needed, and an
//! error names the one that is missing. What is not in here, a guest does not see.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use remotemedia_core::manifest::Permissions;
use remotemedia_core::policy::{Clock, Random, SandboxPolicy};
use remotemedia_core::{ManifestError, NodeManifest};

use crate::host_dirs::{Location, Roots};

/// Everything outside its store that a guest may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Granted {
    pub dirs: Vec<GrantedDir>,
    /// Names and values.
    pub env: Vec<(String, String)>,
    pub clock: Clock,
    /// What seeded random numbers begin with; `None` is the system's randomness.
    pub random_seed: Option<u64>,
}

/// A directory of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantedDir {
    pub location: Location,
    /// What the guest calls it: the manifest's own word.
    pub guest: String,
    pub writable: bool,
}

impl Granted {
    /// What a component gets that is only asked what it is.
    pub fn nothing(policy: &SandboxPolicy) -> Self {
        let random_seed = (policy.grants.random == Random::Seeded).then_some(policy.grants.random_seed);
        Self { random_seed, ..Self::default() }
    }

    /// What `node` gets. `env` holds the host's values of the variables that the policy names; `cache_dir` is where the
    /// host keeps machine code, which no guest may reach whatever is granted.
    ///
    /// # Errors
    /// Everything that the manifest asks for and cannot have; paths are relative to the node.
    pub fn new(
        node: &NodeManifest,
        policy: &SandboxPolicy,
        env: &BTreeMap<String, String>,
        cache_dir: Option<&Path>,
    ) -> Result<Self, Vec<ManifestError>> {
        let mut granted = Self::nothing(policy);
        let Some(asked) = &node.permissions else { return Ok(granted) };
        let mut faults = Vec::new();
        granted.take_dirs(node, asked, policy, cache_dir, &mut faults);
        for (index, name) in asked.env.iter().enumerate() {
            if policy.grants.env.contains(name) {
                granted.env.extend(env.get(name).map(|value| (name.clone(), value.clone())));
            } else {
                let path = format!("permissions.env[{index}]");
                faults.push(missing(
                    path,
                    &format!("env `{name}`"),
                    "no such variable",
                    "grants.env",
                    policy,
                ));
            }
        }
        match (asked.clock, policy.grants.clock) {
            (Some(Clock::Fine), Clock::Coarse) => faults.push(missing(
                "permissions.clock".into(),
                "a fine clock",
                "only a coarse one",
                "grants.clock",
                policy,
            )),
            (asked, _) => granted.clock = asked.unwrap_or_default(),
        }
        match (asked.random, policy.grants.random) {
            (Some(Random::Real), Random::Seeded) => faults.push(missing(
                "permissions.random".into(),
                "real random numbers",
                "only seeded ones",
                "grants.random",
                policy,
            )),
            (Some(Random::Seeded), _) => granted.random_seed = Some(policy.grants.random_seed),
            _ => {}
        }
        if let Some(host) = asked.net_http.first() {
            let fault = ManifestError::new(
                "permissions[\"net.http\"]",
                format!(
                    "the manifest asks for net.http `{host}`, which is not supported: no component reaches a network"
                ),
            );
            faults
                .push(fault.suggest("remove it; a native or Python node can fetch what the component needs"));
        }
        if faults.is_empty() { Ok(granted) } else { Err(faults) }
    }

    fn take_dirs(
        &mut self,
        node: &NodeManifest,
        asked: &Permissions,
        policy: &SandboxPolicy,
        cache_dir: Option<&Path>,
        faults: &mut Vec<ManifestError>,
    ) {
        if asked.fs_read.is_empty() && asked.fs_write.is_empty() {
            return;
        }
        let roots = Roots::new(&policy.grants);
        let cache_dir = cache_dir.map(|dir| dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
        for (key, asked, to_write) in
            [("fs.write", &asked.fs_write, true), ("fs.read", &asked.fs_read, false)]
        {
            for (index, guest) in asked.iter().enumerate() {
                let path = || format!("permissions[\"{key}\"][{index}]");
                match locate(node, guest, &roots, to_write) {
                    Err(reason) => {
                        let what = format!("the manifest asks for {key} `{guest}`, {reason}");
                        faults.push(ManifestError::new(path(), what));
                    }
                    Ok(Some(location)) if cache_dir.as_ref().is_some_and(|dir| location.overlaps(dir)) => {
                        let what = format!(
                            "the manifest asks for {key} `{guest}`, where this host keeps its compiled code: who reaches \
                             that has left the sandbox"
                        );
                        let fault = ManifestError::new(path(), what);
                        let suggestion = "name a directory that neither holds it nor lies in it, or move the cache with \
                                          REMOTEMEDIA_CACHE_DIR";
                        faults.push(fault.suggest(suggestion));
                    }
                    Ok(Some(location)) => {
                        if self.dirs.iter().all(|dir| dir.guest != *guest) {
                            self.dirs.push(GrantedDir { location, guest: guest.clone(), writable: to_write });
                        }
                    }
                    Ok(None) => {
                        let grants = format!("grants.\"{key}\"");
                        let what = format!("{key} `{guest}`");
                        faults.push(missing(path(), &what, "no such directory", &grants, policy));
                    }
                }
            }
        }
    }
}

/// The manifest asks and the policy does not grant.
fn missing(path: String, what: &str, instead: &str, key: &str, policy: &SandboxPolicy) -> ManifestError {
    let place = policy.place();
    ManifestError::new(
        path,
        format!("the manifest asks for {what}, and the operator's policy grants {instead}"),
    )
    .suggest(format!("the operator can change `{key}` in {place}"))
}

/// The directory that the manifest means, if it lies in a granted one.
fn locate(
    node: &NodeManifest,
    asked: &str,
    roots: &Roots,
    to_write: bool,
) -> Result<Option<Location>, String> {
    if asked.is_empty() || asked.contains('\0') {
        return Err("which is no directory: name one".into());
    }
    if Path::new(asked).components().any(|part| part == Component::ParentDir) {
        return Err("whose `..` is not allowed: write the directory without it".into());
    }
    roots.locate(&node.base_dir.join(asked), to_write)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(base_dir: &Path, permissions: Permissions) -> NodeManifest {
        let mut node = NodeManifest::new("n", "t");
        node.base_dir = base_dir.into();
        node.permissions = Some(permissions);
        node
    }

    fn faults(node: &NodeManifest, policy: &SandboxPolicy) -> Vec<String> {
        let faults = Granted::new(node, policy, &BTreeMap::new(), None).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    fn reading(dir: &str) -> Permissions {
        Permissions { fs_read: vec![dir.into()], ..Permissions::default() }
    }

    #[test]
    fn nothing_asked_is_nothing_granted_whatever_the_policy_allows() {
        let mut policy = SandboxPolicy::default();
        policy.grants.fs_read = vec!["/".into()];
        policy.grants.env = vec!["HOME".into()];
        policy.grants.clock = Clock::Fine;
        let env = BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]);
        let granted = Granted::new(&NodeManifest::new("n", "t"), &policy, &env, None).unwrap();
        assert_eq!(granted, Granted::default());
    }

    #[test]
    fn each_missing_grant_is_named_with_its_path_and_the_policy_s_key() {
        let mut policy = SandboxPolicy { source: Some("/etc/rm.toml".into()), ..SandboxPolicy::default() };
        policy.grants.random = Random::Seeded;
        let here = tempfile::tempdir().unwrap();
        let node = asking(
            here.path(),
            Permissions {
                fs_read: vec![".".into()],
                fs_write: vec![".".into()],
                env: vec!["TOKEN".into()],
                clock: Some(Clock::Fine),
                random: Some(Random::Real),
                net_http: vec!["example.org".into()],
            },
        );
        let faults = faults(&node, &policy);
        assert_eq!(
            faults[0],
            "permissions[\"fs.write\"][0]: the manifest asks for fs.write `.`, and the operator's policy grants no \
             such directory (the operator can change `grants.\"fs.write\"` in `/etc/rm.toml`)"
        );
        for (fault, words) in faults.iter().zip([
            ["fs.write", "grants.\"fs.write\""],
            ["fs.read", "grants.\"fs.read\""],
            ["permissions.env[0]", "`grants.env`"],
            ["permissions.clock", "`grants.clock`"],
            ["permissions.random", "`grants.random`"],
            ["net.http", "not supported"],
        ]) {
            assert!(words.iter().all(|word| fault.contains(word)), "{fault}");
        }
        assert_eq!(faults.len(), 6);
    }

    #[test]
    fn a_directory_must_really_lie_in_a_granted_one() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(inside.path().join("deep")).unwrap();
        std::fs::write(inside.path().join("file"), "x").unwrap();
        let mut policy = SandboxPolicy::default();
        policy.grants.fs_read = vec![inside.path().into(), "relative".into(), "/not/there".into()];
        let granted =
            Granted::new(&asking(inside.path(), reading("deep")), &policy, &BTreeMap::new(), None).unwrap();
        let host = inside.path().join("deep").canonicalize().unwrap();
        assert_eq!((&*granted.dirs[0].guest, granted.dirs[0].writable), ("deep", false));
        assert_eq!(granted.dirs[0].location.to_string(), host.display().to_string());
        for (asked, word) in [
            (outside.path().to_str().unwrap(), "no such directory"),
            ("deep/..", "`..` is not allowed"),
            ("../", "`..` is not allowed"),
            ("", "no directory"),
            ("absent", "cannot open"),
            ("file", "not a directory"),
            ("/", "no such directory"),
        ] {
            let faults = faults(&asking(inside.path(), reading(asked)), &policy);
            assert!(faults[0].contains(word), "{asked}: {faults:?}");
        }
        let writing = Permissions { fs_write: vec!["deep".into()], ..Permissions::default() };
        let faults = faults(&asking(inside.path(), writing), &policy);
        assert!(faults[0].contains("grants.\"fs.write\""), "reading is not writing: {faults:?}");
    }

    #[test]
    fn the_host_s_compiled_code_is_out_of_reach_whatever_is_granted() {
        let here = tempfile::tempdir().unwrap();
        for dir in ["cache/wasm", "data"] {
            std::fs::create_dir_all(here.path().join(dir)).unwrap();
        }
        let cache_dir = here.path().join("cache");
        let mut policy = SandboxPolicy::default();
        policy.grants.fs_write = vec![here.path().into()];
        for (asked, is_refused) in [("", true), ("cache", true), ("cache/wasm", true), ("data", false)] {
            let dir = here.path().join(asked);
            let node = asking(here.path(), reading(dir.to_str().unwrap()));
            let granted = Granted::new(&node, &policy, &BTreeMap::new(), Some(&cache_dir));
            assert_eq!(granted.is_err(), is_refused, "{asked}: {granted:?}");
            let told = granted.err().is_none_or(|faults| faults[0].to_string().contains("its compiled code"));
            assert!(told, "{asked}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_out_of_a_granted_directory_is_seen_through() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).unwrap();
        let mut policy = SandboxPolicy::default();
        policy.grants.fs_read = vec![inside.path().into()];
        let faults = faults(&asking(inside.path(), reading("link")), &policy);
        assert!(faults[0].contains("no such directory"), "{faults:?}");
        policy.grants.fs_read.push(outside.path().into());
        assert!(
            Granted::new(&asking(inside.path(), reading("link")), &policy, &BTreeMap::new(), None).is_ok()
        );
    }
}
