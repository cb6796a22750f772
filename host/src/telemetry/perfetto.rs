//! The part of Perfetto's trace format that is written here: `TracePacket`s with descriptions of tracks, and with events
//! on them. Names and numbers are those of `protos/perfetto/trace/trace_packet.proto` and what it imports; the meaning of
//! every field is told there.

use std::io::{self, Write};

use prost::Message;

/// Tracks of one parent are in the order of their ranks.
pub const ORDER_EXPLICIT: i32 = 3;
pub const SLICE_BEGIN: i32 = 1;
pub const SLICE_END: i32 = 2;
pub const INSTANT: i32 = 3;
pub const COUNTER: i32 = 4;
/// The unit of a counter that counts.
pub const UNIT_COUNT: i32 = 2;
/// Nothing was said before this packet that it refers to.
pub const STATE_CLEARED: u32 = 1;

/// The key of `Trace.packet`, under which a packet is in a file.
const PACKET_KEY: u8 = (1 << 3) | 2;

#[derive(Clone, PartialEq, Message)]
pub struct TracePacket {
    #[prost(uint64, optional, tag = "8")]
    pub timestamp: Option<u64>,
    #[prost(uint32, tag = "10")]
    pub trusted_packet_sequence_id: u32,
    #[prost(message, optional, tag = "11")]
    pub track_event: Option<TrackEvent>,
    #[prost(uint32, tag = "13")]
    pub sequence_flags: u32,
    #[prost(message, optional, tag = "60")]
    pub track_descriptor: Option<TrackDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TrackDescriptor {
    #[prost(uint64, tag = "1")]
    pub uuid: u64,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub process: Option<ProcessDescriptor>,
    #[prost(uint64, optional, tag = "5")]
    pub parent_uuid: Option<u64>,
    #[prost(message, optional, tag = "8")]
    pub counter: Option<CounterDescriptor>,
    #[prost(int32, optional, tag = "11")]
    pub child_ordering: Option<i32>,
    #[prost(int32, optional, tag = "12")]
    pub sibling_order_rank: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ProcessDescriptor {
    #[prost(int32, tag = "1")]
    pub pid: i32,
    #[prost(string, tag = "6")]
    pub process_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct CounterDescriptor {
    #[prost(int32, tag = "3")]
    pub unit: i32,
    #[prost(string, tag = "6")]
    pub unit_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct TrackEvent {
    #[prost(message, repeated, tag = "4")]
    pub debug_annotations: Vec<DebugAnnotation>,
    #[prost(int32, tag = "9")]
    pub r#type: i32,
    #[prost(uint64, tag = "11")]
    pub track_uuid: u64,
    #[prost(string, repeated, tag = "22")]
    pub categories: Vec<String>,
    #[prost(string, optional, tag = "23")]
    pub name: Option<String>,
    #[prost(int64, optional, tag = "30")]
    pub counter_value: Option<i64>,
    #[prost(fixed64, repeated, packed = "false", tag = "47")]
    pub flow_ids: Vec<u64>,
    #[prost(fixed64, repeated, packed = "false", tag = "48")]
    pub terminating_flow_ids: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DebugAnnotation {
    #[prost(uint64, optional, tag = "3")]
    pub uint_value: Option<u64>,
    #[prost(int64, optional, tag = "4")]
    pub int_value: Option<i64>,
    #[prost(string, optional, tag = "6")]
    pub string_value: Option<String>,
    #[prost(string, tag = "10")]
    pub name: String,
}

impl DebugAnnotation {
    pub fn uint(name: &str, value: u64) -> Self {
        Self { name: name.into(), uint_value: Some(value), ..Self::default() }
    }

    pub fn int(name: &str, value: i64) -> Self {
        Self { name: name.into(), int_value: Some(value), ..Self::default() }
    }

    pub fn text(name: &str, value: &str) -> Self {
        Self { name: name.into(), string_value: Some(value.into()), ..Self::default() }
    }
}

/// Writes packets of one sequence, one after the other.
pub struct PacketWriter<W> {
    to: W,
    encoded: Vec<u8>,
    is_first: bool,
}

impl<W: Write> PacketWriter<W> {
    pub fn new(to: W) -> Self {
        Self { to, encoded: Vec::new(), is_first: true }
    }

    fn write(&mut self, mut packet: TracePacket) -> io::Result<()> {
        packet.trusted_packet_sequence_id = 1;
        if std::mem::take(&mut self.is_first) {
            packet.sequence_flags = STATE_CLEARED;
        }
        self.encoded.clear();
        self.encoded.push(PACKET_KEY);
        packet.encode_length_delimited(&mut self.encoded).map_err(io::Error::other)?;
        self.to.write_all(&self.encoded)
    }

    pub fn track(&mut self, track: TrackDescriptor) -> io::Result<()> {
        self.write(TracePacket { track_descriptor: Some(track), ..TracePacket::default() })
    }

    pub fn event(&mut self, at_ns: u64, event: TrackEvent) -> io::Result<()> {
        self.write(TracePacket { timestamp: Some(at_ns), track_event: Some(event), ..TracePacket::default() })
    }
}
