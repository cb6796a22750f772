//! The engine at work, on nodes made for the purpose: a journal of calls, gates instead of sleeps.

mod allocations;
mod concurrency;
mod failures;
mod flow;
mod inbox;
mod interruption;
mod overload;
mod panics;
mod random_graphs;
mod replay;
mod schedules;
mod sequential_model;
mod stage_cuts;
mod traces;

use std::sync::{Arc, Mutex};

use remotemedia_core::manifest::{Connection, QueueSpec};
use remotemedia_core::{
    ErrorKind, Manifest, Node, NodeDescriptor, NodeError, NodeManifest, Outputs, Packet, Payload,
    PayloadKind, Port, PortSpec, Runtime, RuntimeKind,
};
use serde_json::{Value, json};

use crate::{Output, Pipeline, PipelineOptions, Plan, Runtimes, Settings};

/// What happened, in order: (node id, verb).
pub(super) type Journal = Arc<Mutex<Vec<(String, &'static str)>>>;

/// What a test node does with one packet.
type Process = Arc<dyn Fn(&str, Port, Packet, &mut Outputs) -> Result<(), NodeError> + Send + Sync>;

/// A runtime whose node types are the ids' own closures; it writes a journal.
#[derive(Clone)]
pub(super) struct TestRuntime {
    pub(super) kind: RuntimeKind,
    pub(super) journal: Journal,
    types: Vec<(&'static str, NodeDescriptor, Process)>,
    pub(super) fail_initialize: Option<&'static str>,
    pub(super) fail_flush: Option<&'static str>,
    pub(super) fail_reset: Option<&'static str>,
    pub(super) fail_create: Option<ErrorKind>,
    pub(super) own_thread: bool,
}

impl TestRuntime {
    /// A runtime of `kind` without any type.
    pub(super) fn nothing(kind: RuntimeKind) -> Self {
        Self {
            kind,
            journal: Journal::default(),
            types: Vec::new(),
            fail_initialize: None,
            fail_flush: None,
            fail_reset: None,
            fail_create: None,
            own_thread: false,
        }
    }

    /// With `Pass` (any → any, hands every packet on), `Tag` (text or json → json list of the ids it went
    /// through), `Text` (text → text) and `Last` (keeps the last packet until the flush).
    pub(super) fn new() -> Self {
        Self::nothing(RuntimeKind::Native)
            .with("Pass", PayloadKind::Any, |_, _, packet, out| {
                out.push(packet);
                Ok(())
            })
            .with("Text", PayloadKind::Text, |_, _, packet, out| {
                out.push(packet);
                Ok(())
            })
            .with("Tag", PayloadKind::Json, |id, _, packet, out| {
                let Payload::Json(value) = &packet.payload else { return Ok(()) };
                let mut path = value.as_array().cloned().unwrap_or_else(|| vec![(**value).clone()]);
                path.push(Value::from(id));
                out.push(Packet::new(packet.pts_ns, Value::Array(path)));
                Ok(())
            })
            .with("Last", PayloadKind::Any, |_, _, _, _| Ok(()))
    }

    pub(super) fn with(
        mut self,
        node_type: &'static str,
        kind: PayloadKind,
        process: impl Fn(&str, Port, Packet, &mut Outputs) -> Result<(), NodeError> + Send + Sync + 'static,
    ) -> Self {
        let descriptor = NodeDescriptor::transform(node_type, kind, "a test node");
        self.types.push((node_type, descriptor, Arc::new(process)));
        self
    }

    /// Changes the descriptor of a type.
    pub(super) fn describing(mut self, node_type: &str, change: impl FnOnce(&mut NodeDescriptor)) -> Self {
        if let Some((_, descriptor, _)) = self.types.iter_mut().find(|(name, ..)| *name == node_type) {
            change(descriptor);
        }
        self
    }

    pub(super) fn verbs(&self, verb: &str) -> Vec<String> {
        let journal = self.journal.lock().unwrap();
        journal.iter().filter(|(_, what)| *what == verb).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn runtimes(&self) -> Runtimes {
        Runtimes::new(vec![Arc::new(self.clone())])
    }

    pub(super) fn plan(&self, manifest: &Manifest) -> Plan {
        Plan::new(manifest, &self.runtimes(), &Settings::default()).unwrap()
    }

    pub(super) fn start(&self, manifest: &Manifest) -> Pipeline {
        self.start_with(manifest, PipelineOptions::default())
    }

    pub(super) fn start_with(&self, manifest: &Manifest, options: PipelineOptions) -> Pipeline {
        Pipeline::start(&self.plan(manifest), &self.runtimes(), options).unwrap()
    }
}

impl Runtime for TestRuntime {
    fn kind(&self) -> RuntimeKind {
        self.kind
    }

    fn node_types(&self) -> Vec<String> {
        self.types.iter().map(|(name, ..)| (*name).to_owned()).collect()
    }

    fn describe(&self, node: &NodeManifest) -> Result<Option<NodeDescriptor>, NodeError> {
        let found = self.types.iter().find(|(name, ..)| *name == node.node_type);
        Ok(found.map(|(_, descriptor, _)| descriptor.clone()))
    }

    fn create(&self, node: &NodeManifest) -> Result<Box<dyn Node>, NodeError> {
        if let Some(kind) = self.fail_create {
            return Err(NodeError::new(kind, "cannot create it"));
        }
        let found = self.types.iter().find(|(name, ..)| *name == node.node_type);
        let (_, _, process) = found.ok_or_else(|| NodeError::internal("unknown test type"))?;
        Ok(Box::new(TestNode {
            id: node.id.clone(),
            process: Arc::clone(process),
            journal: Arc::clone(&self.journal),
            fail_initialize: self.fail_initialize == Some(node.id.as_str()),
            fail_flush: self.fail_flush == Some(node.id.as_str()),
            fail_reset: self.fail_reset == Some(node.id.as_str()),
            flushes: node.node_type == "Last",
        }))
    }

    fn wants_own_thread(&self) -> bool {
        self.own_thread
    }
}

struct TestNode {
    id: String,
    process: Process,
    journal: Journal,
    fail_initialize: bool,
    fail_flush: bool,
    fail_reset: bool,
    flushes: bool,
}

impl TestNode {
    fn note(&self, verb: &'static str) {
        self.journal.lock().unwrap().push((self.id.clone(), verb));
    }
}

impl Node for TestNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.note("initialize");
        if self.fail_initialize { Err(NodeError::internal("no model")) } else { Ok(()) }
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        (self.process)(&self.id, port, packet, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.note("reset");
        if self.fail_reset { Err(NodeError::internal("no reset")) } else { Ok(true) }
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.note("flush");
        if self.flushes {
            out.push(Packet::new(i64::MAX, json!([format!("{} flushed", self.id)])));
        }
        if self.fail_flush { Err(NodeError::internal("no flush")) } else { Ok(()) }
    }

    fn cleanup(&mut self) {
        self.note("cleanup");
    }
}

/// A manifest of `(id, type)` nodes and `(from, to)` connections; `=>` before `to` puts a queue on the edge.
pub(super) fn manifest(nodes: &[(&str, &str)], connections: &[(&str, &str)]) -> Manifest {
    let nodes: Vec<Value> =
        nodes.iter().map(|(id, node_type)| json!({"id": id, "node_type": node_type})).collect();
    let mut manifest: Manifest = serde_json::from_value(
        json!({"version": "v1", "metadata": {"name": "test"}, "nodes": nodes, "connections": []}),
    )
    .unwrap();
    for (from, to) in connections {
        let mut connection = Connection::new(*from, to.trim_start_matches("=>"));
        connection.queue = to.starts_with("=>").then(QueueSpec::default);
        manifest.connections.push(connection);
    }
    manifest
}

pub(super) fn two_ports(descriptor: &mut NodeDescriptor) {
    descriptor.inputs = vec![PortSpec::new("a", PayloadKind::Any), PortSpec::new("b", PayloadKind::Any)];
    descriptor.outputs = vec![PortSpec::new("x", PayloadKind::Any), PortSpec::new("y", PayloadKind::Any)];
}

pub(super) fn numbers(range: std::ops::Range<i64>) -> impl Iterator<Item = Packet> {
    range.map(|n| Packet::new(n, json!(n)))
}

/// What came out, as (node id, JSON).
pub(super) fn values(pipeline_ids: &Manifest, outputs: &[Output]) -> Vec<(String, Value)> {
    outputs
        .iter()
        .map(|output| {
            let value = match &output.packet.payload {
                Payload::Json(value) => (**value).clone(),
                Payload::Text(text) => Value::from(&**text),
                other => Value::from(other.type_name()),
            };
            (pipeline_ids.nodes[output.node].id.clone(), value)
        })
        .collect()
}
