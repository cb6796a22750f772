//! What a call costs the host's heap once a node is warm: the buffers that wasmtime makes for what the guest
//! returned, and nothing else.

use remotemedia_core::{AudioBuffer, Outputs, Packet, Port};
use serde_json::json;

use crate::fixture::{manifest, runtime, start};

/// The list of outputs, and the samples of the one in it.
const RETURNED_BUFFERS: u64 = 2;

#[test]
fn a_call_in_steady_state_allocates_the_returned_buffers_and_nothing_else() {
    let runtime = runtime();
    let mut node = start(&runtime, &manifest("gain", json!({"gain_db": 6}))).unwrap();
    let mut out = Outputs::new();
    let mut packet = Some(Packet::new(0, AudioBuffer::from_f32(48_000, 2, vec![0.25; 960]).unwrap()));
    let mut turn = || {
        node.process(Port::FIRST, packet.take().unwrap(), &mut out).unwrap();
        assert!(out.has_only(Port::FIRST));
        packet = Some(out.take_only());
    };
    (0..10).for_each(|_| turn());
    let calls = 100;
    let counted = allocation_counter::measure(|| (0..calls).for_each(|_| turn()));
    assert_eq!(counted.count_total, calls * RETURNED_BUFFERS);
    assert_eq!(counted.count_current, 0, "nothing stays");
    let samples_bytes = 960 * 4;
    // An output is a handful of words.
    assert!(counted.bytes_total < calls * (samples_bytes + 200), "{} bytes", counted.bytes_total);
}
