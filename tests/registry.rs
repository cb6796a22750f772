//! Packing, pushing and pulling nodes through the real binary, against a real registry on loopback.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::binary::{Done, command, names, repository};

/// Debian's docker-registry, on a port that the system chose, with a folder of its own.
struct Server {
    process: Child,
    address: String,
    folder: TempDir,
}

/// Who may enter a registry with a lock: `ann`, with the password `open sesame` (bcrypt).
const USERS: &str = "ann:$2b$04$O21cr8kBl2OCSYMqoHdg1epiIZbn/0KPvZ6r80qGQhrWB8ZB8m9Te\n";

impl Server {
    fn start(locked: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let users = folder.path().join("users");
        std::fs::write(&users, USERS).unwrap();
        let mut config = json!({
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": data}, "delete": {"enabled": true}},
            "http": {"addr": "127.0.0.1:0", "secret": "only for this test"},
        });
        if locked {
            config["auth"] = json!({"htpasswd": {"realm": "nodes", "path": users}});
        }
        // JSON is YAML.
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut process = Command::new("docker-registry")
            .args(["serve", file.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is missing: `make test` installs it (Debian's docker-registry)");
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("listening on ")?;
                Some(rest.split('"').next().unwrap().to_owned())
            })
            .expect("docker-registry ended before it listened");
        // A full pipe would hold the server up.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, address, folder }
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The binary in `folder`, where no login of the user's counts.
fn remotemedia_in(folder: &Path, env: &[(&str, &str)], args: &[&str]) -> Done {
    let mut command = command(args);
    command
        .current_dir(folder)
        .env("DOCKER_CONFIG", folder)
        .env_remove("REMOTEMEDIA_REGISTRY_USER")
        .env_remove("REMOTEMEDIA_REGISTRY_PASSWORD")
        .envs(env.iter().copied());
    command.output().unwrap().into()
}

fn gain() -> std::path::PathBuf {
    repository().join("target/guests/gain.wasm")
}

fn sha256(path: &Path) -> String {
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder with a packed gain node in it.
fn packed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("README.md"), "# gain\n").unwrap();
    let args = ["node", "pack", gain().to_str().unwrap(), "-o", "gain.oci.tar", "--readme", "README.md"]
        .map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = remotemedia_in(folder.path(), &[], &args);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("without a licence"), "{}", done.stdout);
    folder
}

#[test]
fn a_node_goes_through_a_registry_and_comes_back_the_same_by_tag_and_by_digest() {
    let server = Server::start(false);
    let folder = packed();
    let reference = format!("{}/nodes/gain:0.1.0", server.address);
    let push = remotemedia_in(folder.path(), &[], &["node", "push", &reference, "gain.oci.tar", "--json"]);
    assert_eq!(push.code, 0, "{}", push.stderr);
    let pinned = push.json()["pinned"].as_str().unwrap().to_owned();
    assert!(pinned.starts_with(&format!("{}/nodes/gain@sha256:", server.address)), "{pinned}");
    for (source, name) in
        [(reference.as_str(), "tag.wasm"), (&pinned, "digest.wasm"), ("gain.oci.tar", "file.wasm")]
    {
        let pull = remotemedia_in(folder.path(), &[], &["node", "pull", source, "-o", name, "--json"]);
        assert_eq!(pull.code, 0, "{}", pull.stderr);
        assert_eq!(pull.json()["sha256"], Value::from(sha256(&gain())));
        assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), std::fs::read(gain()).unwrap());
    }
    let again = remotemedia_in(folder.path(), &[], &["node", "push", &reference, "gain.oci.tar", "--json"]);
    assert_eq!(again.json()["pinned"], Value::from(pinned), "the same node has the same digest");
    let pull = remotemedia_in(folder.path(), &[], &["node", "pull", &reference]);
    assert!(pull.stdout.starts_with("gain.wasm: `gain` 0.1.0"), "{}", pull.stdout);
}

#[test]
fn what_is_not_there_is_told_and_no_file_is_left() {
    let server = Server::start(false);
    let folder = tempfile::tempdir().unwrap();
    for (reference, part) in [
        (format!("{}/nodes/nonesuch:1", server.address), "has no"),
        ("127.0.0.1:1/gain:1".to_owned(), "Connection refused"),
        ("gain:1".to_owned(), "it names no registry"),
        ("Nonsense!!".to_owned(), "names no package"),
        ("nonesuch.oci.tar".to_owned(), "cannot read"),
    ] {
        let done = remotemedia_in(folder.path(), &[], &["node", "pull", &reference]);
        assert!(done.code != 0 && done.stderr.contains(part), "{reference}: {}", done.stderr);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    }
    assert_eq!(names(folder.path()), [""; 0]);
    let gain = gain();
    let push =
        remotemedia_in(folder.path(), &[], &["node", "push", "127.0.0.1:1/a:1", gain.to_str().unwrap()]);
    assert!(push.code == 2 && push.stderr.contains("`remotemedia node pack "), "{}", push.stderr);
}

#[test]
fn a_locked_registry_opens_only_with_the_password_and_the_password_is_never_printed() {
    let server = Server::start(true);
    let folder = packed();
    let reference = format!("{}/gain:1", server.address);
    let push = ["node", "push", &reference, "gain.oci.tar"];
    let as_ann =
        |password| [("REMOTEMEDIA_REGISTRY_USER", "ann"), ("REMOTEMEDIA_REGISTRY_PASSWORD", password)];
    for env in [&[][..], &as_ann("guess")[..]] {
        let done = remotemedia_in(folder.path(), env, &push);
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert!(done.stderr.contains("docker login") && !done.stderr.contains("guess"), "{}", done.stderr);
    }
    let done = remotemedia_in(folder.path(), &as_ann("open sesame"), &push);
    assert_eq!(done.code, 0, "{}", done.stderr);
    // What `docker login` writes: base64 of `ann:open sesame`.
    let login = json!({"auths": {&server.address: {"auth": "YW5uOm9wZW4gc2VzYW1l"}}});
    std::fs::write(folder.path().join("config.json"), login.to_string()).unwrap();
    let done = remotemedia_in(folder.path(), &[], &["node", "pull", &reference, "-o", "back.wasm"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(sha256(&folder.path().join("back.wasm")), sha256(&gain()));
    let half = remotemedia_in(folder.path(), &[("REMOTEMEDIA_REGISTRY_USER", "ann")], &push);
    assert_eq!(half.code, 2, "{}", half.stderr);
}

#[test]
fn a_registry_that_serves_other_bytes_is_caught() {
    let server = Server::start(false);
    let folder = packed();
    let reference = format!("{}/gain:1", server.address);
    let push = remotemedia_in(folder.path(), &[], &["node", "push", &reference, "gain.oci.tar"]);
    assert_eq!(push.code, 0, "{}", push.stderr);
    let hex = sha256(&gain());
    let blob = server.data().join(format!("data/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let done = remotemedia_in(folder.path(), &[], &["node", "pull", &reference, "-o", "back.wasm"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.to_lowercase().contains("digest"), "{}", done.stderr);
    assert!(!folder.path().join("back.wasm").exists());
}

#[test]
fn what_no_host_would_run_is_neither_packed_nor_pulled() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let done = remotemedia_in(folder.path(), &[], &["node", "pack", "no.wasm"]);
    assert!(done.code != 0 && done.stderr.contains("core WebAssembly module"), "{}", done.stderr);
    assert_eq!(names(folder.path()), ["no.wasm"]);
}
