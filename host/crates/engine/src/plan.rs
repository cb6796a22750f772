//! The plan: a sound graph with a runtime, and the reason for it, chosen for every node.

use std::sync::Arc;

use remotemedia_core::graph::Graph;
use remotemedia_core::manifest::QueueSpec;
use remotemedia_core::{
    Manifest, ManifestError, ManifestErrors, NodeDescriptor, NodeError, NodeManifest, RuntimeKind,
};

use crate::panics::caught;
use crate::policies;
use crate::runtimes::Runtimes;
use crate::selector::{NoRuntime, Selection, Settings, select};
use crate::stages::Stages;

/// A graph that can be started. Cloning shares it: every pipeline of a plan holds one.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Planned>);

#[derive(Debug)]
struct Planned {
    graph: Graph,
    selections: Vec<Selection>,
    stages: Stages,
    /// For every node, whether its stage must not run on the caller's thread.
    own_thread: Vec<bool>,
    notices: Vec<String>,
}

impl Plan {
    /// Chooses a runtime for every node of `manifest`, asks it for the node's descriptor and builds the graph.
    ///
    /// # Errors
    /// Everything that is wrong with the manifest: unknown types, runtimes that cannot be had, components and
    /// classes that cannot be read, ports and params that do not fit, cycles.
    pub fn new(
        manifest: &Manifest,
        runtimes: &Runtimes,
        settings: &Settings,
    ) -> Result<Self, ManifestErrors> {
        let mut faults = Vec::new();
        let mut descriptors = Vec::with_capacity(manifest.nodes.len());
        let mut selections = Vec::with_capacity(manifest.nodes.len());
        for (index, node) in manifest.nodes.iter().enumerate() {
            match resolve(node, runtimes, settings) {
                Ok((selection, descriptor)) => {
                    descriptors.push(Some(descriptor));
                    selections.push(selection);
                }
                Err(fault) => {
                    descriptors.push(None);
                    faults.extend(fault.at(index));
                }
            }
        }
        let graph = match Graph::build(manifest, &descriptors) {
            Ok(graph) if faults.is_empty() => graph,
            Ok(_) => return Err(ManifestErrors(faults)),
            Err(ManifestErrors(more)) => {
                faults.extend(more);
                return Err(ManifestErrors(faults));
            }
        };
        let chosen = || graph.nodes().iter().zip(&selections);
        let own_thread: Vec<bool> = chosen()
            .map(|(node, selection)| {
                let runtime = runtimes.get(selection.kind);
                live_queue(&node.manifest).is_some()
                    || policies::needs_own_thread(&node.manifest, &node.descriptor, runtime)
            })
            .collect();
        let heavy: Vec<bool> = chosen()
            .zip(&own_thread)
            .map(|((node, _), own_thread)| *own_thread || is_heavy(&node.manifest, &node.descriptor))
            .collect();
        let stages = Stages::cut(&graph, &heavy);
        let mut notices = notices(manifest, &selections);
        for (node, selection) in chosen() {
            let not_applied = policies::notices(&node.manifest, &node.descriptor, selection, runtimes);
            notices.extend(not_applied.map(|notice| format!("node `{}`: {notice}", node.manifest.id)));
        }
        Ok(Self(Arc::new(Planned { graph, selections, stages, own_thread, notices })))
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.0.graph
    }

    /// The choice for node `index`.
    #[must_use]
    pub fn selection(&self, index: usize) -> &Selection {
        &self.0.selections[index]
    }

    /// How the graph is cut into stages.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.0.stages
    }

    /// True when the stage of node `index` must not run on the caller's thread: its calls may wait.
    pub(crate) fn needs_own_thread(&self, index: usize) -> bool {
        self.0.own_thread[index]
    }

    /// True when nothing that is fed can wait.
    pub(crate) fn has_only_live_sources(&self) -> bool {
        let graph = self.graph();
        graph.sources().into_iter().all(|source| live_queue(&graph.nodes()[source].manifest).is_some())
    }

    /// What the manifest's author or the operator should know, one sentence each.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }
}

/// The queue of a source that is live.
pub(crate) fn live_queue(node: &NodeManifest) -> Option<QueueSpec> {
    node.live.and_then(|live| live.queue())
}

/// A node whose calls take long runs in a stage of its own.
fn is_heavy(node: &NodeManifest, descriptor: &NodeDescriptor) -> bool {
    let gpu =
        node.capabilities.as_ref().is_some_and(|needs| needs.gpu.as_ref().is_some_and(|gpu| gpu.required));
    node.heavy.unwrap_or(gpu || descriptor.heavy)
}

fn notices(manifest: &Manifest, selections: &[Selection]) -> Vec<String> {
    let chosen = manifest.nodes.iter().zip(selections).filter_map(|(node, selection)| {
        selection.notice.as_ref().map(|notice| format!("node `{}`: {notice}", node.id))
    });
    chosen.collect()
}

/// Why a node got no descriptor.
enum Fault {
    /// No runtime may run it.
    NoRuntime(NoRuntime),
    /// The runtimes that were asked do not know the type.
    UnknownType { node_type: String, nearest: Option<String>, asked: Vec<RuntimeKind> },
    /// The manifest asks for what the operator does not allow.
    Refused(Vec<ManifestError>),
    /// A runtime knows the type but cannot read it.
    Unreadable { error: NodeError, component: bool },
}

impl Fault {
    fn at(self, index: usize) -> Vec<ManifestError> {
        let node = format!("$.nodes[{index}]");
        let fault = match self {
            Self::Refused(faults) => {
                let at =
                    |fault: ManifestError| ManifestError { path: format!("{node}.{}", fault.path), ..fault };
                return faults.into_iter().map(at).collect();
            }
            Self::NoRuntime(NoRuntime { message, suggestion }) => {
                ManifestError { path: node, message, suggestion }
            }
            Self::UnknownType { node_type, nearest, asked } => {
                let asked: Vec<_> = asked.iter().map(|kind| kind.name()).collect();
                let message = match asked.as_slice() {
                    [] => format!("no node type is called `{node_type}`"),
                    asked => {
                        format!("no node type is called `{node_type}` (looked in: {})", asked.join(", "))
                    }
                };
                let error = ManifestError::new(format!("{node}.node_type"), message);
                match nearest {
                    Some(nearest) => error.suggest(format!("did you mean `{nearest}`?")),
                    None => error.suggest("`remotemedia nodes list` shows what there is"),
                }
            }
            Self::Unreadable { error, component } => {
                let field = if component { "component" } else { "node_type" };
                let mut message = error.message.into_string();
                if let Some(trace) = error.trace {
                    message = format!("{message}\n{trace}");
                }
                ManifestError::new(format!("{node}.{field}"), message)
            }
        };
        vec![fault]
    }
}

fn resolve(
    node: &NodeManifest,
    runtimes: &Runtimes,
    settings: &Settings,
) -> Result<(Selection, Arc<NodeDescriptor>), Fault> {
    let available = runtimes.available(node);
    if available == crate::selector::Available::default() {
        return Err(unknown_type(node, runtimes, Vec::new()));
    }
    let mut selection = select(node, settings, available).map_err(Fault::NoRuntime)?;
    let mut first_error = None;
    let mut asked = Vec::new();
    loop {
        let refusals = runtimes.get(selection.kind).map(|runtime| runtime.refusals(node)).unwrap_or_default();
        if !refusals.is_empty() {
            return Err(Fault::Refused(refusals));
        }
        asked.push(selection.kind);
        match describe(node, runtimes, selection.kind) {
            Ok(Some(descriptor)) => return Ok((selection, Arc::new(descriptor))),
            Ok(None) => {}
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
        if selection.fallbacks.is_empty() {
            break;
        }
        let failed = selection.kind;
        selection.instead_of.get_or_insert(failed);
        selection.kind = selection.fallbacks.remove(0);
        selection.reason = format!("fallback: {failed} ({}) cannot run it", selection.reason);
        selection.notice.get_or_insert_with(|| {
            let why = first_error.as_ref().map_or("does not know this type", |error| &error.message);
            format!("runs on {} instead of {failed}, which {why}", selection.kind)
        });
    }
    match first_error {
        Some(error) => Err(Fault::Unreadable { error, component: node.component.is_some() }),
        None => Err(unknown_type(node, runtimes, asked)),
    }
}

fn describe(
    node: &NodeManifest,
    runtimes: &Runtimes,
    kind: RuntimeKind,
) -> Result<Option<NodeDescriptor>, NodeError> {
    runtimes.get(kind).map_or(Ok(None), |runtime| caught(|| runtime.describe(node)).flatten())
}

fn unknown_type(node: &NodeManifest, runtimes: &Runtimes, asked: Vec<RuntimeKind>) -> Fault {
    let known: Vec<String> = runtimes.iter().flat_map(|runtime| runtime.node_types()).collect();
    let nearest = remotemedia_core::manifest::nearest_name(&node.node_type, known.iter().map(String::as_str));
    Fault::UnknownType { node_type: node.node_type.clone(), nearest: nearest.map(str::to_owned), asked }
}
