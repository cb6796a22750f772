//! Writes what a pipeline did as a file for <https://ui.perfetto.dev>.
//!
//! The format is Perfetto's own (`TrackEvent` in protobuf) and not the older Chrome JSON: its tracks can be children of
//! tracks, so that the nodes and queues of a stage lie under the stage; flows belong to slices and not to points in time;
//! counters have units; and a file is a quarter of the size.
//!
//! Under the process there is a track for the caller and one per stage. Under a stage there are its nodes, with a slice
//! per call, and the queues that lead to it, with a slice per packet that waited and the depth as a counter. A producer
//! that waited for room, and a call that waited for the Python interpreter, have slices inside what they held up.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use remotemedia_core::Operation;
use remotemedia_engine::trace::{
    Call, Event, Flow, Layout, ThreadEvents, ThreadOf, Trace, TraceRecorder, What,
};

use super::perfetto::{
    COUNTER, CounterDescriptor, DebugAnnotation, INSTANT, ORDER_EXPLICIT, PacketWriter, ProcessDescriptor,
    SLICE_BEGIN, SLICE_END, TrackDescriptor, TrackEvent, UNIT_COUNT,
};
use crate::media::{MediaError, OutputFile};

/// Events that are kept of one thread: about 75 MB of memory, and minutes of audio in 20 ms chunks.
pub const MOST_EVENTS: usize = 500_000;

const PROCESS: u64 = 1;
const CALLER: u64 = 2;
/// The ids of tracks of one kind begin here, each kind in a range of its own.
const STAGES: u64 = 1 << 32;
const NODES: u64 = 2 << 32;
const DEPTHS: u64 = 3 << 32;
/// One range per queue, for as many tracks as packets wait in it at a time.
const QUEUES: u64 = 4 << 32;

/// A file that will hold the trace of one run. It appears whole, or not at all.
#[derive(Debug)]
pub struct TraceFile {
    file: OutputFile,
    recorder: TraceRecorder,
}

/// What a trace file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSummary {
    /// Events that were written.
    pub events: usize,
    /// Events that were not kept, because a thread had more than [`MOST_EVENTS`].
    pub left_out: u64,
    /// The last events of threads whose call has not returned: they have them still.
    pub held_back: u64,
}

impl TraceFile {
    /// Begins the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self, MediaError> {
        Ok(Self { file: OutputFile::create(path)?, recorder: TraceRecorder::new(MOST_EVENTS) })
    }

    /// What the pipeline needs to be told.
    #[must_use]
    pub fn recorder(&self) -> TraceRecorder {
        self.recorder.clone()
    }

    /// Writes everything that was recorded; the pipeline is over. `None`, and no file, when none ever ran.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self, path: &Path) -> Result<Option<TraceSummary>, MediaError> {
        let trace = self.recorder.take();
        if trace.layout.is_none() {
            return Ok(None);
        }
        let summary =
            write_trace(&mut self.file, trace).map_err(|error| MediaError::io("write", path, error))?;
        self.file.commit()?;
        Ok(Some(summary))
    }
}

/// Writes `trace` in Perfetto's format.
///
/// # Errors
/// Those of `to`.
pub fn write_trace(to: impl Write, trace: Trace) -> io::Result<TraceSummary> {
    let Some(layout) = &trace.layout else { return Ok(TraceSummary::default()) };
    let mut tracks = Tracks::default();
    let mut summary = TraceSummary::default();
    for thread in &trace.threads {
        summary.events += thread.events.len();
        summary.left_out += thread.left_out;
        summary.held_back += thread.held_back;
        tracks.add_thread(layout, thread, trace.taken_ns);
    }
    let mut writer = PacketWriter::new(to);
    describe(&mut writer, layout, &tracks)?;
    for (track, slices) in tracks.slices {
        write_slices(&mut writer, layout, track, slices)?;
    }
    for (queue, mut depths) in tracks.depths {
        // Taken under the queue's lock, so that the order of times is the order of what happened.
        depths.sort_by_key(|(at_ns, _)| *at_ns);
        for (at_ns, depth) in depths {
            let counter_value = Some(i64::try_from(depth).unwrap_or(i64::MAX));
            let track_uuid = DEPTHS + queue as u64;
            writer.event(
                at_ns,
                TrackEvent { r#type: COUNTER, track_uuid, counter_value, ..TrackEvent::default() },
            )?;
        }
    }
    for (at_ns, event) in tracks.instants {
        writer.event(at_ns, event)?;
    }
    Ok(summary)
}

/// A slice before it is written. There is one per event and more: what is shown of it is made when it is written.
struct Slice<'a> {
    begin_ns: u64,
    end_ns: u64,
    shown: Shown<'a>,
}

const _: () = assert!(size_of::<Slice<'_>>() <= 40, "docs/observability.md says what writing a trace needs");

/// What a slice shows.
enum Shown<'a> {
    /// What happened; of a packet that waited its queue's own tracks tell.
    Event(&'a What),
    /// The part of a call in which it waited for the interpreter.
    Interpreter,
    /// A packet in a queue.
    Waits(Flow),
    /// A call that has not returned.
    Unfinished(Operation),
}

/// What lies on which track.
#[derive(Default)]
struct Tracks<'a> {
    slices: BTreeMap<u64, Vec<Slice<'a>>>,
    /// Of each queue: (when, how many packets).
    depths: BTreeMap<usize, Vec<(u64, usize)>>,
    /// Of each queue, for each of its tracks, when the last slice there ends.
    lanes: BTreeMap<usize, Vec<u64>>,
    waits: Vec<(usize, u64, u64, u64)>,
    instants: Vec<(u64, TrackEvent)>,
}

impl<'a> Tracks<'a> {
    fn add(&mut self, track: u64, begin_ns: u64, end_ns: u64, shown: Shown<'a>) {
        self.slices.entry(track).or_default().push(Slice { begin_ns, end_ns, shown });
    }

    fn add_thread(&mut self, layout: &Layout, thread: &'a ThreadEvents, taken_ns: u64) {
        let own = track_of(thread.thread);
        for event in &thread.events {
            self.add_event(layout, own, event);
        }
        self.add_waits();
        if let Some((node, operation, since_ns)) = thread.unfinished {
            let shown = Shown::Unfinished(operation);
            self.add(NODES + node as u64, since_ns, taken_ns.max(since_ns), shown);
        }
        let missing = thread.left_out + thread.held_back;
        if missing > 0 {
            let at_ns = thread.events.last().map_or(taken_ns, |event| event.end_ns);
            let event = TrackEvent {
                r#type: INSTANT,
                track_uuid: own,
                name: Some(format!("{missing} more events were left out")),
                ..TrackEvent::default()
            };
            self.instants.push((at_ns, event));
        }
    }

    fn add_event(&mut self, layout: &Layout, own: u64, event: &'a Event) {
        let &Event { begin_ns, end_ns, ref what } = event;
        let track = match what {
            What::Feed { .. } | What::Work { .. } => own,
            What::Call(call) => {
                let track = NODES + call.node as u64;
                let waited_ns = call.interpreter_wait_ns.min(end_ns.saturating_sub(begin_ns));
                // The call first: where both are as long, the wait is inside.
                self.add(track, begin_ns, end_ns, Shown::Event(what));
                if waited_ns > 0 {
                    self.add(track, begin_ns, begin_ns + waited_ns, Shown::Interpreter);
                }
                return;
            }
            What::Waited { queue, flow, depth_then, depth_after } => {
                self.waits.push((*queue, begin_ns, end_ns, *flow));
                let depths = self.depths.entry(*queue).or_default();
                depths.extend([(begin_ns, *depth_then), (end_ns, *depth_after)]);
                return;
            }
            What::Blocked { queue, .. } => {
                let from = layout.queues.iter().find(|known| known.number == *queue).and_then(|it| it.from);
                let node = from.and_then(|from| layout.nodes.get(from));
                node.map_or(CALLER, |node| STAGES + node.stage as u64)
            }
        };
        self.add(track, begin_ns, end_ns, Shown::Event(what));
    }

    /// Packets wait in a queue at the same time: each gets the first track on which nothing lies then.
    fn add_waits(&mut self) {
        let mut waits = std::mem::take(&mut self.waits);
        waits.sort_unstable_by_key(|&(_, begin_ns, ..)| begin_ns);
        for (queue, begin_ns, end_ns, flow) in waits {
            let lanes = self.lanes.entry(queue).or_default();
            let lane = lanes.iter().position(|free_ns| *free_ns <= begin_ns).unwrap_or(lanes.len());
            if lane == lanes.len() {
                lanes.push(0);
            }
            lanes[lane] = end_ns;
            self.add(lane_track(queue, lane), begin_ns, end_ns, Shown::Waits(flow));
        }
    }
}

/// How a slice begins: everything but its track.
fn begin_of(layout: &Layout, shown: &Shown<'_>) -> TrackEvent {
    let begin = |name: &str, category: &str, flow_ids: Vec<Flow>| TrackEvent {
        r#type: SLICE_BEGIN,
        name: Some(name.to_owned()),
        categories: Some(category.to_owned()).filter(|category| !category.is_empty()).into_iter().collect(),
        flow_ids,
        ..TrackEvent::default()
    };
    match shown {
        Shown::Event(What::Feed { node, epoch, pts_ns, flow }) => {
            let name = layout.nodes.get(*node).map_or_else(String::new, |node| format!("feed {}", node.id));
            TrackEvent {
                debug_annotations: vec![
                    DebugAnnotation::uint("epoch", *epoch),
                    DebugAnnotation::int("pts_ns", *pts_ns),
                ],
                ..begin(&name, "feed", vec![*flow])
            }
        }
        Shown::Event(What::Work { epoch }) => {
            let name = if epoch.is_some() { "work" } else { "end of the stream" };
            let epoch = epoch.map(|epoch| DebugAnnotation::uint("epoch", epoch));
            TrackEvent { debug_annotations: epoch.into_iter().collect(), ..begin(name, "work", Vec::new()) }
        }
        Shown::Event(What::Call(call)) => begin_of_call(call, begin),
        Shown::Event(What::Blocked { flow, .. }) => {
            begin("blocked: the queue is full", "blocked", vec![*flow])
        }
        Shown::Event(What::Waited { flow, .. }) | Shown::Waits(flow) => begin("waits", "queue", vec![*flow]),
        Shown::Interpreter => begin("waits for the interpreter", "gil", Vec::new()),
        Shown::Unfinished(operation) => {
            begin(&format!("{} (has not returned)", operation.name()), "", Vec::new())
        }
    }
}

fn begin_of_call(call: &Call, begin: impl Fn(&str, &str, Vec<Flow>) -> TrackEvent) -> TrackEvent {
    let uint = |name, value: Option<u64>| value.map(|value| DebugAnnotation::uint(name, value));
    let annotations = [
        uint("epoch", call.epoch),
        call.pts_ns.map(|pts_ns| DebugAnnotation::int("pts_ns", pts_ns)),
        uint("packets_out", has_outputs(call.operation).then_some(call.packets_out as u64)),
        uint("interpreter_wait_ns", Some(call.interpreter_wait_ns).filter(|wait| *wait > 0)),
        call.error.as_deref().map(|error| DebugAnnotation::text("error", error)),
    ];
    let (first, count) = call.flows_out;
    let (failed, category) = if call.error.is_some() { (" failed", "error") } else { ("", "call") };
    let name = format!("{}{failed}", call.operation.name());
    TrackEvent {
        debug_annotations: annotations.into_iter().flatten().collect(),
        terminating_flow_ids: call.flow.into_iter().collect(),
        ..begin(&name, category, (first..first + u64::from(count)).collect())
    }
}

fn has_outputs(operation: Operation) -> bool {
    matches!(operation, Operation::Process | Operation::Flush)
}

fn track_of(thread: ThreadOf) -> u64 {
    match thread {
        ThreadOf::Caller => CALLER,
        ThreadOf::Stage(stage) => STAGES + stage as u64,
    }
}

fn lane_track(queue: usize, lane: usize) -> u64 {
    QUEUES + ((queue as u64) << 32) + lane as u64
}

/// Says which tracks there are, in the order in which they are shown.
fn describe(writer: &mut PacketWriter<impl Write>, layout: &Layout, tracks: &Tracks<'_>) -> io::Result<()> {
    let child = |uuid: u64, parent: u64, rank: usize, name: String| TrackDescriptor {
        uuid,
        name,
        parent_uuid: Some(parent),
        child_ordering: Some(ORDER_EXPLICIT),
        sibling_order_rank: i32::try_from(rank).ok(),
        ..TrackDescriptor::default()
    };
    let process = ProcessDescriptor {
        pid: i32::try_from(std::process::id()).unwrap_or(1),
        process_name: format!("remotemedia {}", layout.pipeline_id),
    };
    writer.track(TrackDescriptor {
        uuid: PROCESS,
        process: Some(process),
        child_ordering: Some(ORDER_EXPLICIT),
        ..TrackDescriptor::default()
    })?;
    writer.track(child(CALLER, PROCESS, 0, "caller".into()))?;
    for (stage, own_thread) in layout.own_thread.iter().enumerate() {
        let thread = if *own_thread { "own thread" } else { "the caller's thread" };
        let uuid = STAGES + stage as u64;
        writer.track(child(uuid, PROCESS, stage + 1, format!("stage {stage} ({thread})")))?;
    }
    let mut rank = 0;
    for queue in &layout.queues {
        let id = |node: usize| layout.nodes.get(node).map_or("?", |node| node.id.as_str());
        let from = queue.from.map_or("caller", id);
        let parent = STAGES + layout.nodes.get(queue.to).map_or(0, |node| node.stage as u64);
        let name = format!("queue {from} → {}", id(queue.to));
        let unit = CounterDescriptor { unit: UNIT_COUNT, unit_name: "packets".into() };
        let depth = child(DEPTHS + queue.number as u64, parent, rank, format!("depth of {name}"));
        writer.track(TrackDescriptor { counter: Some(unit), child_ordering: None, ..depth })?;
        for lane in 0..tracks.lanes.get(&queue.number).map_or(0, Vec::len) {
            writer.track(child(lane_track(queue.number, lane), parent, rank + 1, name.clone()))?;
        }
        rank += 2;
    }
    for (index, node) in layout.nodes.iter().enumerate() {
        let name = format!("{} ({}, {})", node.id, node.node_type, node.served_by);
        let parent = STAGES + node.stage as u64;
        writer.track(child(NODES + index as u64, parent, rank + index, name))?;
    }
    Ok(())
}

/// Writes the slices of one track: begins and ends in the order of time, inner ones inside outer ones.
fn write_slices(
    writer: &mut PacketWriter<impl Write>,
    layout: &Layout,
    track: u64,
    mut slices: Vec<Slice<'_>>,
) -> io::Result<()> {
    slices.sort_by_key(|slice| (slice.begin_ns, std::cmp::Reverse(slice.end_ns)));
    let end = |writer: &mut PacketWriter<_>, at_ns| {
        writer.event(at_ns, TrackEvent { r#type: SLICE_END, track_uuid: track, ..TrackEvent::default() })
    };
    let mut open: Vec<u64> = Vec::new();
    for Slice { begin_ns, end_ns, shown } in slices {
        while let Some(ends_ns) = open.pop_if(|ends_ns| *ends_ns <= begin_ns) {
            end(writer, ends_ns)?;
        }
        writer.event(begin_ns, TrackEvent { track_uuid: track, ..begin_of(layout, &shown) })?;
        // A slice ends with the one around it at the latest.
        open.push(open.last().map_or(end_ns, |around_ns| end_ns.min(*around_ns)));
    }
    while let Some(ends_ns) = open.pop() {
        end(writer, ends_ns)?;
    }
    Ok(())
}
