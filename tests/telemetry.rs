//! What can be seen of a running `remotemedia`: log lines, and traces and metrics that arrive at a collector.

mod collector;
mod logs;
mod otlp;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::binary::command;

/// A node that logs in every way Python has, and hands on the trace context that it finds.
const NODES: &str = r#"
import logging, os, subprocess, sys

log = logging.getLogger("talk.inner")

class Talker:
    def initialize(self):
        logging.basicConfig(level=logging.INFO, format="%(message)s is not JSON")

    def process(self, value):
        log.warning("got %s", value)
        log.info("no more")
        log.debug("unheard")
        try:
            return {}["key"]
        except KeyError:
            log.exception("went\nwrong")
        show = "import os; print(os.environ.get('TRACEPARENT', ''))"
        child = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
        return {"own": os.environ.get("TRACEPARENT", ""), "child": child.stdout.strip()}
"#;

/// The call of a pipeline of one native node and one Python node, which gets two texts.
fn run(folder: &Path, more: &[&str]) -> Command {
    fs::write(folder.join("nodes.py"), NODES).unwrap();
    let manifest = json!({
        "version": "v1",
        "metadata": {"name": "talk"},
        "nodes": [{"id": "first", "node_type": "PassThrough"}, {"id": "talker", "node_type": "nodes:Talker"}],
        "connections": [{"from": "first", "to": "talker"}],
    });
    let (file, input) = (folder.join("pipeline.json"), folder.join("in.jsonl"));
    fs::write(&file, manifest.to_string()).unwrap();
    fs::write(&input, "\"one\"\n\"two\"\n").unwrap();
    let (file, input) = (file.display().to_string(), input.display().to_string());
    let mut arguments = vec!["run", &file, "-i", &input, "--json", "--log-format", "json"];
    arguments.extend(more);
    command(&arguments)
}

/// Every line of standard error, which must be JSON each.
fn lines(stderr: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stderr).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}\n{text}")))
        .collect()
}
