//! Connections: both ends resolved to nodes and ports, and what the ports carry compared.

use std::collections::HashMap;
use std::sync::Arc;

use super::Edge;
use super::order::Link;
use crate::descriptor::{NodeDescriptor, PortSpec};
use crate::manifest::{Connection, Endpoint, Manifest, ManifestError, nearest};
use crate::node::Port;

/// Only so many faults get a suggestion out of all ids: looking for the nearest of 10,000 names is slow, and nobody
/// reads that many.
const MOST_SUGGESTED: usize = 100;

/// Whether an endpoint produces or consumes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    From,
    To,
}

impl Side {
    const fn field(self) -> &'static str {
        if matches!(self, Self::From) { "from" } else { "to" }
    }

    const fn ports_are(self) -> &'static str {
        if matches!(self, Self::From) { "output" } else { "input" }
    }

    fn ports(self, descriptor: &NodeDescriptor) -> &[PortSpec] {
        if matches!(self, Self::From) { &descriptor.outputs } else { &descriptor.inputs }
    }
}

/// An end whose node is known; the port is `None` when the node's descriptor is.
struct End<'a> {
    node: usize,
    port: Option<(Port, &'a PortSpec)>,
}

struct Resolver<'a> {
    manifest: &'a Manifest,
    descriptors: &'a [Option<Arc<NodeDescriptor>>],
    index_by_id: &'a HashMap<&'a str, usize>,
    faults: &'a mut Vec<ManifestError>,
}

/// The edges whose ends and kinds are sound, and a link for every connection between two known, different nodes:
/// a cycle is a cycle even where a port name is wrong.
pub(super) fn resolve(
    manifest: &Manifest,
    descriptors: &[Option<Arc<NodeDescriptor>>],
    index_by_id: &HashMap<&str, usize>,
    faults: &mut Vec<ManifestError>,
) -> (Vec<Edge>, Vec<Link>) {
    let mut resolver = Resolver { manifest, descriptors, index_by_id, faults };
    let mut edges = Vec::with_capacity(manifest.connections.len());
    let mut links = Vec::with_capacity(manifest.connections.len());
    let mut seen = HashMap::with_capacity(manifest.connections.len());
    for (index, connection) in manifest.connections.iter().enumerate() {
        let from = resolver.end(index, &connection.from, Side::From);
        let to = resolver.end(index, &connection.to, Side::To);
        let (Some(from), Some(to)) = (from, to) else { continue };
        if from.node == to.node {
            resolver.self_loop(index, from.node);
            continue;
        }
        links.push(Link { from: from.node, to: to.node, connection: index });
        let (Some((out_port, output)), Some((in_port, input))) = (from.port, to.port) else { continue };
        let first = *seen.entry((from.node, out_port, to.node, in_port)).or_insert(index);
        if first != index {
            resolver.duplicate(index, first, connection);
        } else if !output.kind.fits(input.kind) {
            resolver.misfit(index, (from.node, output), (to.node, input));
        }
        edges.push(Edge { from: from.node, out_port, to: to.node, in_port, queue: connection.queue });
    }
    (edges, links)
}

impl<'a> Resolver<'a> {
    fn id(&self, node: usize) -> &'a str {
        &self.manifest.nodes[node].id
    }

    fn end(&mut self, index: usize, text: &str, side: Side) -> Option<End<'a>> {
        let endpoint = Endpoint::parse(text);
        let path = || format!("$.connections[{index}].{}", side.field());
        let Some(&node) = self.index_by_id.get(endpoint.node) else {
            let fault = ManifestError::new(path(), format!("there is no node `{}`", endpoint.node));
            let ids = self.manifest.nodes.iter().map(|node| node.id.as_str());
            self.faults.push(match self.faults.len() {
                0..MOST_SUGGESTED => nearest::or_list(fault, endpoint.node, ids, "the nodes are"),
                _ => fault,
            });
            return None;
        };
        let Some(descriptor) = self.descriptors.get(node).and_then(Option::as_ref) else {
            return Some(End { node, port: None });
        };
        let ports = side.ports(descriptor);
        let number = match endpoint.port {
            Some(name) => ports.iter().position(|port| port.name == name),
            None => (!ports.is_empty()).then_some(0),
        };
        let port = number.and_then(|number| Some((Port(u16::try_from(number).ok()?), &ports[number])));
        if port.is_none() {
            let fault = no_port(path(), self.id(node), descriptor, endpoint.port, side);
            self.faults.push(fault);
        }
        Some(End { node, port })
    }

    fn self_loop(&mut self, index: usize, node: usize) {
        let id = self.id(node);
        self.faults.push(
            ManifestError::new(
                format!("$.connections[{index}]"),
                format!("the node `{id}` is connected to itself, which is a cycle: {id} -> {id}"),
            )
            .suggest("packets flow one way only: remove this connection"),
        );
    }

    fn duplicate(&mut self, index: usize, first: usize, connection: &Connection) {
        self.faults.push(
            ManifestError::new(
                format!("$.connections[{index}]"),
                format!(
                    "`{}` is already connected to `{}` by $.connections[{first}]",
                    connection.from, connection.to
                ),
            )
            .suggest("every packet would arrive twice: remove one of the two connections"),
        );
    }

    fn misfit(&mut self, index: usize, from: (usize, &PortSpec), to: (usize, &PortSpec)) {
        let (from_id, to_id) = (self.id(from.0), self.id(to.0));
        let (output, input) = (from.1, to.1);
        self.faults.push(
            ManifestError::new(
                format!("$.connections[{index}]"),
                format!(
                    "the output `{from_id}.{}` carries {} but the input `{to_id}.{}` takes {}",
                    output.name,
                    output.kind.name(),
                    input.name,
                    input.kind.name()
                ),
            )
            .suggest(format!(
                "put a node between them that turns {} into {}",
                output.kind.name(),
                input.kind.name()
            )),
        );
    }
}

fn no_port(
    path: String,
    id: &str,
    descriptor: &NodeDescriptor,
    name: Option<&str>,
    side: Side,
) -> ManifestError {
    let (ports, ports_are) = (side.ports(descriptor), side.ports_are());
    let node_type = &descriptor.node_type;
    let Some(name) = name.filter(|_| !ports.is_empty()) else {
        let fault = ManifestError::new(
            path,
            format!("the node `{id}` cannot be used here: a {node_type} has no {ports_are}s"),
        );
        return match side {
            Side::From => fault.suggest("it only takes packets: it can be at the end of connections only"),
            Side::To => fault.suggest("it makes its own packets: it can be at the start of connections only"),
        };
    };
    let fault =
        ManifestError::new(path, format!("the node `{id}` ({node_type}) has no {ports_are} `{name}`"));
    let names = ports.iter().map(|port| port.name.as_str());
    nearest::or_list(fault, name, names, &format!("its {ports_are}s are"))
}
