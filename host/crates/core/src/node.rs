//! The one trait that every node of every runtime implements, and where it puts what it produces.

use crate::error::NodeError;
use crate::notes::CallNotes;
use crate::packet::Packet;

/// A port number: the index into the descriptor's inputs or outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

impl Port {
    /// The first port; the only one of most nodes.
    pub const FIRST: Self = Self(0);
}

/// A running node. All verbs are synchronous and are called from one thread at a time, in the order
/// `initialize`, any number of `process` and `reset`, `flush`, `cleanup`.
pub trait Node: Send {
    /// Called once before the first packet, on the thread that will call `process`. Load models here.
    ///
    /// # Errors
    /// Ends the pipeline before any packet was taken.
    fn initialize(&mut self) -> Result<(), NodeError> {
        Ok(())
    }

    /// Takes one packet and pushes any number of packets (none is a filter).
    ///
    /// # Errors
    /// Ends the pipeline unless a policy says otherwise. `ErrorKind::Transient` promises that the node's
    /// state is as it was before the call.
    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError>;

    /// Forgets everything that the packets so far left in the node, as if the next packet were the first: called between
    /// two calls, on the thread that calls `process`, when somebody interrupted the pipeline. It keeps what `initialize`
    /// made, such as a model, and emits nothing.
    ///
    /// Returns true when the node has forgotten everything. A node that cannot stays as it is and returns false; a node
    /// whose descriptor says `stateless` need not say anything.
    ///
    /// # Errors
    /// Ends the pipeline.
    fn reset(&mut self) -> Result<bool, NodeError> {
        Ok(false)
    }

    /// Called once at the end of the stream, after the last packet of every input.
    ///
    /// # Errors
    /// Ends the pipeline as a failed one.
    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        let _ = out;
        Ok(())
    }

    /// Always the last call, also after an error or a cancellation. Must not fail.
    fn cleanup(&mut self) {}

    /// The sandboxed memory that this node holds now, in bytes; `None` where nobody counts it.
    fn memory_bytes(&self) -> Option<u64> {
        None
    }
}

/// Where a node puts the packets it produces. The engine keeps one per node and reuses it, so a push in steady
/// state does not allocate.
#[derive(Debug, Default)]
pub struct Outputs {
    packets: Vec<Packet>,
    /// Where each was pushed to. Apart from them: a packet beside its port is put together on the stack and copied from
    /// there in words that straddle the two, for which most processors stall some nanoseconds.
    ports: Vec<Port>,
    connected: Connected,
    notes: CallNotes,
}

/// Which output ports somebody listens to: bit n is port n; ports past 63 count as connected.
#[derive(Clone, Copy, Debug)]
struct Connected(u64);

impl Default for Connected {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

impl Outputs {
    /// An empty collector whose every port counts as connected.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty collector to which only `ports` are connected.
    #[must_use]
    pub fn connected_to(ports: impl IntoIterator<Item = Port>) -> Self {
        let bits = ports.into_iter().filter(|port| port.0 < 64).fold(0, |bits, port| bits | 1 << port.0);
        Self { connected: Connected(bits), ..Self::default() }
    }

    /// True when somebody listens to `port`; a node may skip the work for a port that nobody reads.
    #[must_use]
    pub fn is_connected(&self, port: Port) -> bool {
        port.0 >= 64 || self.connected.0 >> port.0 & 1 == 1
    }

    /// Emits `packet` on the first output port.
    pub fn push(&mut self, packet: Packet) {
        self.push_to(Port::FIRST, packet);
    }

    /// Emits `packet` on `port`. Packets for a port that nobody reads are dropped here.
    pub fn push_to(&mut self, port: Port, packet: Packet) {
        if self.is_connected(port) {
            self.packets.push(packet);
            self.ports.push(port);
        }
    }

    /// True when there is one packet and it was pushed to `port`: what a transform emits.
    #[inline]
    #[must_use]
    pub fn has_only(&self, port: Port) -> bool {
        self.ports == [port]
    }

    /// Takes the packet of [`Self::has_only`], without the cost of a list. Not as an `Option`: that one would share a
    /// word with the packet, which makes the compiler take the packet apart, and a hop half as long again.
    ///
    /// # Panics
    /// When there is no packet; of several, all but the first would be lost.
    #[inline]
    pub fn take_only(&mut self) -> Packet {
        debug_assert_eq!(self.packets.len(), 1, "it is not the only packet");
        self.ports.clear();
        self.packets.swap_remove(0)
    }

    /// Takes the packets in the order they were pushed, keeping the storage.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (Port, Packet)> {
        self.ports.drain(..).zip(self.packets.drain(..))
    }

    /// Takes back what was pushed after the first `len` packets: a call that failed emits nothing.
    pub fn truncate(&mut self, len: usize) {
        self.ports.truncate(len);
        self.packets.truncate(len);
    }

    /// What the call tells about itself, for whoever counts.
    pub fn notes(&mut self) -> &mut CallNotes {
        &mut self.notes
    }

    /// How many packets wait to be taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Bytes of the payloads that wait to be taken, as [`crate::Payload::byte_count`] counts them.
    #[must_use]
    #[inline]
    pub fn byte_count(&self) -> usize {
        self.packets.iter().map(|packet| packet.payload.byte_count()).sum()
    }

    /// True when no packet waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_for_a_port_nobody_reads_are_dropped() {
        let mut out = Outputs::connected_to([Port(1)]);
        out.push(Packet::new(0, "unread"));
        out.push_to(Port(1), Packet::new(1, "read"));
        assert!(!out.is_connected(Port(0)) && out.is_connected(Port(1)) && out.is_connected(Port(70)));
        let taken: Vec<_> = out.drain().map(|(port, packet)| (port, packet.pts_ns)).collect();
        assert_eq!(taken, [(Port(1), 1)]);
        assert!(out.is_empty());
        (0..3).for_each(|pts_ns| out.push_to(Port(1), Packet::new(pts_ns, "x")));
        assert!(!out.has_only(Port(1)));
        out.truncate(1);
        assert_eq!(out.drain().map(|(_, packet)| packet.pts_ns).collect::<Vec<_>>(), [0]);
        assert!(!out.has_only(Port(1)));
        out.push_to(Port(1), Packet::new(7, "x"));
        assert!(out.has_only(Port(1)) && !out.has_only(Port(0)));
        assert_eq!((out.take_only().pts_ns, out.len(), out.drain().len()), (7, 0, 0));
    }
}
