//! A pipeline: a plan that is running. Feed it, take what comes out, finish it.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remotemedia_core::{ErrorKind, NodeError, Packet, Port};
use tracing::Span;
use tracing::field::Empty;

use crate::assemble::{Assembled, Parts, assemble};
use crate::control::{Canceller, Control, Interrupter};
use crate::inbox::{Delivery, Epoch, Inbox};
use crate::life::{LeftBehind, StageLife};
use crate::metrics::{Metrics, MetricsReader, Overhead, process};
use crate::outbox::{Outbox, Output};
use crate::plan::Plan;
use crate::replay::Replay;
use crate::runtimes::Runtimes;
use crate::stage::{Slot, Stage};
use crate::trace::TraceRecorder;
use crate::trace::attach::{attach, feed_queue};
use crate::trace::thread::ThreadTrace;
use crate::worker::Worker;

/// How long a stopped pipeline waits for calls that are still running before it leaves their threads behind.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The lane of an inbox that feeds go to.
pub(crate) const FEED_LANE: usize = 0;

/// Most outputs that wait when every source is live: then the sinks wait, the stages before them too, and what is fed
/// meanwhile is dropped at the sources.
const MOST_LIVE_OUTPUTS: usize = 1_024;

/// How a pipeline runs.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Count calls, packets and call times per node.
    pub metrics: bool,
    /// Run stages that only the caller feeds, and that need no thread of their own, on the thread that calls
    /// `feed`. Off, every stage has its own thread, and `feed` returns as soon as the packet is queued.
    pub use_callers_thread: bool,
    /// Most packets that wait to be taken by `next`; then the sinks wait. Only for callers that take from
    /// another thread than they feed from; `None` is unbounded, and 1,024 where every source is live: such feeds
    /// never wait, so it does not matter who takes.
    pub max_waiting_outputs: Option<usize>,
    /// Whether sources that the manifest calls `live` are: then their feeds never wait, and drop what is too much. Off,
    /// for input that can wait, such as files, they are sources like any other.
    pub live: bool,
    /// Outputs to deliver besides the default, which is the first output of every node that feeds no other:
    /// (node index, output port).
    pub taps: Vec<(usize, Port)>,
    /// Record every call and every wait. It costs memory and some time per hop; `None` costs nothing.
    pub trace: Option<TraceRecorder>,
    /// Goes over the start of a stream again without the calls whose results are there already.
    pub replay: Option<Arc<Replay>>,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            metrics: true,
            use_callers_thread: true,
            max_waiting_outputs: None,
            live: true,
            taps: Vec::new(),
            trace: None,
            replay: None,
        }
    }
}

/// How to reach the stage that holds a node.
#[derive(Clone)]
enum Home {
    Caller { stage: usize, position: usize },
    Thread { inbox: Arc<Inbox>, position: usize },
}

impl Home {
    /// Where in its stage the node is.
    fn position(&self) -> usize {
        match self {
            Self::Caller { position, .. } | Self::Thread { position, .. } => *position,
        }
    }
}

/// A running plan, with its own nodes and threads. Dropping it cancels it.
pub struct Pipeline {
    plan: Plan,
    homes: Vec<Option<Home>>,
    /// Indices of the nodes that can be fed.
    sources: Vec<usize>,
    caller_stages: Vec<Stage>,
    threads: Vec<(JoinHandle<()>, Arc<StageLife>)>,
    left_behind: Arc<LeftBehind>,
    counted: MetricsReader,
    control: Arc<Control>,
    outbox: Arc<Outbox>,
    finished: bool,
    /// The record of the thread that feeds.
    trace: Option<Box<ThreadTrace>>,
    /// From the start to the end; whatever is logged in between belongs to it.
    span: Span,
}

impl Pipeline {
    /// Creates and initializes every node of `plan`.
    ///
    /// # Errors
    /// The first node, in topological order, that cannot be created or initialized. What was created before is
    /// cleaned up.
    pub fn start(plan: &Plan, runtimes: &Runtimes, options: PipelineOptions) -> Result<Self, NodeError> {
        let began = (Instant::now(), process::cpu_time());
        let only_live = options.live && plan.has_only_live_sources();
        let bound = options.max_waiting_outputs.or(only_live.then_some(MOST_LIVE_OUTPUTS));
        let outbox = Arc::new(Outbox::new(bound));
        let control = Control::new(Arc::clone(&outbox));
        let span = tracing::error_span!("pipeline", session = Empty, error = Empty, otel.status_code = Empty);
        let Parts { mut stages, queues, nodes, counters_took } = span
            .in_scope(|| assemble(plan, runtimes, &options, &control, &outbox))
            .inspect_err(|error| mark_failed(&span, error))?;
        let left_behind = &runtimes.shared().left_behind;
        let served_by: Vec<_> = nodes.iter().map(|node| node.served_by).collect();
        let overhead = Overhead { setup: counters_took, is_traced: options.trace.is_some() };
        let counted = MetricsReader::new(plan, began, nodes, queues, &control, left_behind, overhead);
        let mut pipeline = Self {
            plan: plan.clone(),
            homes: vec![None; plan.graph().nodes().len()],
            sources: plan.graph().sources(),
            caller_stages: Vec::new(),
            threads: Vec::new(),
            left_behind: Arc::clone(left_behind),
            counted,
            control,
            outbox,
            finished: false,
            trace: None,
            span,
        };
        pipeline.span.record("session", tracing::field::display(pipeline.id()));
        if let Some(recorder) = &options.trace {
            pipeline.trace = Some(attach(recorder, pipeline.id(), plan, &served_by, &mut stages));
        }
        pipeline.launch(stages)?;
        Ok(pipeline)
    }

    /// Starts the stages and waits until all their nodes are initialized.
    fn launch(&mut self, assembled: Vec<Assembled>) -> Result<(), NodeError> {
        // Of each stage on a thread of its own, once its nodes are initialized.
        let (mut started, mut failures) = (None, Vec::new());
        for (number, Assembled { stage, inbox, enter }) in assembled.into_iter().enumerate() {
            for (index, position) in stage.positions() {
                self.homes[index] = Some(match &inbox {
                    Some(inbox) => Home::Thread { inbox: Arc::clone(inbox), position },
                    None => Home::Caller { stage: self.caller_stages.len(), position },
                });
            }
            let Some(inbox) = inbox else {
                self.control.stage_started();
                self.caller_stages.push(stage);
                let _span = self.span.enter();
                if let Some(Err(error)) = self.caller_stages.last_mut().map(Stage::initialize) {
                    failures.push((number, error));
                }
                continue;
            };
            let (initialized, _) = started.get_or_insert_with(mpsc::channel);
            let life = StageLife::begin(&self.control, &self.left_behind);
            for watch in stage.slots().iter().filter_map(Slot::watch) {
                watch.attach(&life);
            }
            let worker = Worker {
                number,
                stage,
                inbox,
                enter,
                control: Arc::clone(&self.control),
                initialized: initialized.clone(),
                life: Arc::clone(&life),
                pipeline: self.span.clone(),
            };
            match worker.spawn() {
                Ok(thread) => self.threads.push((thread, life)),
                Err(error) => return Err(self.fail(error)),
            }
        }
        if let Some((initialized, results)) = started {
            drop(initialized);
            failures.extend(results.iter().filter_map(|(number, result)| Some((number, result.err()?))));
        }
        match failures.into_iter().min_by_key(|(number, _)| *number) {
            Some((_, error)) => Err(self.fail(error)),
            None => Ok(()),
        }
    }

    /// Feeds `packet` into the first input of the source called `node_id`. Blocks while a queue downstream is
    /// full, unless the source is live: then packets are dropped and counted. Feeds of one pipeline come from one thread, in the order of their time.
    ///
    /// # Errors
    /// When there is no such source, after `finish`, or when the pipeline failed: now or earlier, in any node.
    pub fn feed(&mut self, node_id: &str, packet: Packet) -> Result<(), NodeError> {
        self.feed_port(node_id, Port::FIRST, packet)
    }

    /// As [`Pipeline::feed`], into any input.
    ///
    /// # Errors
    /// As [`Pipeline::feed`].
    pub fn feed_port(&mut self, node_id: &str, port: Port, packet: Packet) -> Result<(), NodeError> {
        let (index, home) = self.source(node_id)?;
        if self.control.is_stopped() {
            return Err(self.failure());
        }
        if self.finished {
            return Err(NodeError::invalid_input(
                "the stream has already been finished; start a new pipeline",
            ));
        }
        let epoch = self.control.epochs.next();
        if let Some(counters) = self.counted.counters(index) {
            counters.record_fed(packet.duration_ns());
        }
        let delivery = Delivery::new(epoch, home.position(), port, packet);
        match &self.trace {
            None => self.enter(home, delivery)?,
            Some(_) => self.enter_traced(index, home, delivery)?,
        }
        self.tell_progress(epoch);
        Ok(())
    }

    fn enter(&mut self, home: Home, delivery: Delivery) -> Result<(), NodeError> {
        match home {
            Home::Caller { stage, .. } => {
                let delivered = {
                    let _span = self.span.enter();
                    self.caller_stages[stage].deliver(delivery)
                };
                delivered.map_err(|error| self.fail(error))
            }
            Home::Thread { inbox, .. } if inbox.push(FEED_LANE, delivery) => Ok(()),
            Home::Thread { .. } => Err(self.failure()),
        }
    }

    #[cold]
    fn enter_traced(&mut self, node: usize, home: Home, mut delivery: Delivery) -> Result<(), NodeError> {
        let (epoch, pts_ns) = (delivery.epoch, delivery.packet.pts_ns);
        let queue = feed_queue(self.plan.graph(), self.plan.stages().of(node));
        let begun = self.trace.as_mut().map(|trace| trace.begin_feed(queue));
        let (begin_ns, mark) = begun.unzip();
        let flow = mark.as_ref().map_or(0, |mark| mark.flow);
        delivery.mark = mark;
        let result = self.enter(home, delivery);
        if let (Some(trace), Some(begin_ns)) = (&mut self.trace, begin_ns) {
            trace.end_feed(begin_ns, node, epoch, pts_ns, flow);
        }
        result
    }

    /// Tells every stage that is fed from outside that this feed is done.
    fn tell_progress(&self, epoch: Epoch) {
        for stage in &self.caller_stages {
            stage.progress(epoch);
        }
        for &source in &self.sources {
            if let Some(Home::Thread { inbox, .. }) = &self.homes[source] {
                inbox.progress(FEED_LANE, epoch);
            }
        }
    }

    /// The index of the source called `node_id`, and how to reach it.
    fn source(&self, node_id: &str) -> Result<(usize, Home), NodeError> {
        let graph = self.plan.graph();
        let index = graph.index_of(node_id).filter(|index| self.sources.contains(index));
        index.and_then(|index| Some((index, self.homes[index].clone()?))).ok_or_else(|| {
            let sources: Vec<_> =
                self.sources.iter().map(|&index| graph.nodes()[index].manifest.id.as_str()).collect();
            NodeError::invalid_input(format!(
                "`{node_id}` is no source of this pipeline; its sources are: {}",
                sources.join(", ")
            ))
        })
    }

    /// Takes a packet that has left the graph, if there is one now.
    ///
    /// # Errors
    /// When the pipeline failed: packets that were waiting are not handed out as if they were all.
    pub fn try_next(&mut self) -> Result<Option<Output>, NodeError> {
        if self.control.is_stopped() {
            return Err(self.failure());
        }
        Ok(self.outbox.try_pop())
    }

    /// Waits for the next packet that leaves the graph. `None`: nothing more can come without another feed,
    /// or, after `finish`, at all.
    ///
    /// # Errors
    /// When the pipeline failed.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not say that the pipeline failed")]
    pub fn next(&mut self) -> Result<Option<Output>, NodeError> {
        if self.threads.is_empty() || self.finished && self.counted.has_ended() {
            return self.try_next();
        }
        let output = self.outbox.pop();
        if self.control.is_stopped() {
            return Err(self.failure());
        }
        if output.is_none() {
            self.settle();
            if self.control.is_stopped() {
                return Err(self.failure());
            }
        }
        Ok(output)
    }

    /// Waits until everything that was fed has gone as far as it goes before the next feed: what came of it is there
    /// for [`Pipeline::try_next`].
    ///
    /// # Errors
    /// When the pipeline failed; and `InvalidInput` where the number of waiting outputs is bounded, by
    /// `max_waiting_outputs` or because every source is live: nobody takes meanwhile, so it could wait for ever.
    pub fn quiesce(&mut self) -> Result<(), NodeError> {
        if let Some(most) = self.outbox.max_waiting() {
            return Err(NodeError::invalid_input(format!(
                "a pipeline that keeps at most {most} outputs waiting cannot be waited for: nobody takes them meanwhile; \
                 leave `max_waiting_outputs` out, and `live` off where every source is live"
            )));
        }
        if !self.finished && !self.control.wait_idle() {
            return Err(self.failure());
        }
        Ok(())
    }

    /// Ends the stream: every node is flushed in topological order and cleaned up. Returns when the stages on
    /// the caller's thread are done; the others end while `next` is called.
    ///
    /// # Errors
    /// When a node's flush fails, or the pipeline failed before.
    pub fn finish(&mut self) -> Result<(), NodeError> {
        if self.control.is_stopped() {
            return Err(self.failure());
        }
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.control.epochs.finish();
        for stage in 0..self.caller_stages.len() {
            let flushed = {
                let _span = self.span.enter();
                self.caller_stages[stage].flush()
            };
            if let Err(error) = flushed {
                return Err(self.fail(error));
            }
        }
        for &source in &self.sources {
            if let Some(Home::Thread { inbox, .. }) = &self.homes[source] {
                inbox.end(FEED_LANE);
            }
        }
        self.end_caller_stages();
        if self.threads.is_empty() {
            self.ended();
        }
        Ok(())
    }

    /// Feeds everything, finishes, and returns everything that came out: by node in the manifest's order, each
    /// node's packets in the order they came.
    ///
    /// # Errors
    /// The first failure; then nothing is returned as if it were whole.
    pub fn run<'a>(
        &mut self,
        inputs: impl IntoIterator<Item = (&'a str, Packet)>,
    ) -> Result<Vec<Output>, NodeError> {
        let mut outputs = Vec::new();
        for (node_id, packet) in inputs {
            self.feed(node_id, packet)?;
            while let Some(output) = self.try_next()? {
                outputs.push(output);
            }
        }
        self.finish()?;
        while let Some(output) = self.next()? {
            outputs.push(output);
        }
        outputs.sort_by_key(|output| output.node);
        Ok(outputs)
    }

    /// A handle that ends this pipeline from any thread.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.control.canceller()
    }

    /// Forgets what was fed so far, and goes on: see [`Interrupter::interrupt`]. Nodes on the caller's thread are reset
    /// when they are fed, or finished, next.
    pub fn interrupt(&mut self) {
        self.control.interrupt();
    }

    /// A handle that interrupts this pipeline from any thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        self.control.interrupter()
    }

    /// What was counted so far; empty lists when [`PipelineOptions::metrics`] is off.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.counted.read()
    }

    /// Reads the same from any thread, while this one feeds, and after the pipeline has ended.
    #[must_use]
    pub fn metrics_reader(&self) -> MetricsReader {
        self.counted.clone()
    }

    fn id(&self) -> String {
        self.counted.id()
    }

    /// Stops everything because of `error` and returns the error that came first.
    fn fail(&mut self, error: NodeError) -> NodeError {
        self.control.fail(error);
        self.failure()
    }

    /// The error that stopped the pipeline, after everything was cleaned up.
    fn failure(&mut self) -> NodeError {
        self.control.stop();
        self.end_caller_stages();
        self.settle();
        self.control
            .error()
            .unwrap_or_else(|| NodeError::new(ErrorKind::Cancelled, "the pipeline has been stopped"))
    }

    fn end_caller_stages(&mut self) {
        let _span = self.span.enter();
        for mut stage in self.caller_stages.drain(..) {
            stage.cleanup();
            drop(stage);
            self.control.stage_ended();
        }
        if let Some(trace) = &mut self.trace {
            trace.hand_over();
        }
    }

    /// Waits for the stages' threads, in bounded time when the pipeline was stopped.
    fn settle(&mut self) {
        if self.control.is_stopped() && !self.control.wait_ended(STOP_LIMIT) {
            tracing::error!(
                session = %self.id(),
                "a node is still in a call {} s after the stop; its thread is left behind",
                STOP_LIMIT.as_secs()
            );
            self.threads.iter().for_each(|(_, life)| life.abandon());
        }
        for (thread, _) in self.threads.drain(..).filter(|(_, life)| !life.is_left_behind()) {
            // A panic was caught and reported inside the thread.
            let _ = thread.join();
        }
        self.ended();
    }

    fn ended(&mut self) {
        self.counted.end();
        if let Some(error) = self.control.error() {
            mark_failed(&self.span, &error);
        }
        self.span = Span::none();
    }
}

/// For whoever looks at spans. The names are those that OpenTelemetry's layer for `tracing` knows.
fn mark_failed(span: &Span, error: &NodeError) {
    span.record("error", tracing::field::display(error)).record("otel.status_code", "ERROR");
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if !self.counted.has_ended() {
            self.control.stop();
            self.end_caller_stages();
            self.settle();
        }
        self.control.forget();
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("id", &self.id())
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}
