//! The operator's policy through the real binary: shown, checked, and told to the author of a manifest who asks for
//! more. And the page about it names every key, as it is.

use std::fs;
use std::path::Path;

use remotemedia_core::policy::keys;
use remotemedia_core::{Manifest, ManifestFormat, NodeManifest, SandboxPolicy};
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

use crate::binary::{Done, command, remotemedia, repository};

fn written(folder: &Path, text: &str) -> String {
    let file = folder.join("remotemedia.toml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// A manifest of one `gain` with these fields.
fn manifest(folder: &Path, fields: Value) -> String {
    let mut node = json!({
        "id": "gain",
        "node_type": "gain",
        "component": repository().join("target/guests/gain.wasm"),
    });
    node.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let text = json!({"version": "v1", "metadata": {"name": "t"}, "nodes": [node], "connections": []});
    let file = folder.join("pipeline.json");
    fs::write(&file, text.to_string()).unwrap();
    file.display().to_string()
}

/// The faults of a manifest, each with its path.
fn faults(done: &Done) -> Vec<(String, String)> {
    assert_eq!(done.code, 2, "{}", done.stdout);
    let error: Value = serde_json::from_str(&done.stderr).unwrap();
    let text = |fault: &Value, field: &str| fault[field].as_str().unwrap_or_default().to_owned();
    error["error"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (text(fault, "path"), text(fault, "message") + " " + &text(fault, "suggestion")))
        .collect()
}

#[test]
fn show_prints_what_holds_and_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let shown = remotemedia(&["policy", "show", "--json"]).json();
    assert_eq!(shown["source"], Value::Null);
    assert_eq!(shown["policy"]["limits"]["memory_mb"], 64);
    assert_eq!(shown["policy"]["grants"]["fs.read"], json!([]));
    let file = written(folder.path(), "[limits]\nmemory_mb = 32\n[grants]\n\"fs.read\" = [\"data\"]\n");
    let shown = remotemedia(&["policy", "show", "--json", "--policy", &file]).json();
    assert_eq!(shown["source"], file.as_str());
    assert_eq!(shown["policy"]["limits"]["memory_mb"], 32);
    assert_eq!(shown["policy"]["limits"]["memories"], 8);
    assert_eq!(shown["policy"]["grants"]["fs.read"][0], folder.path().join("data").display().to_string());
    let by_variable =
        command(&["policy", "show", "--json"]).env("REMOTEMEDIA_POLICY", &file).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&by_variable.stdout).unwrap(), shown);
}

#[test]
fn what_show_prints_is_a_policy_file_that_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let shown = remotemedia(&["policy", "show"]).stdout;
    assert!(shown.contains("All linear memories of a node together, in MiB. (1 to 4096)"), "{shown}");
    let file = written(folder.path(), &shown);
    assert_eq!(remotemedia(&["policy", "check", &file]).stdout, format!("{file}: ok\n"));
    let again = remotemedia(&["policy", "show", "--json", "--policy", &file]).json();
    assert_eq!(again["policy"], remotemedia(&["policy", "show", "--json"]).json()["policy"]);
}

#[test]
fn a_policy_in_the_current_folder_does_not_count_by_lying_there() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), "[limits]\nmemory_mb = 32\n");
    let output = command(&["policy", "show", "--json"]).current_dir(folder.path()).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["source"], &shown["policy"]["limits"]["memory_mb"]), (&Value::Null, &json!(64)));
}

#[test]
fn a_wrong_policy_runs_nothing_and_names_line_key_and_range() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "[limits]\nmemory_mb = 0\n\n[tenant]\nmemry_mb = 1\n");
    let manifest = manifest(folder.path(), json!({}));
    for args in [
        vec!["policy", "check", file.as_str()],
        vec!["policy", "show", "--policy", &file],
        vec!["validate", &manifest, "--policy", &file],
        vec!["run", &manifest, "--policy", &file],
    ] {
        let done = remotemedia(&args);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{args:?}");
        for words in [
            "line 2: limits.memory_mb: 0 is too small",
            "may be 1 to 4096",
            "line 5",
            "did you mean `memory_mb`",
        ] {
            assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
        }
    }
    let done = remotemedia(&["policy", "show", "--policy", "/not/there.toml"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("cannot read the policy `/not/there.toml`"), "{}", done.stderr);
}

#[test]
fn asking_beyond_the_maximum_is_a_fault_of_the_manifest_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "[maximum]\nmemory_mb = 100\n");
    let asking = manifest(
        folder.path(),
        json!({"limits": {"memory_mb": 101, "call_timeout_ms": 5_001}, "timeout_ms": 5_001}),
    );
    for verb in ["validate", "plan", "run"] {
        let found = faults(&remotemedia(&[verb, &asking, "--json", "--policy", &file]));
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            ["$.nodes[0].limits.memory_mb", "$.nodes[0].limits.call_timeout_ms", "$.nodes[0].timeout_ms"],
            "{verb}"
        );
        assert!(
            found[0].1.contains("at most 100") && found[0].1.contains("`maximum.memory_mb`"),
            "{}",
            found[0].1
        );
        assert!(found[0].1.contains(&file), "{}", found[0].1);
    }
    let fitting = manifest(folder.path(), json!({"limits": {"memory_mb": 100}}));
    assert_eq!(remotemedia(&["validate", &fitting, "--policy", &file]).code, 0);
}

#[test]
fn a_permission_needs_both_keys_and_the_fault_names_the_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let asking = manifest(
        folder.path(),
        json!({"permissions": {"fs.read": ["data"], "env": ["LANG"], "net.http": ["example.org"]}}),
    );
    let found = faults(&remotemedia(&["validate", &asking, "--json"]));
    let expected = [
        ("$.nodes[0].permissions[\"fs.read\"][0]", "`grants.\"fs.read\"` in a policy file"),
        ("$.nodes[0].permissions.env[0]", "`grants.env`"),
        ("$.nodes[0].permissions[\"net.http\"]", "not supported"),
    ];
    for ((path, text), (at, words)) in found.iter().zip(expected) {
        assert!(path == at && text.contains(words), "{path}: {text}");
    }
    assert_eq!(found.len(), 3);
    let granting = written(folder.path(), "[grants]\n\"fs.read\" = [\"data\"]\nenv = [\"LANG\"]\n");
    let asking = manifest(
        folder.path(),
        json!({"permissions": {"fs.read": ["data"], "env": ["LANG"], "clock": "coarse"}}),
    );
    let done = remotemedia(&["validate", &asking, "--policy", &granting]);
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn a_host_acts_for_a_tenant_with_limits_of_its_own() {
    let mut policy = SandboxPolicy::default();
    policy.tenant.running_nodes = 1;
    policy.limits.running_nodes = 4;
    let host = Host::new(Config { policy: policy.into(), ..Config::default() });
    let text = fs::read(manifest(tempfile::tempdir().unwrap().path(), json!({}))).unwrap();
    let manifest = Manifest::parse(&text, ManifestFormat::Json).unwrap();
    let (first, second) = (host.for_tenant("first"), host.for_tenant("second"));
    let start = |host: &Host| host.start(&host.plan(&manifest).unwrap(), Default::default());
    let running = start(&first).unwrap();
    let error = start(&first).err().unwrap();
    assert!(error.message.contains("the tenant `first` runs at most 1"), "{error}");
    start(&second).unwrap();
    drop(running);
    start(&first).unwrap();
}

#[test]
fn a_native_node_asks_the_policy_for_nothing() {
    let mut node = NodeManifest::new("pass", "PassThrough");
    node.timeout_ms = Some(u64::MAX);
    let text = json!({"version": "v1", "metadata": {"name": "t"}, "nodes": [node], "connections": []});
    let manifest = Manifest::parse(text.to_string().as_bytes(), ManifestFormat::Json).unwrap();
    assert!(Host::new(Config::default()).plan(&manifest).is_ok());
}

#[test]
fn the_page_about_the_policy_names_every_key_with_its_default_and_range() {
    let page = fs::read_to_string(repository().join("docs/policy.md")).unwrap();
    for key in keys() {
        let (section, name) = key.path.split_once('.').unwrap();
        let section = page.split(&format!("\n## {section}\n")).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        let row = section.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/policy.md does not name {}", key.path));
        let default = if key.default.is_null() { "not set".into() } else { format!("`{}`", key.default) };
        assert!(row.contains(&format!("| {default} |")), "the default of {} is {default}: {row}", key.path);
        if let Some((least, most)) = key.range {
            assert!(row.contains(&format!("| {least} to {most} |")), "{}: {row}", key.path);
        }
        assert!(row.contains(&key.meaning), "{}: {row}\n{}", key.path, key.meaning);
        let checklist = page.split("## The checklist").nth(1).unwrap();
        assert!(checklist.contains(&format!("`{}`", key.path)), "the checklist lacks {}", key.path);
    }
}
