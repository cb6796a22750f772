//! Gives the stages of a pipeline that is about to start their records, and tells the recorder what it will see.

use remotemedia_core::RuntimeKind;
use remotemedia_core::graph::Graph;

use super::thread::ThreadTrace;
use super::{Layout, NodeLayout, QueueLayout, ThreadOf, TraceRecorder};
use crate::assemble::Assembled;
use crate::plan::Plan;

/// The number of the queue through which a stage is fed; those of the edges come first.
pub(crate) fn feed_queue(graph: &Graph, stage: usize) -> usize {
    graph.edges().len() + stage
}

/// Returns the record of the thread that feeds.
pub(crate) fn attach(
    recorder: &TraceRecorder,
    pipeline_id: String,
    plan: &Plan,
    served_by: &[RuntimeKind],
    assembled: &mut [Assembled],
) -> Box<ThreadTrace> {
    recorder.describe(layout(pipeline_id, plan, served_by, assembled));
    for (number, Assembled { stage, .. }) in assembled.iter_mut().enumerate() {
        stage.trace = Some(recorder.thread(ThreadOf::Stage(number)));
    }
    recorder.thread(ThreadOf::Caller)
}

fn layout(pipeline_id: String, plan: &Plan, served_by: &[RuntimeKind], assembled: &[Assembled]) -> Layout {
    let (graph, stages) = (plan.graph(), plan.stages());
    let nodes =
        graph.nodes().iter().zip(served_by).enumerate().map(|(index, (node, served_by))| NodeLayout {
            id: node.manifest.id.clone(),
            node_type: node.descriptor.node_type.clone(),
            served_by: *served_by,
            stage: stages.of(index),
        });
    let edges = graph.edges().iter().enumerate();
    let between = edges
        .filter(|(_, edge)| stages.of(edge.from) != stages.of(edge.to))
        .map(|(number, edge)| QueueLayout { number, from: Some(edge.from), to: edge.to });
    let own_thread: Vec<bool> = assembled.iter().map(|assembled| assembled.inbox.is_some()).collect();
    let sources = graph.sources();
    let fed = own_thread.iter().enumerate().filter(|(_, own)| **own).filter_map(|(stage, _)| {
        let to = *sources.iter().find(|&&source| stages.of(source) == stage)?;
        Some(QueueLayout { number: feed_queue(graph, stage), from: None, to })
    });
    let queues = fed.chain(between).collect();
    Layout { pipeline_id, nodes: nodes.collect(), queues, own_thread }
}
