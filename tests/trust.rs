//! Which components may run, through the real binary: pins, the lock file and signatures, and a cache that somebody
//! touched. Each refusal has its own words and says what to do; nothing of a refused component is compiled or run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use remotemedia_core::SandboxPolicy;
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

use crate::binary::{Done, command, names, path, repository, write_wav};

/// A folder with `gain.wasm`, `pipeline.json`, `speech.wav` and a cache of its own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let guest = repository().join("target/guests/gain.wasm");
        assert!(
            guest.is_file(),
            "{} is not there: run `make build`, which builds the guests",
            guest.display()
        );
        fs::copy(guest, folder.path("gain.wasm")).unwrap();
        write_wav(&folder.path("speech.wav"), 16_000, 1, (0..1_600).map(|_| 0.25));
        folder.name_component(json!("gain.wasm"));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name_component(&self, component: Value) {
        let manifest = json!({
            "version": "v1", "metadata": {"name": "trusted"}, "connections": [],
            "nodes": [{"id": "g", "node_type": "gain", "component": component, "params": {"gain_db": 6}}]
        });
        fs::write(self.path("pipeline.json"), manifest.to_string()).unwrap();
    }

    fn call(&self, args: &[&str]) -> Done {
        let mut command = command(args);
        command.current_dir(self.0.path()).env("REMOTEMEDIA_CACHE_DIR", self.path("cache"));
        command.output().unwrap().into()
    }

    fn succeeds(&self, args: &[&str]) -> Done {
        let done = self.call(args);
        assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
        done
    }

    /// The message of a refusal that must hold all of `parts`. Nothing was compiled for it.
    fn refuses(&self, args: &[&str], parts: &[&str]) -> String {
        let before = self.compiled();
        let done = self.call(args);
        assert!(done.code == 1 || done.code == 2, "{args:?} ended with {}: {}", done.code, done.stdout);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        for part in parts {
            assert!(done.stderr.contains(part), "`{part}` is not in: {}", done.stderr);
        }
        assert_eq!(self.compiled(), before, "it was compiled all the same");
        done.stderr
    }

    fn compiled(&self) -> Vec<PathBuf> {
        let entries =
            fs::read_dir(self.path("cache")).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
    }

    /// The SHA-256 of a file, by the system's own tool.
    fn sha256sum(&self, name: &str) -> String {
        let output = Command::new("sha256sum").arg(self.path(name)).output().expect("sha256sum (coreutils)");
        String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
    }

    /// Changes what the component holds, without making it unsound: another custom section at its end.
    fn alter(&self, name: &str) {
        let mut component = fs::read(self.path(name)).unwrap();
        component.extend([0, 4, 1, b'x', 1, 2]);
        fs::write(self.path(name), component).unwrap();
    }

    /// What a host says that trusts only components that `key` signed: the faults of the plan, nothing when it plans.
    fn plan_trusting(&self, key: &str) -> String {
        let mut policy = SandboxPolicy::default();
        policy.trust.require_signature = true;
        policy.trust.trusted_keys = vec![key.into()];
        let host = Host::new(Config {
            policy: Arc::new(policy),
            cache_dir: Some(self.path("cache")),
            ..Config::default()
        });
        let manifest = host.load_manifest(&self.path("pipeline.json")).unwrap();
        host.plan(&manifest).err().map_or_else(String::new, |errors| errors.to_string())
    }

    fn refuses_trusting(&self, key: &str, parts: &[&str]) {
        let before = self.compiled();
        let message = self.plan_trusting(key);
        assert!(!message.is_empty(), "it plans");
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert_eq!(self.compiled(), before, "it was compiled all the same");
    }

    fn keygen(&self, name: &str) -> String {
        let done = self.succeeds(&["node", "keygen", name, "--json"]);
        done.json()["key"].as_str().unwrap().to_owned()
    }
}

const PLAN: [&str; 2] = ["plan", "pipeline.json"];

#[test]
fn a_pinned_component_runs_as_long_as_it_is_the_file_that_was_meant() {
    let folder = Folder::new();
    let wanted = folder.sha256sum("gain.wasm");
    folder.name_component(json!({"path": "gain.wasm", "sha256": wanted}));
    let done = folder.succeeds(&["run", "pipeline.json", "-i", "speech.wav", "--json"]);
    assert_eq!(done.json()["outputs"]["g"][0]["frames"], 1_600);
    folder.alter("gain.wasm");
    let found = folder.sha256sum("gain.wasm");
    for verb in ["run", "plan", "validate"] {
        folder.refuses(&[verb, "pipeline.json"], &["gain.wasm", &wanted, &found, "`component.sha256`"]);
    }
}

#[test]
fn a_lock_holds_every_component_of_a_folder_and_names_the_command_that_renews_it() {
    let folder = Folder::new();
    folder.refuses(&["plan", "pipeline.json", "--locked"], &["gain.wasm", "`remotemedia lock PIPELINE`"]);
    let done = folder.succeeds(&["lock", "pipeline.json", "--json"]).json();
    let locked = &done["components"][0];
    assert_eq!(locked["sha256"], json!(folder.sha256sum("gain.wasm")));
    assert_eq!((&locked["path"], &locked["node_type"]), (&json!("gain.wasm"), &json!("gain")));
    assert_eq!((&locked["version"], &locked["wit"]), (&json!("0.1.0"), &json!("0.1.0")));
    let written = fs::read(folder.path("remotemedia.lock")).unwrap();
    folder.succeeds(&["lock", "pipeline.json"]);
    assert_eq!(fs::read(folder.path("remotemedia.lock")).unwrap(), written, "it is the same every time");
    folder.succeeds(&["plan", "pipeline.json", "--locked"]);
    folder.alter("gain.wasm");
    for args in [&PLAN[..], &["validate", "pipeline.json"], &["run", "pipeline.json", "-i", "speech.wav"]] {
        folder.refuses(args, &["remotemedia.lock", "gain.wasm", "`remotemedia lock PIPELINE`"]);
    }
    folder.succeeds(&["lock", "pipeline.json"]);
    folder.succeeds(&PLAN);
}

#[test]
fn a_lock_file_that_lacks_contradicts_or_cannot_be_read_is_told() {
    let folder = Folder::new();
    folder.succeeds(&["lock", "pipeline.json"]);
    fs::copy(folder.path("gain.wasm"), folder.path("other.wasm")).unwrap();
    folder.name_component(json!("other.wasm"));
    let remedy = "remotemedia lock pipeline.json";
    folder.refuses(&PLAN, &["$.nodes[0].component", "other.wasm", "is not in remotemedia.lock", remedy]);
    folder.succeeds(&["lock", "pipeline.json"]);
    let both = fs::read_to_string(folder.path("remotemedia.lock")).unwrap();
    assert!(both.contains("gain.wasm") && both.contains("other.wasm"), "another manifest's stays: {both}");
    folder.name_component(json!({"path": "gain.wasm", "sha256": "0".repeat(64)}));
    folder.refuses(&PLAN, &["$.nodes[0].component.sha256", &"0".repeat(64), &folder.sha256sum("gain.wasm")]);
    for damaged in ["version = 2\n", "version = \"1\"\n", "[[component", "version = 1\nkomponent = []\n"] {
        fs::write(folder.path("remotemedia.lock"), damaged).unwrap();
        folder.refuses(&PLAN, &["remotemedia.lock", "cannot be used", remedy]);
    }
}

#[test]
fn only_components_that_a_trusted_key_signed_run_under_a_policy_that_wants_it() {
    let folder = Folder::new();
    let author = folder.keygen("author.key");
    let stranger = folder.keygen("stranger.key");
    folder.refuses_trusting(&author, &["gain.wasm is not signed", "remotemedia node sign"]);
    folder.succeeds(&["node", "sign", "gain.wasm", "--key", "stranger.key"]);
    folder.refuses_trusting(&author, &["a key that is not trusted", &stranger, "`trust.trusted_keys`"]);
    folder.succeeds(&["node", "sign", "gain.wasm", "--key", "author.key"]);
    let done = folder.succeeds(&["node", "verify", "gain.wasm", "--key", "author.pub", "--json"]);
    assert_eq!(done.json()["key"], json!(author));
    assert_eq!(folder.plan_trusting(&author), "");
    let signed = fs::read(folder.path("gain.wasm")).unwrap();
    let mut altered = signed.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(folder.path("gain.wasm"), altered).unwrap();
    folder.refuses_trusting(&author, &["was altered after", &author, "do not run this one"]);
    fs::write(folder.path("gain.wasm"), &signed).unwrap();
    folder.alter("gain.wasm");
    folder.refuses_trusting(&author, &["signature that cannot be read", "something follows"]);
}

#[test]
fn a_detached_signature_counts_like_one_inside_and_leaves_the_component_alone() {
    let folder = Folder::new();
    let author = folder.keygen("author.key");
    let before = folder.sha256sum("gain.wasm");
    folder.succeeds(&["node", "sign", "gain.wasm", "--key", "author.key", "--detached"]);
    assert_eq!(folder.sha256sum("gain.wasm"), before);
    assert_eq!(folder.plan_trusting(&author), "");
    fs::write(folder.path("gain.wasm.sig"), "no signature").unwrap();
    folder.refuses_trusting(&author, &["signature that cannot be read", "remotemedia-signature v1"]);
    fs::remove_file(folder.path("gain.wasm.sig")).unwrap();
    folder.refuses_trusting(&author, &["is not signed"]);
}

#[test]
fn inspect_tells_who_signed_and_whether_they_are_trusted() {
    let folder = Folder::new();
    let signatures = |more: &[&str]| {
        let args = [&["node", "inspect", "gain.wasm", "--json"], more].concat();
        folder.succeeds(&args).json()["signatures"].take()
    };
    let shown = |more: &[&str]| {
        let text = folder.succeeds(&[&["node", "inspect", "gain.wasm"], more].concat()).stdout;
        text.lines().filter(|line| line.starts_with("signature")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(signatures(&[]), json!({"verdict": "unsigned", "keys": [], "unreadable": null}));
    assert!(shown(&[]).ends_with("unsigned"), "{}", shown(&[]));
    let (author, stranger) = (folder.keygen("author.key"), folder.keygen("stranger.key"));
    folder.succeeds(&["node", "sign", "gain.wasm", "--key", "stranger.key"]);
    let found = signatures(&["--key", "author.pub"]);
    let of_stranger = json!({"key": stranger, "trusted": false, "signed_this": true});
    assert_eq!((&found["verdict"], &found["keys"]), (&json!("untrusted"), &json!([of_stranger])));
    // In the component and beside it: one key all the same.
    folder.succeeds(&["node", "sign", "gain.wasm", "--key", "author.key"]);
    folder.succeeds(&["node", "sign", "gain.wasm", "--key", "author.key", "--detached"]);
    let of_author = json!({"key": author, "trusted": true, "signed_this": true});
    let policy = format!("[trust]\ntrusted_keys = [\"{author}\"]\n");
    fs::write(folder.path("policy.toml"), policy).unwrap();
    for by in [["--key", "author.pub"], ["--key", &author], ["--policy", "policy.toml"]] {
        let found = signatures(&by);
        assert_eq!(
            (&found["verdict"], &found["keys"]),
            (&json!("verified"), &json!([of_stranger, of_author]))
        );
        let lines = shown(&by);
        assert!(lines.contains(&format!("{author}: fits, and the key is trusted")), "{lines}");
        assert!(lines.contains(&format!("{stranger}: fits, but the key is not trusted")), "{lines}");
    }
    assert!(shown(&[]).contains("give --key"), "{}", shown(&[]));
    // A custom section before all others: still a sound component, but not the one that was signed.
    let mut altered = fs::read(folder.path("gain.wasm")).unwrap();
    altered.splice(8..8, [0, 4, 1, b'x', 1, 2]);
    fs::write(folder.path("gain.wasm"), altered).unwrap();
    assert_eq!(signatures(&["--key", "author.pub"])["verdict"], "altered");
    assert!(shown(&["--key", "author.pub"]).contains(&format!("{author}: DOES NOT FIT")));
    fs::write(folder.path("gain.wasm.sig"), "no signature").unwrap();
    let found = signatures(&["--key", "author.pub"]);
    assert_eq!((&found["verdict"], &found["keys"]), (&json!("unreadable"), &json!([])));
    assert!(found["unreadable"].as_str().unwrap().contains("cannot be read"), "{found}");
    folder.refuses(&["node", "inspect", "gain.wasm", "--key", "none.pub"], &["none.pub"]);
}

#[test]
fn a_private_key_is_private_never_shown_and_never_overwritten() {
    let folder = Folder::new();
    let done = folder.succeeds(&["node", "keygen", "author.key"]);
    let text = fs::read_to_string(folder.path("author.key")).unwrap();
    let secret = text.lines().nth(1).unwrap();
    assert_eq!(secret.len(), 44);
    assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret));
    folder.refuses(&["node", "keygen", "author.key"], &["author.pub", "no key is ever overwritten"]);
    folder.refuses(&["node", "sign", "gain.wasm", "--key", "author.pub"], &["author.pub is a public key"]);
    assert_eq!(fs::read_to_string(folder.path("author.key")).unwrap(), text);
    let mut command = command(&["node", "sign", "gain.wasm", "--key", "author.key"]);
    let done: Done =
        command.current_dir(folder.0.path()).env("REMOTEMEDIA_LOG", "trace").output().unwrap().into();
    assert!(done.code == 0 && !done.stderr.contains(secret) && !done.stdout.contains(secret));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |mode| fs::set_permissions(folder.path("author.key"), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fs::metadata(folder.path("author.key")).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o604);
        folder.refuses(&["node", "sign", "gain.wasm", "--key", "author.key"], &["chmod 600 author.key"]);
    }
    let message = folder.refuses(&["node", "verify", "gain.wasm", "--key", "author.key"], &["no public key"]);
    assert!(!message.contains(secret), "{message}");
}

#[test]
fn a_flipped_byte_of_the_compile_cache_is_refused_compiled_again_and_mended() {
    let folder = Folder::new();
    folder.succeeds(&PLAN);
    let [entry] = &folder.compiled()[..] else { panic!("{:?}", folder.compiled()) };
    let good = fs::read(entry).unwrap();
    let mut code = good.clone();
    let middle = code.len() / 2;
    code[middle] ^= 0x10;
    fs::write(entry, &code).unwrap();
    let done = folder.succeeds(&PLAN);
    assert!(done.stderr.contains("was not written by this host or is damaged"), "{}", done.stderr);
    assert!(fs::read(entry).unwrap() != code, "the damaged entry is still there");
    assert_eq!(folder.succeeds(&PLAN).stderr, "");
    assert!(names(&folder.path("cache")).iter().all(|name| !name.starts_with(".tmp")));
}

/// The fenced shell commands of a document, in order.
fn commands(document: &Path) -> String {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

#[test]
fn every_command_of_the_document_works_as_it_stands() {
    let folder = Folder::new();
    let script = commands(&repository().join("docs/trust.md"));
    assert!(script.contains("remotemedia lock") && script.contains("node sign"), "{script}");
    let binary = path();
    let search = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let done: Done = Command::new("sh")
        .args(["-e", "-c", &script])
        .current_dir(folder.0.path())
        .env("PATH", search)
        .env("REMOTEMEDIA_CACHE_DIR", folder.path("cache"))
        .output()
        .unwrap()
        .into();
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert!(folder.path("louder.wav").is_file() && folder.path("gain.wasm.sig").is_file());
}
