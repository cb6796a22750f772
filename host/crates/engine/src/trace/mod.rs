//! What a pipeline did, call by call, for whoever draws it. It records and keeps; it writes no file.
//!
//! Every thread of the pipeline has a record of its own ([`thread`]), so an event takes no lock. Threads hand over
//! what they have in parcels, and the recorder joins the parcels when somebody asks ([`recorder`]).

pub(crate) mod attach;
pub(crate) mod mark;
mod recorder;
pub(crate) mod thread;

use std::sync::Arc;

use remotemedia_core::{Operation, RuntimeKind};

pub use recorder::TraceRecorder;

/// Everything that a recorder holds. Times are nanoseconds since the recorder was made.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What ran; `None` when no pipeline got as far as having nodes.
    pub layout: Option<Layout>,
    /// One entry per thread of the pipeline, in no order.
    pub threads: Vec<ThreadEvents>,
    /// When the trace was taken.
    pub taken_ns: u64,
    /// When the recorder was made, in nanoseconds since 1970.
    pub began_unix_ns: u64,
}

/// The pipeline that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Its id, as in metrics.
    pub pipeline_id: String,
    /// Its nodes, in the manifest's order.
    pub nodes: Vec<NodeLayout>,
    /// For every stage, whether it has a thread of its own.
    pub own_thread: Vec<bool>,
    /// Its queues. An event names a queue by its `number`.
    pub queues: Vec<QueueLayout>,
}

/// A node of the pipeline that was recorded.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct NodeLayout {
    pub id: String,
    pub node_type: String,
    pub served_by: RuntimeKind,
    pub stage: usize,
}

/// A queue of the pipeline that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLayout {
    /// Names it in events.
    pub number: usize,
    /// The producer's index; `None` for the caller.
    pub from: Option<usize>,
    /// The consumer's index; of a feed, the first source of its stage.
    pub to: usize,
}

/// Whose thread it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadOf {
    /// Who feeds.
    Caller,
    /// The stage of that number.
    Stage(usize),
}

/// What happened on one thread, in the order in which it ended.
#[derive(Clone, Debug)]
pub struct ThreadEvents {
    /// Whose.
    pub thread: ThreadOf,
    /// What was kept.
    pub events: Vec<Event>,
    /// How many more events there were than are kept.
    pub left_out: u64,
    /// The last events, which a thread whose call had not returned still had itself.
    pub held_back: u64,
    /// The call that had not returned when the trace was taken: (node, operation, begin).
    pub unfinished: Option<(usize, Operation, u64)>,
}

/// Something that took time.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it began.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// What it was.
    pub what: What,
}

/// The way of one packet from where it was made to who takes it, unique in the trace and never 0.
pub type Flow = u64;

/// What took time.
#[derive(Clone, Debug)]
pub enum What {
    /// The caller fed a packet to this node.
    Feed {
        /// The source.
        node: usize,
        /// Which feed it was, counted from 1.
        epoch: u64,
        /// The packet's time.
        pts_ns: i64,
        /// The packet's way.
        flow: Flow,
    },
    /// A stage worked on what one packet brought, or flushed (`epoch` is `None`).
    Work {
        /// The feed that caused it.
        epoch: Option<u64>,
    },
    /// A call of a node.
    Call(Call),
    /// A packet waited in a queue.
    Waited {
        /// Its number.
        queue: usize,
        /// The packet's way.
        flow: Flow,
        /// How many packets were in the queue once this one was.
        depth_then: usize,
        /// How many were left when it was taken.
        depth_after: usize,
    },
    /// A producer waited until there was room in a queue.
    Blocked {
        /// Its number.
        queue: usize,
        /// The way of the packet it held.
        flow: Flow,
    },
}

/// A call of a node.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its index.
    pub node: usize,
    /// Which verb.
    pub operation: Operation,
    /// The feed that caused it; `None` outside `process`, and for what a flush brought.
    pub epoch: Option<u64>,
    /// The time of the packet of a `process`.
    pub pts_ns: Option<i64>,
    /// The way of that packet.
    pub flow: Option<Flow>,
    /// How many packets it produced.
    pub packets_out: usize,
    /// The ways of these, one per node that gets one: the first, and how many.
    pub flows_out: (Flow, u32),
    /// How much of it the node waited for the Python interpreter, in nanoseconds.
    pub interpreter_wait_ns: u64,
    /// Why it failed.
    pub error: Option<Arc<str>>,
}
