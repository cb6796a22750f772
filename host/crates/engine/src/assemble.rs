//! Turns a plan into stages that can run: creates the nodes, the queues and the routes between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use remotemedia_core::manifest::QueueSpec;
use remotemedia_core::{NodeError, Operation, Port, Runtime};

use crate::control::Control;
use crate::inbox::{Inbox, LaneCounts};
use crate::metrics::{NodeCounters, NodeEntry};
use crate::outbox::Outbox;
use crate::panics::note_places;
use crate::pipeline::{FEED_LANE, PipelineOptions};
use crate::plan::{Plan, live_queue};
use crate::policies;
use crate::policies::fallback::{self, Created};
use crate::runtimes::Runtimes;
use crate::stage::{QueueSender, Slot, Stage, Target};

/// A queue of the running pipeline, for metrics.
pub(crate) struct QueueInfo {
    /// `None`: what is fed from outside.
    pub(crate) from: Option<usize>,
    pub(crate) to: usize,
    /// The output and the input that it connects; `None`: what is fed from outside.
    pub(crate) ports: Option<(Port, Port)>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) lane: usize,
}

impl QueueInfo {
    pub(crate) fn counts(&self) -> LaneCounts {
        self.inbox.counts().get(self.lane).copied().unwrap_or_default()
    }
}

/// A plan whose nodes and queues are made.
pub(crate) struct Parts {
    pub(crate) stages: Vec<Assembled>,
    pub(crate) queues: Vec<QueueInfo>,
    /// Where to find what each node counts.
    pub(crate) nodes: Vec<NodeEntry>,
    /// What making the counters cost.
    pub(crate) counters_took: Duration,
}

/// A stage before it runs.
pub(crate) struct Assembled {
    pub(crate) stage: Stage,
    /// `None`: the stage runs on the caller's thread.
    pub(crate) inbox: Option<Arc<Inbox>>,
    /// Runtimes whose per-thread state the stage's thread needs.
    pub(crate) enter: Vec<Arc<dyn Runtime>>,
}

/// Where everything of one plan goes.
struct Layout<'a> {
    plan: &'a Plan,
    /// Position of every node in its stage.
    position: Vec<usize>,
    /// Node indices of every stage, in topological order.
    members: Vec<Vec<usize>>,
    /// For every stage its inbox, if it has one.
    inboxes: Vec<Option<Arc<Inbox>>>,
    /// For every edge its lane in the consumer's inbox; `None` within a stage.
    lanes: Vec<Option<usize>>,
}

/// Creates every node and wires the stages. In an inbox, lane 0 belongs to the caller's feeds when the stage
/// holds a source; the other lanes are its incoming connections in the manifest's order.
pub(crate) fn assemble(
    plan: &Plan,
    runtimes: &Runtimes,
    options: &PipelineOptions,
    control: &Arc<Control>,
    outbox: &Arc<Outbox>,
) -> Result<Parts, NodeError> {
    note_places();
    let graph = plan.graph();
    let mut created = Vec::with_capacity(graph.nodes().len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let selection = plan.selection(index);
        let span = tracing::debug_span!("create", node = node.manifest.id, runtime = %selection.kind);
        let made = span
            .in_scope(|| fallback::create(&node.manifest, &node.descriptor, selection, runtimes))
            .map_err(|error| error.at(&node.manifest.id, Operation::Create))?;
        let others = fallback::in_stream(&node.manifest, &node.descriptor, selection, runtimes);
        created.push((made, others));
    }
    let enter = runtimes_to_enter(plan, &created);
    let layout = Layout::new(plan, &enter, options);
    for inbox in layout.inboxes.iter().flatten() {
        control.watch(inbox);
    }
    let counters_began = Instant::now();
    let queues = layout.queue_infos();
    let counters: Vec<_> = (0..graph.nodes().len())
        .map(|index| {
            let is_queued = queues.iter().any(|queue| queue.to == index);
            options.metrics.then(|| Arc::new(NodeCounters::new(is_queued)))
        })
        .collect();
    let counters_took = counters_began.elapsed();
    let mut nodes = Vec::with_capacity(graph.nodes().len());
    let mut slots: Vec<Option<Slot>> = Vec::new();
    let mut senders: Vec<Vec<QueueSender>> = layout.members.iter().map(|_| Vec::new()).collect();
    let made_nodes = graph.nodes().iter().zip(created).zip(counters);
    for (index, ((node, (made, others)), counters)) in made_nodes.enumerate() {
        let id = &node.manifest.id;
        let Created { node: bare, runtime, instead_of } = made;
        let routes = layout.routes(index, options, &mut senders[plan.stages().of(index)]);
        let descriptor = Arc::clone(&node.descriptor);
        let (wrapped, policies) = policies::wrap(
            bare,
            &node.manifest,
            &descriptor,
            runtime.as_ref(),
            others,
            runtimes.shared(),
            control,
        )
        .map_err(|error| error.at(id, Operation::Create))?;
        let wrapped = match &options.replay {
            Some(replay) => replay.around(index, wrapped),
            None => wrapped,
        };
        nodes.push(NodeEntry {
            served_by: runtime.kind(),
            fell_back: instead_of.is_some(),
            counters: counters.clone(),
            policies: policies.as_ref().map(|policies| Arc::clone(policies.counts())),
        });
        let mut slot = Slot::new(index, id.as_str().into(), descriptor, wrapped, routes, counters);
        slot.policies = policies;
        slots.push(Some(slot));
    }
    let stages = layout.members.iter().zip(senders).zip(layout.inboxes).zip(enter);
    let stages = stages
        .map(|(((members, senders), inbox), enter)| {
            let slots = members.iter().filter_map(|&index| slots[index].take()).collect();
            let stage = Stage::new(slots, senders, Arc::clone(control), Arc::clone(outbox));
            Assembled { stage, inbox, enter }
        })
        .collect();
    Ok(Parts { stages, queues, nodes, counters_took })
}

/// For every stage the runtimes that want its thread to be theirs.
fn runtimes_to_enter(
    plan: &Plan,
    created: &[(Created, Vec<Arc<dyn Runtime>>)],
) -> Vec<Vec<Arc<dyn Runtime>>> {
    let mut enter: Vec<Vec<Arc<dyn Runtime>>> = vec![Vec::new(); plan.stages().count()];
    for (index, (made, others)) in created.iter().enumerate() {
        let stage = &mut enter[plan.stages().of(index)];
        for runtime in std::iter::once(&made.runtime).chain(others) {
            if runtime.wants_own_thread() && !stage.iter().any(|known| known.kind() == runtime.kind()) {
                stage.push(Arc::clone(runtime));
            }
        }
    }
    enter
}

impl<'a> Layout<'a> {
    fn new(plan: &'a Plan, enter: &[Vec<Arc<dyn Runtime>>], options: &PipelineOptions) -> Self {
        let graph = plan.graph();
        let stages = plan.stages();
        let mut members = vec![Vec::new(); stages.count()];
        let mut position = vec![0; graph.nodes().len()];
        for &index in graph.order() {
            let stage = &mut members[stages.of(index)];
            position[index] = stage.len();
            stage.push(index);
        }
        let mut specs: Vec<Vec<QueueSpec>> = vec![Vec::new(); stages.count()];
        let mut names: Vec<Vec<String>> = vec![Vec::new(); stages.count()];
        let id = |index: usize| &graph.nodes()[index].manifest.id;
        for source in graph.sources() {
            let stage = &mut specs[stages.of(source)];
            if stage.is_empty() {
                // A live source shares its stage with no other source.
                let live = live_queue(&graph.nodes()[source].manifest).filter(|_| options.live);
                stage.push(live.unwrap_or_default());
                names[stages.of(source)].push(id(source).clone());
            }
        }
        let fed: Vec<bool> = specs.iter().map(|lanes| !lanes.is_empty()).collect();
        let mut lanes = Vec::with_capacity(graph.edges().len());
        let mut downstream = vec![Vec::new(); stages.count()];
        for edge in graph.edges() {
            let (from, to) = (stages.of(edge.from), stages.of(edge.to));
            lanes.push((from != to).then(|| {
                downstream[from].push(to);
                specs[to].push(edge.queue.unwrap_or_default());
                names[to].push(format!("{}, from {}", id(edge.to), id(edge.from)));
                specs[to].len() - 1
            }));
        }
        let mut tells = vec![false; stages.count()];
        for stage in (0..stages.count()).rev() {
            tells[stage] = specs[stage].len() > 1 || downstream[stage].iter().any(|&to| tells[to]);
        }
        let inboxes = (0..stages.count())
            .map(|stage| {
                let only_fed = fed[stage] && specs[stage].len() == 1;
                let waits = members[stage].iter().any(|&index| plan.needs_own_thread(index));
                let on_caller = only_fed && !waits && enter[stage].is_empty() && options.use_callers_thread;
                (!on_caller).then(|| {
                    let names = std::mem::take(&mut names[stage]);
                    let inbox = Inbox::new(&specs[stage], tells[stage]).named(names).timed(options.metrics);
                    Arc::new(inbox)
                })
            })
            .collect();
        Self { plan, position, members, inboxes, lanes }
    }

    /// Where each output port of node `index` leads; queues are appended to the stage's `senders`.
    fn routes(
        &self,
        index: usize,
        options: &PipelineOptions,
        senders: &mut Vec<QueueSender>,
    ) -> Vec<Vec<Target>> {
        let graph = self.plan.graph();
        let ports = graph.nodes()[index].descriptor.outputs.len();
        let mut routes: Vec<Vec<Target>> = (0..ports).map(|_| Vec::new()).collect();
        let mut is_sink = true;
        let edges = graph.edges().iter().zip(&self.lanes).enumerate();
        for (number, (edge, lane)) in edges.filter(|(_, (edge, _))| edge.from == index) {
            is_sink = false;
            let (node, port) = (self.position[edge.to], edge.in_port);
            let target = match (lane, &self.inboxes[self.plan.stages().of(edge.to)]) {
                (Some(lane), Some(inbox)) => {
                    senders.push(QueueSender { inbox: Arc::clone(inbox), lane: *lane, number });
                    Target::Queue { queue: senders.len() - 1, node, port }
                }
                _ => Target::Local { node, port },
            };
            if let Some(route) = routes.get_mut(usize::from(edge.out_port.0)) {
                route.push(target);
            }
        }
        for (port, route) in routes.iter_mut().enumerate() {
            let tapped = options.taps.contains(&(index, Port(port as u16)));
            if tapped || (is_sink && port == 0) {
                route.push(Target::Sink);
            }
        }
        routes
    }

    fn queue_infos(&self) -> Vec<QueueInfo> {
        let graph = self.plan.graph();
        let queue = |from, to, ports, lane| {
            let inbox = self.inboxes[self.plan.stages().of(to)].as_ref()?;
            Some(QueueInfo { from, to, ports, inbox: Arc::clone(inbox), lane })
        };
        let fed = graph.sources().into_iter().filter_map(|source| queue(None, source, None, FEED_LANE));
        let edges = graph.edges().iter().zip(&self.lanes).filter_map(|(edge, lane)| {
            queue(Some(edge.from), edge.to, Some((edge.out_port, edge.in_port)), (*lane)?)
        });
        fed.chain(edges).collect()
    }
}
