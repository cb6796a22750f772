//! Going over the start of a stream again, to bring nodes into the state that they had there, without the calls whose
//! results somebody has kept. When to do that, and what was kept, is the caller's business.
//!
//! The *tail* of a graph are the stateless nodes from which only stateless nodes follow: what they made of a packet is
//! all that there is of it. While replaying, packets that enter the tail are counted and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crc32fast::Hasher;
use remotemedia_core::{Node, NodeError, Outputs, Packet, Payload, Port};

use crate::plan::Plan;

/// What has entered the tail of a graph at one of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entered {
    /// Index of the node.
    pub node: usize,
    /// How many packets, replayed ones included. Of the inputs that only nodes outside the tail feed: while replaying,
    /// nothing comes from within it.
    pub packets: u64,
    /// A checksum (CRC-32) of all of them in order: equal for equal packets. Of an object that only its runtime can
    /// open, nothing but the type's name and the time count.
    pub checksum: u32,
}

#[derive(Debug, Default)]
struct Entry {
    /// The node's inputs that nodes of the tail feed, too: what comes there is dropped, and not counted.
    also_from_tail: Vec<Port>,
    packets: AtomicU64,
    checksum: AtomicU32,
}

/// The tail of a plan's graph, and whether the pipeline is replaying. For one pipeline.
#[derive(Debug)]
pub struct Replay {
    tail: Vec<bool>,
    /// Of the nodes at which packets enter the tail.
    entries: Vec<Option<Arc<Entry>>>,
    replaying: Arc<AtomicBool>,
}

impl Replay {
    /// The tail of `plan`; not replaying.
    #[must_use]
    pub fn new(plan: &Plan) -> Arc<Self> {
        let graph = plan.graph();
        let mut tail: Vec<bool> = graph.nodes().iter().map(|node| node.descriptor.stateless).collect();
        for &node in graph.order().iter().rev() {
            tail[node] &= graph.edges().iter().filter(|edge| edge.from == node).all(|edge| tail[edge.to]);
        }
        let sources = graph.sources();
        let enters = |node: usize| {
            let from_outside = || graph.edges().iter().any(|edge| edge.to == node && !tail[edge.from]);
            tail[node] && (sources.contains(&node) || from_outside())
        };
        let entry = |node: usize| {
            let from_tail = graph.edges().iter().filter(|edge| edge.to == node && tail[edge.from]);
            let also_from_tail = from_tail.map(|edge| edge.in_port).collect();
            Arc::new(Entry { also_from_tail, ..Entry::default() })
        };
        let entries = (0..tail.len()).map(|node| enters(node).then(|| entry(node))).collect();
        Arc::new(Self { tail, entries, replaying: Arc::default() })
    }

    /// True when node `index` gets nothing while replaying.
    ///
    /// # Panics
    /// When the plan has no node `index`.
    #[must_use]
    pub fn is_tail(&self, index: usize) -> bool {
        self.tail[index]
    }

    /// Begins or ends replaying. Only while the pipeline is quiet: before the first feed, or after
    /// [`crate::Pipeline::quiesce`].
    pub fn set_replaying(&self, replaying: bool) {
        self.replaying.store(replaying, Ordering::Release);
    }

    /// What has entered the tail until now, by node. Exact while the pipeline is quiet.
    #[must_use]
    pub fn entered(&self) -> Vec<Entered> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter_map(|(node, entry)| {
                let entry = entry.as_ref()?;
                let packets = entry.packets.load(Ordering::Acquire);
                Some(Entered { node, packets, checksum: entry.checksum.load(Ordering::Acquire) })
            })
            .collect()
    }

    /// `node` as it is, unless packets enter the tail there.
    pub(crate) fn around(&self, index: usize, node: Box<dyn Node>) -> Box<dyn Node> {
        match &self.entries[index] {
            None => node,
            Some(entry) => {
                let (entry, replaying) = (Arc::clone(entry), Arc::clone(&self.replaying));
                Box::new(Gate { inner: node, entry, replaying })
            }
        }
    }
}

/// A node at which packets enter the tail.
struct Gate {
    inner: Box<dyn Node>,
    entry: Arc<Entry>,
    replaying: Arc<AtomicBool>,
}

impl Node for Gate {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.inner.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        if !self.entry.also_from_tail.contains(&port) {
            // Only this thread writes them.
            let before = self.entry.checksum.load(Ordering::Relaxed);
            self.entry.checksum.store(checksum(before, port, &packet), Ordering::Release);
            self.entry.packets.fetch_add(1, Ordering::Release);
        }
        if self.replaying.load(Ordering::Acquire) {
            return Ok(());
        }
        self.inner.process(port, packet, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.inner.reset()
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.inner.flush(out)
    }

    fn cleanup(&mut self) {
        self.inner.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.inner.memory_bytes()
    }
}

/// `before`, continued by everything that `packet` says.
fn checksum(before: u32, port: Port, packet: &Packet) -> u32 {
    let mut sum = Hasher::new_with_initial(before);
    sum.update(&port.0.to_le_bytes());
    sum.update(&packet.pts_ns.to_le_bytes());
    sum.update(packet.payload.type_name().as_bytes());
    match &packet.payload {
        Payload::Audio(audio) => {
            let spec = audio.spec();
            sum.update(&spec.sample_rate_hz.to_le_bytes());
            sum.update(&spec.channels.to_le_bytes());
            sum.update(spec.format.name().as_bytes());
            sum.update(audio.as_bytes());
        }
        Payload::Text(text) => sum.update(text.as_bytes()),
        // A value that cannot be written down has no more to it than its kind.
        Payload::Json(value) => sum.update(&serde_json::to_vec(&**value).unwrap_or_default()),
        Payload::Tensor(tensor) => {
            sum.update(tensor.dtype().name().as_bytes());
            tensor.shape().iter().for_each(|length| sum.update(&(*length as u64).to_le_bytes()));
            sum.update(tensor.data());
        }
        Payload::Bytes(bytes) => sum.update(bytes),
        Payload::Object(_) => {}
    }
    sum.finalize()
}
