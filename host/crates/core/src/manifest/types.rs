//! The manifest's types. Their doc comments are the descriptions of the generated JSON Schema, so they are
//! written for the person who edits a manifest.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::call_policy::{BreakerSpec, OnError, RetrySpec};
use super::component::ComponentRef;
use super::live::Live;
use crate::policy::{Clock, Random};

/// A pipeline: nodes and how they are connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format of this file; always "v1".
    pub version: Version,
    /// What the pipeline is called.
    pub metadata: Metadata,
    /// The nodes; at least one.
    #[schemars(length(min = 1))]
    pub nodes: Vec<NodeManifest>,
    /// Which output feeds which input.
    pub connections: Vec<Connection>,
}

/// The manifest format's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// The only version.
    #[serde(rename = "v1")]
    V1,
}

/// Who the pipeline is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The pipeline's name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was written, ISO 8601. Kept, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Written by other tools of this format. Kept, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_negotiate: Option<bool>,
}

/// One node of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeManifest {
    /// Unique in the manifest; letters, digits, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub id: String,
    /// A native node's type, the type a component declares, or a Python class: `module:Class`, or a bare name
    /// of `remotemedia.nodes`.
    #[schemars(length(min = 1))]
    pub node_type: String,
    /// What the node is made with; its type's params schema says what may be here.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Which runtime should run it.
    #[serde(default, skip_serializing_if = "RuntimeHint::is_auto")]
    pub runtime_hint: RuntimeHint,
    /// A `.wasm` component: a path relative to the manifest, alone or with the file's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentRef>,
    /// A Python node that takes the whole stream as one async generator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_streaming: bool,
    /// Hardware the node needs. It steers the choice of a runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// What a sandboxed node asks for. The operator's policy must grant it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// Limits of a sandboxed node, up to the maximum of the operator's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Whether another runtime of equal or stricter isolation may take over. Left out, it may at the start, when the
    /// chosen one cannot create the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// A source that is fed as things happen: what comes while the pipeline cannot keep up is dropped and counted. `true`
    /// lets up to a second of audio wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// Run calls of this node in a stage of its own: they take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heavy: Option<bool>,
    /// Longest time one call may take, in milliseconds: processor time of a sandboxed node, time by the clock of a
    /// Python node, whose thread is left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub timeout_ms: Option<u64>,
    /// Try a failed call again when its error may pass. `{}` means three retries, after 100, 200 and 400 ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    /// Keep calls away from the node while it fails and fails. `{}` opens after five failed calls, for 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<BreakerSpec>,
    /// What an error of the node means for the pipeline.
    #[serde(default, skip_serializing_if = "OnError::is_fail")]
    pub on_error: OnError,
    /// Written by other tools of this format: `host:port` of a remote executor. Kept, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Written by other tools of this format: placement. Kept, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Value>,
    /// Written by other tools of this format. Kept, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_capabilities: Option<Value>,
    /// Written by other tools of this format: packages a Python node needs. Kept, not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_deps: Option<Value>,
    /// The folder that relative paths and Python modules of this node are looked up in.
    #[serde(skip)]
    #[schemars(skip)]
    pub base_dir: PathBuf,
    /// For whom the node runs: what the nodes of one tenant use is limited together. `None` is the process's own.
    #[serde(skip)]
    #[schemars(skip)]
    pub tenant: Option<Arc<str>>,
}

impl NodeManifest {
    /// A node with nothing but an id and a type.
    pub fn new(id: impl Into<String>, node_type: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            node_type: node_type.into(),
            params: Map::new(),
            runtime_hint: RuntimeHint::Auto,
            component: None,
            is_streaming: false,
            capabilities: None,
            permissions: None,
            limits: None,
            fallback: None,
            live: None,
            heavy: None,
            timeout_ms: None,
            retry: None,
            circuit_breaker: None,
            on_error: OnError::Fail,
            host: None,
            execution: None,
            media_capabilities: None,
            python_deps: None,
            base_dir: PathBuf::new(),
            tenant: None,
        }
    }

    /// The same node with `params`, which must be a JSON object; anything else counts as no params.
    #[must_use]
    pub fn with_params(mut self, params: Value) -> Self {
        self.params = match params {
            Value::Object(params) => params,
            _ => Map::new(),
        };
        self
    }

    /// Where the component file is, resolved against the manifest's folder.
    #[must_use]
    pub fn component_path(&self) -> Option<PathBuf> {
        self.component.as_ref().map(|component| self.base_dir.join(component.path()))
    }
}

/// Which runtime the author of a manifest wants for a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = name_aliases)]
pub enum RuntimeHint {
    /// The host chooses.
    #[default]
    Auto,
    /// Rust compiled into the host.
    #[serde(alias = "rust")]
    Native,
    /// A sandboxed component.
    Wasm,
    /// The in-process CPython.
    #[serde(alias = "python")]
    Cpython,
    /// A sandboxed CPython.
    CpythonWasm,
    /// A retired runtime; such nodes run in CPython, with a notice.
    #[serde(alias = "rust_python")]
    Rustpython,
}

/// Adds the names that other tools of this format write for the same hints to the schema.
fn name_aliases(schema: &mut schemars::Schema) {
    let aliases = [("rust", "native"), ("python", "cpython"), ("rust_python", "rustpython")];
    if let Some(names) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        names.extend(aliases.map(|(alias, name)| {
            serde_json::json!({"type": "string", "const": alias, "description": format!("Another name of `{name}`.")})
        }));
    }
}

impl RuntimeHint {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Hardware needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// A GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuCapability>,
    /// Processor cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuCapability>,
    /// Memory in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub memory_gb: Option<f64>,
}

/// A GPU need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuCapability {
    /// Its programming interface.
    #[serde(rename = "type")]
    pub gpu_type: GpuType,
    /// Its memory in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_memory_gb: Option<f64>,
    /// False when the node also works without.
    #[serde(default = "yes")]
    pub required: bool,
}

fn yes() -> bool {
    true
}

/// A GPU's programming interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names of the interfaces")]
pub enum GpuType {
    Cuda,
    Rocm,
    Metal,
    Vulkan,
    Any,
}

/// A processor need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CpuCapability {
    /// How many cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Which architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
}

/// What a sandboxed node asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Directories to read, with all below them; relative ones lie beside the manifest. The node sees each under
    /// the name written here.
    #[serde(default, rename = "fs.read", skip_serializing_if = "Vec::is_empty")]
    pub fs_read: Vec<String>,
    /// Directories to read and write, with all below them.
    #[serde(default, rename = "fs.write", skip_serializing_if = "Vec::is_empty")]
    pub fs_write: Vec<String>,
    /// Names of environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// `fine` asks for exact clocks; without it they show whole milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// `seeded` asks for random numbers that are the same in every run, `real` for those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Random>,
    /// Hosts to reach by HTTP. Not supported by this version.
    #[serde(default, rename = "net.http", skip_serializing_if = "Vec::is_empty")]
    pub net_http: Vec<String>,
}

/// Limits of a sandboxed node; one above the maximum of the operator's policy is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of all the node's memories together, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub memory_mb: Option<u64>,
    /// Longest processor time of one call, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub call_timeout_ms: Option<u64>,
}

/// Whether another runtime may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// At the start and, when the node is stateless, for calls that failed.
    Auto,
    /// None: fail instead.
    None,
}

/// An edge from an output to an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The producer: `node` or `node.port`.
    pub from: String,
    /// The consumer: `node` or `node.port`.
    pub to: String,
    /// Put a queue on this edge, so that both ends run concurrently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueSpec>,
}

impl Connection {
    /// An edge between first ports, without a queue.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), queue: None }
    }
}

/// One end of a connection, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// The node's id.
    pub node: &'a str,
    /// The port's name; the first port when absent.
    pub port: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    /// Splits `node` or `node.port`. Ids hold no dot, so the first dot separates.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        match text.split_once('.') {
            Some((node, port)) => Self { node, port: Some(port) },
            None => Self { node: text, port: None },
        }
    }
}

/// A bounded queue on an edge. Whichever bound is reached first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSpec {
    /// Most packets that wait.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_packets: usize,
    /// Most audio that waits, in milliseconds of play-back time.
    #[schemars(range(min = 1))]
    pub max_ms: Option<u64>,
    /// What a producer does when the queue is full.
    pub on_full: OnFull,
}

impl Default for QueueSpec {
    fn default() -> Self {
        Self { max_packets: 64, max_ms: None, on_full: OnFull::Block }
    }
}

/// What happens to a packet that finds its queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// The producer waits: nothing is lost.
    #[default]
    Block,
    /// The packet that waited longest is dropped, and counted.
    DropOldest,
    /// The new packet is dropped, and counted.
    DropNewest,
}
