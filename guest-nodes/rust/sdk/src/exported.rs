//! Between the component's exports and an author's [`Node`]: parses params, hands packets over, derives the schema.
//! Called by what [`crate::export!`] generates.

use crate::bindings::remotemedia::node::types as wit;
use crate::error::NodeError;
use crate::node::Node;
use crate::packet::{Outputs, Packet};

/// The component's one running node, if it was initialized.
pub struct Instance<N> {
    node: Option<N>,
    out: Outputs,
}

impl<N> std::fmt::Debug for Instance<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("initialized", &self.node.is_some()).finish_non_exhaustive()
    }
}

impl<N: Node> Default for Instance<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Node> Instance<N> {
    /// A component that was not initialized.
    #[must_use]
    pub const fn new() -> Self {
        Self { node: None, out: Outputs::new() }
    }

    /// Makes the node out of its params.
    ///
    /// # Errors
    /// When the params are not the node's, or the node refuses them.
    pub fn initialize(&mut self, params_json: &str) -> Result<(), wit::NodeError> {
        let params = serde_json::from_str(params_json)
            .map_err(|error| NodeError::invalid_params(format!("params: {error}")).0)?;
        self.node = Some(N::new(params).map_err(|error| error.0)?);
        Ok(())
    }

    /// Runs one packet through the node.
    ///
    /// # Errors
    /// The node's own, or that it was not initialized.
    pub fn process(&mut self, port: u16, packet: wit::Packet) -> Result<Vec<wit::Output>, wit::NodeError> {
        let packet = Packet::try_from(packet).map_err(|error| error.0)?;
        self.call(|node, out| node.process(port, packet, out))
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// The node's own, or that it was not initialized.
    pub fn flush(&mut self) -> Result<Vec<wit::Output>, wit::NodeError> {
        self.call(N::flush)
    }

    /// Cleans the node up and drops it.
    pub fn cleanup(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.cleanup();
        }
    }

    fn call(
        &mut self,
        verb: impl FnOnce(&mut N, &mut Outputs) -> Result<(), NodeError>,
    ) -> Result<Vec<wit::Output>, wit::NodeError> {
        let Some(node) = &mut self.node else {
            return Err(NodeError::internal("called before `initialize`").0);
        };
        let result = verb(node, &mut self.out);
        // What a failed call emitted is not sent, nor kept for the next one.
        let emitted = self.out.take();
        result.map(|()| emitted).map_err(|error| error.0)
    }
}

/// What the node type says about itself; `version` is its crate's.
#[must_use]
pub fn describe<N: Node>(version: &str) -> wit::Descriptor {
    let info = N::INFO;
    wit::Descriptor {
        node_type: info.node_type.to_owned(),
        version: version.to_owned(),
        summary: info.summary.to_owned(),
        inputs: info.inputs.iter().map(|&port| port.into()).collect(),
        outputs: info.outputs.iter().map(|&port| port.into()).collect(),
        params_schema: schemars::schema_for!(N::Params).as_value().to_string(),
        stateless: info.stateless,
    }
}
