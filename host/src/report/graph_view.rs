//! What of a plan is drawn: boxes with ports, and edges between ports.

use remotemedia_core::RuntimeKind;
use remotemedia_engine::Plan;

/// A graph to draw.
#[derive(Clone, Debug)]
pub struct GraphView {
    /// The pipeline's name.
    pub name: String,
    /// The boxes, in the manifest's order.
    pub nodes: Vec<NodeView>,
    /// The arrows, in the manifest's order.
    pub edges: Vec<EdgeView>,
}

/// A box.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// The node's id.
    pub id: String,
    /// Its type.
    pub node_type: String,
    /// What runs it.
    pub runtime: RuntimeKind,
    /// Names of its input ports.
    pub inputs: Vec<String>,
    /// Names of its output ports.
    pub outputs: Vec<String>,
}

/// An arrow: node indices and port numbers.
#[derive(Clone, Debug)]
pub struct EdgeView {
    /// The producer.
    pub from: usize,
    /// Its output port.
    pub out_port: usize,
    /// The consumer.
    pub to: usize,
    /// Its input port.
    pub in_port: usize,
    /// What the queue on this edge holds, when there is one.
    pub queue: Option<String>,
}

impl GraphView {
    /// The view of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let graph = plan.graph();
        let nodes = graph.nodes().iter().enumerate().map(|(index, node)| NodeView {
            id: node.manifest.id.clone(),
            node_type: node.manifest.node_type.clone(),
            runtime: plan.selection(index).kind,
            inputs: node.descriptor.inputs.iter().map(|port| port.name.clone()).collect(),
            outputs: node.descriptor.outputs.iter().map(|port| port.name.clone()).collect(),
        });
        let edges = graph.edges().iter().map(|edge| EdgeView {
            from: edge.from,
            out_port: usize::from(edge.out_port.0),
            to: edge.to,
            in_port: usize::from(edge.in_port.0),
            queue: edge.queue.map(|queue| match queue.max_ms {
                Some(max_ms) => format!("queue: {} packets or {max_ms} ms", queue.max_packets),
                None => format!("queue: {} packets", queue.max_packets),
            }),
        });
        Self { name: graph.name().to_owned(), nodes: nodes.collect(), edges: edges.collect() }
    }
}

impl EdgeView {
    /// What to write on the arrow: the ports, where a node has a choice of them, and the queue.
    #[must_use]
    pub fn label(&self, view: &GraphView) -> String {
        let (from, to) = (&view.nodes[self.from], &view.nodes[self.to]);
        let port = |names: &[String], port: usize| {
            (names.len() > 1).then(|| names.get(port).cloned().unwrap_or_default())
        };
        let ports = match (port(&from.outputs, self.out_port), port(&to.inputs, self.in_port)) {
            (Some(output), Some(input)) => format!("{output} → {input}"),
            (Some(output), None) => output,
            (None, Some(input)) => format!("→ {input}"),
            (None, None) => String::new(),
        };
        match (&self.queue, ports.is_empty()) {
            (Some(queue), true) => queue.clone(),
            (Some(queue), false) => format!("{ports}, {queue}"),
            (None, _) => ports,
        }
    }
}
