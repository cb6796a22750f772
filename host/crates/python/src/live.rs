//! Objects of a running Python program as nodes of its pipelines: nothing is imported, constructed, initialized or
//! cleaned up here, because that program does so itself.

use std::collections::HashMap;

use pyo3::prelude::*;
use remotemedia_core::{Node, NodeDescriptor, NodeError, PayloadKind, PortSpec};
use serde_json::json;

use crate::errors::{Verb, to_node_error};
use crate::node::CpythonNode;

/// An object with `process(value)`, or `process(value, port=name)` when it has several inputs, and `flush()`. When the
/// manifest's entry is a native node, that does the work: the object then has the methods that `kernel` names.
#[derive(Debug)]
pub struct LiveNode {
    /// The object.
    pub object: Py<PyAny>,
    /// The names of its inputs; one at least.
    pub inputs: Vec<String>,
    /// True when only Python takes what it gives: then it stays the very object.
    pub opaque: bool,
}

/// Live nodes by the id that they have in the manifest.
pub type LiveNodes = HashMap<String, LiveNode>;

impl LiveNode {
    pub(crate) fn descriptor(&self, node_type: &str) -> NodeDescriptor {
        let any = |name: &str| PortSpec::new(name, PayloadKind::Any);
        NodeDescriptor {
            node_type: node_type.into(),
            version: "0".into(),
            summary: "An object of the running program.".into(),
            inputs: self.inputs.iter().map(|name| any(name)).collect(),
            outputs: vec![any("out")],
            params_schema: json!({"type": "object"}),
            stateless: false,
            heavy: false,
        }
    }

    pub(crate) fn create(&self) -> Result<Box<dyn Node>, NodeError> {
        Python::attach(|py| {
            CpythonNode::live(self.object.bind(py), &self.inputs, self.opaque)
                .map(|node| Box::new(node) as Box<dyn Node>)
                .map_err(|error| to_node_error(py, &error, Verb::Construct))
        })
    }
}
