//! One run of a golden case: whole inputs, cut into packets, through the component in the sandbox, put together
//! again per output port.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use remotemedia_core::{Packet, Payload, Port};
use remotemedia_engine::{Output, PipelineOptions, Plan};
use serde_json::Value;

use super::KitError;
use super::stream::{Cut, Samples, Stream};
use crate::Host;

/// What came out of each output port; `None` where nothing did.
pub(super) type Outcome = Vec<Option<Stream>>;

/// Runs `inputs` (index = input port) through the only node of `plan`.
pub(super) fn replay(
    host: &Host,
    plan: &Plan,
    inputs: &[(usize, Stream)],
    cut: Cut,
) -> Result<Outcome, KitError> {
    let Some(node) = plan.graph().nodes().first() else { return Ok(Vec::new()) };
    let ports = node.descriptor.outputs.len();
    let port_of = |index: usize| Port(u16::try_from(index).unwrap_or(u16::MAX));
    let taps = (1..ports).map(|index| (0, port_of(index))).collect();
    let mut pipeline =
        host.start(plan, PipelineOptions { taps, live: false, ..PipelineOptions::default() })?;
    let mut collected: Vec<Collected> = (0..ports).map(|_| Collected::Nothing).collect();
    let mut take = |output: Output| -> Result<(), KitError> {
        match collected.get_mut(usize::from(output.port.0)) {
            Some(port) => port.take(host, output.packet),
            None => Ok(()),
        }
    };
    for (index, packet) in in_order_of_time(inputs, plan, cut) {
        pipeline.feed_port(&node.manifest.id, port_of(index), packet)?;
        while let Some(output) = pipeline.try_next()? {
            take(output)?;
        }
    }
    pipeline.finish()?;
    while let Some(output) = pipeline.next()? {
        take(output)?;
    }
    collected.into_iter().map(Collected::whole).collect()
}

/// The packets of all ports; of those at the same time, the first port's first.
fn in_order_of_time(inputs: &[(usize, Stream)], plan: &Plan, cut: Cut) -> Vec<(usize, Packet)> {
    let kinds = plan.graph().nodes().first().map_or(&[][..], |node| &node.descriptor.inputs);
    let mut streams: Vec<_> = inputs
        .iter()
        .filter_map(|(index, stream)| {
            Some((*index, stream.packets(cut, kinds.get(*index)?.kind).into_iter().peekable()))
        })
        .collect();
    let mut heads = BinaryHeap::new();
    for (at, (port, packets)) in streams.iter_mut().enumerate() {
        heads.extend(packets.peek().map(|packet| Reverse((packet.pts_ns, *port, at))));
    }
    let mut ordered = Vec::new();
    while let Some(Reverse((_, port, at))) = heads.pop() {
        let packets = &mut streams[at].1;
        ordered.extend(packets.next().map(|packet| (port, packet)));
        heads.extend(packets.peek().map(|packet| Reverse((packet.pts_ns, port, at))));
    }
    ordered
}

enum Collected {
    Nothing,
    Audio(Samples),
    Values(Vec<Value>),
}

impl Collected {
    fn take(&mut self, host: &Host, packet: Packet) -> Result<(), KitError> {
        match (&mut *self, &packet.payload) {
            (Self::Nothing, Payload::Audio(audio)) => {
                *self = Self::Audio(Samples { spec: audio.spec(), bytes: audio.as_bytes().to_vec() });
            }
            (Self::Audio(samples), Payload::Audio(audio)) if samples.spec == audio.spec() => {
                samples.bytes.extend_from_slice(audio.as_bytes());
            }
            (Self::Audio(samples), Payload::Audio(audio)) => {
                return Err(KitError::Usage(format!(
                    "the output changed from {} to {} in its middle, and a file has one format",
                    samples.spec,
                    audio.spec()
                )));
            }
            (Self::Nothing, payload) => *self = Self::Values(vec![host.to_json(payload)]),
            (Self::Values(values), payload) => values.push(host.to_json(payload)),
            (Self::Audio(_), other) => {
                return Err(KitError::Usage(format!(
                    "audio and {} came out of one port, and a file holds one of them",
                    other.type_name()
                )));
            }
        }
        Ok(())
    }

    fn whole(self) -> Result<Option<Stream>, KitError> {
        Ok(match self {
            Self::Nothing => None,
            Self::Audio(samples) => Some(Stream::Audio(samples.whole()?)),
            Self::Values(values) => Some(Stream::Values(values)),
        })
    }
}
