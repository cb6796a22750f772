//! Outputs that do not keep what the WIT says about them.

use remotemedia_node::bindings::remotemedia::node::types::{
    Audio, Dtype, ErrorKind, NodeError, Output, Packet, Payload, SampleFormat, Tensor,
};

/// An output that breaks the rule `lie` names.
pub fn tell(lie: &str, packet: Packet) -> Result<Vec<Output>, NodeError> {
    let audio = |sample_rate, channels, len| {
        Payload::Audio(Audio { format: SampleFormat::Float32, sample_rate, channels, data: vec![0; len] })
    };
    let tensor = |shape, len| Payload::Tensor(Tensor { dtype: Dtype::Float32, shape, data: vec![0; len] });
    let payload = match lie {
        "zero_rate" => audio(0, 1, 4),
        "huge_rate" => audio(u32::MAX, 1, 4),
        "zero_channels" => audio(48_000, 0, 4),
        "many_channels" => audio(48_000, u16::MAX, 4),
        "partial_frame" => audio(48_000, 2, 4),
        "partial_sample" => audio(48_000, 1, 7),
        "bad_json" => Payload::Json("{\"open\": ".into()),
        "deep_json" => Payload::Json("[".repeat(100_000)),
        "bad_utf8" => Payload::Text(not_utf8()),
        "tensor_shape" => tensor(vec![2, 3], 4),
        "tensor_overflow" => tensor(vec![u32::MAX; 8], 4),
        "tensor_rank" => tensor(vec![1; 10_000], 4),
        "huge_bytes" => Payload::Bytes(vec![0; 40 << 20]),
        "wrong_port" => return Ok(vec![Output { port: 2, packet }]),
        "one_good_one_bad" => {
            return Ok(vec![Output { port: 0, packet: packet.clone() }, Output { port: 2, packet }]);
        }
        "wrong_kind" => {
            let packet = Packet { pts_ns: 0, payload: Payload::Text("not audio".into()) };
            return Ok(vec![Output { port: 1, packet }]);
        }
        "many_packets" => {
            let one = || Packet { pts_ns: 0, payload: Payload::Bytes(Vec::new()) };
            return Ok((0..100_000).map(|_| Output { port: 0, packet: one() }).collect());
        }
        other => {
            let message = format!("hostile knows no deed `{other}`");
            return Err(NodeError { kind: ErrorKind::InvalidParams, message });
        }
    };
    Ok(vec![Output { port: 0, packet: Packet { pts_ns: packet.pts_ns, payload } }])
}

#[expect(unsafe_code, reason = "a string that is not UTF-8 cannot be made otherwise")]
fn not_utf8() -> String {
    // SAFETY: none; the string is only handed to the host, which has to find out.
    unsafe { String::from_utf8_unchecked(vec![b'o', b'k', 0xff, 0xfe]) }
}
