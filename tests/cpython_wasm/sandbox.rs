//! What a sandboxed class cannot see and cannot use up.

use std::sync::Arc;

use remotemedia_core::manifest::Limits;
use remotemedia_core::{ErrorKind, Payload, RuntimeKind};
use remotemedia_host::Host;
use serde_json::json;

use super::{HOST, class, config, create, feed, json_of, sandboxed};

#[test]
fn a_class_sees_its_modules_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [("helper.py", "ANSWER = 42"), (".env", "SECRET=1"), ("notes.txt", "secret")] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    std::fs::create_dir(folder.path().join("pkg")).unwrap();
    std::fs::write(folder.path().join("pkg/__init__.py"), "from helper import ANSWER").unwrap();
    let source = r#"
import os
import pkg

class Looks:
    def process(self, path):
        if path == "pkg":
            return {"read": pkg.ANSWER}
        try:
            if path.endswith("/"):
                return {"listed": sorted(os.listdir(path))}
            if path.startswith(">"):
                with open(path[1:], "w") as file:
                    file.write("x")
                return {"written": path}
            with open(path) as file:
                return {"read": file.read()}
        except OSError as error:
            return {"refused": type(error).__name__}
"#;
    let look = |path: &str| json_of(sandboxed(folder.path(), source, "Looks", path.into()));
    assert_eq!(look("pkg"), json!({"read": 42}));
    assert_eq!(look("/node/"), json!({"listed": ["helper.py", "nodes.py", "pkg"]}));
    assert_eq!(look("/node/helper.py"), json!({"read": "ANSWER = 42"}));
    let real = folder.path().join("notes.txt");
    for path in [
        "/",
        "/etc/passwd",
        "/node/.env",
        "/node/notes.txt",
        "/node/../etc/passwd",
        "/proc/self/environ",
        "/tmp/",
        ">/node/new.py",
        ">/node/helper.py",
        ">/tmp/new",
        "notes.txt",
        real.to_str().unwrap(),
    ] {
        assert!(look(path).get("refused").is_some(), "{path}: {}", look(path));
    }
    assert!(!folder.path().join("new.py").exists());
}

#[test]
fn there_is_no_network_no_environment_and_no_other_process() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
import os
import socket

class Tries:
    def process(self, what):
        if what == "environment":
            return dict(os.environ)
        try:
            if what == "tcp":
                socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            elif what == "udp":
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            elif what == "name":
                socket.getaddrinfo("localhost", 80)
            elif what == "process":
                os.posix_spawn("/bin/true", ["true"], {})
            elif what == "thread":
                import threading
                threading.Thread(target=print).start()
            return {"allowed": what}
        except (OSError, AttributeError, RuntimeError) as error:
            return {"refused": type(error).__name__}
"#;
    let try_it = |what: &str| json_of(sandboxed(folder.path(), source, "Tries", what.into()));
    assert_eq!(try_it("environment"), json!({"REMOTEMEDIA_CLASS": "nodes:Tries"}));
    for what in ["tcp", "udp", "name", "process", "thread"] {
        assert!(try_it(what).get("refused").is_some(), "{what}: {}", try_it(what));
    }
}

#[test]
fn an_endless_loop_and_a_memory_bomb_end_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let source = r#"
class Bad:
    def process(self, what):
        if what == "loop":
            while True:
                pass
        if what == "recursion":
            return self.process(what)
        kept = []
        while True:
            kept.append(bytearray(1 << 20))
"#;
    std::fs::write(folder.path().join("nodes.py"), source).unwrap();
    let mut node = class(folder.path(), "Bad", json!({}));
    for (what, call_timeout_ms, kind, words) in [
        ("loop", 400, ErrorKind::Timeout, "400 ms"),
        ("bomb", 5_000, ErrorKind::LimitExceeded, "64 MiB"),
        ("recursion", 5_000, ErrorKind::Internal, "RecursionError"),
    ] {
        node.limits = Some(Limits { memory_mb: Some(64), call_timeout_ms: Some(call_timeout_ms) });
        let mut bad = create(&HOST, RuntimeKind::CpythonWasm, &node).unwrap();
        bad.initialize().unwrap();
        let error = feed(&mut *bad, 0, 0, what.into()).unwrap_err();
        assert_eq!(error.kind, kind, "{what}: {error}");
        assert!(error.message.contains(words), "{what}: {error}");
        bad.cleanup();
    }
}

#[test]
fn two_nodes_of_one_class_share_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = "seen = []\nclass Seen:\n    def process(self, value):\n        seen.append(value)\n        return seen\n";
    std::fs::write(folder.path().join("nodes.py"), source).unwrap();
    let node = class(folder.path(), "Seen", json!({}));
    let mut nodes: Vec<_> = (0..2).map(|_| create(&HOST, RuntimeKind::CpythonWasm, &node).unwrap()).collect();
    for (number, node) in nodes.iter_mut().enumerate() {
        node.initialize().unwrap();
        assert_eq!(json_of(feed(&mut **node, 0, 0, json!(number).into())), json!([number]));
    }
}

#[test]
fn the_operators_packages_can_be_imported() {
    let (folder, packages) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(packages.path().join("greeting")).unwrap();
    std::fs::write(
        packages.path().join("greeting/__init__.py"),
        "def greet(name): return 'Hello, ' + name\n",
    )
    .unwrap();
    let source = "from greeting import greet\nclass Greets:\n    def process(self, name):\n        return greet(name)\n";
    std::fs::write(folder.path().join("nodes.py"), source).unwrap();
    let mut config = config();
    config.python_packages = vec![packages.path().to_path_buf()];
    let host = Host::new(config);
    let mut node =
        create(&host, RuntimeKind::CpythonWasm, &class(folder.path(), "Greets", json!({}))).unwrap();
    node.initialize().unwrap();
    let given = feed(&mut *node, 0, 0, "Ada".into()).unwrap();
    assert!(
        matches!(&given[0].payload, Payload::Text(text) if *text == Arc::from("Hello, Ada")),
        "{given:?}"
    );
}
