//! How a case is run: a pipeline with the attacker in it, and what has to be true of its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use remotemedia_core::manifest::{Connection, Limits, Manifest, Metadata, Version};
use remotemedia_core::policy::SandboxPolicy;
use remotemedia_core::{
    AudioBuffer, ErrorKind, NodeDescriptor, NodeError, NodeManifest, Operation, Packet, Payload,
};
use remotemedia_engine::{Pipeline, PipelineOptions};
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

use super::hand_made::HandMade;
use crate::binary::repository;

/// Longest time of one call of an attacker, in milliseconds, so that endless loops are quick cases.
pub const CALL_TIMEOUT_MS: u64 = 100;

/// No case may take longer, on the busiest machine: what takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);

/// A host as the suite uses it. Compiled code is kept between tests.
pub fn host() -> Host {
    host_with(SandboxPolicy::default())
}

/// The same with grants.
pub fn host_with(mut policy: SandboxPolicy) -> Host {
    // Endless loops at the start are to be quick cases, too.
    policy.limits.start_timeout_ms = 500;
    // On a busy machine a loop may wait for a processor for seconds: processor time is to end it, not the clock.
    policy.limits.wall_timeout_ms = 60_000;
    let cache_dir = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-cache"));
    Host::new(Config { cache_dir, policy: Arc::new(policy), ..Config::default() })
}

/// The component of a guest of this repository.
pub fn guest(name: &str) -> PathBuf {
    let file = repository().join("target/guests").join(name).with_extension("wasm");
    assert!(file.is_file(), "{} is not there: run `make build`, which builds the guests", file.display());
    file
}

/// One attacker, about to be run.
pub struct Trial<'h> {
    host: &'h Host,
    attacker: NodeManifest,
    /// Nodes that take what the attacker returns.
    downstream: Vec<NodeManifest>,
    /// Where a component of this case's own lies.
    _folder: Option<tempfile::TempDir>,
}

impl<'h> Trial<'h> {
    /// The guest `hostile` with a deed to do.
    pub fn deed(host: &'h Host, deed: &str) -> Self {
        Self::deed_with(host, deed, json!({}))
    }

    /// The same with more params.
    pub fn deed_with(host: &'h Host, deed: &str, mut params: Value) -> Self {
        params["deed"] = deed.into();
        let mut attacker = NodeManifest::new("attacker", "hostile").with_params(params);
        attacker.component = Some(guest("hostile").into());
        Self::of(host, attacker)
    }

    /// A component written by hand.
    pub fn hand_made(host: &'h Host, component: &HandMade) -> Self {
        Self::file(host, &component.bytes())
    }

    /// A file of that content.
    pub fn file(host: &'h Host, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attacker.wasm");
        std::fs::write(&path, content).unwrap();
        let mut trial = Self::path(host, &path);
        trial._folder = Some(folder);
        trial
    }

    /// A file that is there already.
    pub fn path(host: &'h Host, path: &Path) -> Self {
        let mut attacker = NodeManifest::new("attacker", "handmade");
        attacker.component = Some(path.to_owned().into());
        Self::of(host, attacker)
    }

    fn of(host: &'h Host, mut attacker: NodeManifest) -> Self {
        attacker.limits = Some(Limits { memory_mb: None, call_timeout_ms: Some(CALL_TIMEOUT_MS) });
        Self { host, attacker, downstream: Vec::new(), _folder: None }
    }

    /// The attacker's own manifest, changed.
    pub fn changed(mut self, change: impl FnOnce(&mut NodeManifest)) -> Self {
        change(&mut self.attacker);
        self
    }

    /// A native node behind the attacker.
    pub fn into(mut self, node_type: &str, params: Value) -> Self {
        let id = format!("after{}", self.downstream.len());
        self.downstream.push(NodeManifest::new(id, node_type).with_params(params));
        self
    }

    /// A second for a call: for deeds that end by themselves.
    pub fn unhurried(self) -> Self {
        self.changed(|attacker| {
            attacker.limits = Some(Limits { memory_mb: None, call_timeout_ms: Some(1_000) });
        })
    }

    /// Runs the pipeline: one block of 20 ms, then the end of the stream.
    fn run(&self) -> Result<Vec<Packet>, Ended> {
        let began = Instant::now();
        let mut nodes = vec![NodeManifest::new("before", "PassThrough"), self.attacker.clone()];
        nodes.extend(self.downstream.iter().cloned());
        let result = run(self.host, nodes);
        assert!(began.elapsed() < HANGS, "the case took {:?}", began.elapsed());
        result
    }

    /// Runs the pipeline without an end: the attacker had its block, and sits there.
    pub fn goes_on(self) -> Pipeline {
        let nodes = vec![NodeManifest::new("before", "PassThrough"), self.attacker];
        let plan = self.host.plan(&chain(nodes)).unwrap();
        let mut pipeline = self.host.start(&plan, PipelineOptions::default()).unwrap();
        pipeline.feed("before", Packet::new(0, block())).unwrap();
        assert!(pipeline.try_next().unwrap().is_some(), "the attacker gave nothing back");
        pipeline
    }

    /// The attack ends in `operation` of the attacker with an error of that kind, whose message holds `words`; then
    /// another pipeline works.
    pub fn ends(self, operation: Operation, kind: ErrorKind, words: &str) -> NodeError {
        let error = match (self.run(), operation) {
            (Err(Ended::InPlan(text)), Operation::Describe) => {
                assert!(text.contains("$.nodes[1].component"), "the node is not named: {text}");
                let file = self.attacker.component_path().unwrap();
                let error = self.host.describe_component(&file).expect_err("describe succeeds by itself");
                let the_same = text.to_lowercase().contains(&words.to_lowercase());
                assert!(the_same, "two errors for one fault: {text}\nand: {error}");
                error
            }
            (Err(Ended::Running(error)), _) => {
                assert_eq!((&*error.node_id, error.operation), ("attacker", Some(operation)), "{error}");
                error
            }
            (Err(Ended::InPlan(text)), _) => panic!("refused before it could run: {text}"),
            (Ok(packets), _) => panic!("the attack succeeds, and {} packets came out", packets.len()),
        };
        assert_eq!(error.kind, kind, "{error}");
        let said = error.message.to_lowercase();
        assert!(said.contains(&words.to_lowercase()), "`{words}` is not in: {error}");
        assert!(said.len() <= 8 << 10, "a message of {} bytes", said.len());
        assert_neighbour_works(self.host);
        error
    }

    /// The manifest is refused with a message that holds all `words`; then another pipeline works.
    pub fn must_be_refused(self, words: &[&str]) {
        let Err(Ended::InPlan(text)) = self.run() else { panic!("the manifest is accepted") };
        for word in words {
            assert!(text.contains(word), "`{word}` is not in: {text}");
        }
        assert!(text.len() <= 64 << 10, "a message of {} bytes", text.len());
        assert_neighbour_works(self.host);
    }

    /// The attack achieves nothing: the pipeline works and gives these packets; then another one works too.
    pub fn must_be_harmless(self) -> Vec<Packet> {
        let packets = match self.run() {
            Ok(packets) => packets,
            Err(Ended::InPlan(text)) => panic!("refused: {text}"),
            Err(Ended::Running(error)) => panic!("{error}"),
        };
        assert_neighbour_works(self.host);
        packets
    }

    /// The text with which the manifest is refused.
    pub fn refusal(self) -> String {
        match self.run() {
            Err(Ended::InPlan(text)) => text,
            Err(Ended::Running(error)) => panic!("{error}"),
            Ok(_) => panic!("the manifest is accepted"),
        }
    }

    /// What the host shows of the component.
    pub fn descriptor(&self) -> NodeDescriptor {
        self.host.describe_component(&self.attacker.component_path().unwrap()).unwrap()
    }

    /// For files that may be anything: the error, if there is one.
    pub fn runs_or_not(self) -> Result<(), String> {
        let result = self.run();
        assert_neighbour_works(self.host);
        match result {
            Ok(_) => Ok(()),
            Err(Ended::InPlan(text)) => Err(text),
            Err(Ended::Running(error)) => Err(error.to_string()),
        }
    }

    /// Whatever the pipeline's end is, it is a typed one, and another pipeline works.
    pub fn ends_somehow(self) -> Option<NodeError> {
        let error = match self.run() {
            Ok(_) => None,
            Err(Ended::InPlan(text)) => panic!("refused: {text}"),
            Err(Ended::Running(error)) => Some(error),
        };
        assert_neighbour_works(self.host);
        error
    }
}

/// How a pipeline failed.
enum Ended {
    /// Its manifest was refused, with that text.
    InPlan(String),
    /// It was started.
    Running(NodeError),
}

fn run(host: &Host, nodes: Vec<NodeManifest>) -> Result<Vec<Packet>, Ended> {
    let first = nodes[0].id.clone();
    let plan = host.plan(&chain(nodes)).map_err(|errors| Ended::InPlan(errors.to_string()))?;
    let mut pipeline = host.start(&plan, PipelineOptions::default()).map_err(Ended::Running)?;
    let outputs = pipeline.run([(first.as_str(), Packet::new(0, block()))]).map_err(Ended::Running)?;
    Ok(outputs.into_iter().map(|output| output.packet).collect())
}

/// 20 ms of audio.
pub fn block() -> AudioBuffer {
    AudioBuffer::from_f32(48_000, 1, vec![0.5; 960]).unwrap()
}

/// A manifest of nodes in a row.
pub fn chain(nodes: Vec<NodeManifest>) -> Manifest {
    let ids: Vec<String> = nodes.iter().map(|node| node.id.clone()).collect();
    Manifest {
        version: Version::V1,
        metadata: Metadata { name: "hostile".into(), ..Metadata::default() },
        nodes,
        connections: ids.windows(2).map(|pair| Connection::new(pair[0].as_str(), pair[1].as_str())).collect(),
    }
}

fn assert_neighbour_works(host: &Host) {
    let mut node = NodeManifest::new("neighbour", "gain").with_params(json!({"gain_db": 20}));
    node.component = Some(guest("gain").into());
    let packets = run(host, vec![node]).unwrap_or_else(|ended| match ended {
        Ended::InPlan(text) => panic!("the neighbour was refused: {text}"),
        Ended::Running(error) => panic!("the neighbour failed: {error}"),
    });
    let [Packet { payload: Payload::Audio(audio), .. }] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(audio.as_f32().unwrap(), [5.0; 960]);
}

super::cases! {
    fn the_hand_made_node_itself_works(host) {
        let packets = Trial::hand_made(host, &HandMade::node()).must_be_harmless();
        let [Packet { payload: Payload::Audio(audio), pts_ns: 0 }] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!(audio.as_f32().unwrap(), [0.5; 960]);
    }
}
