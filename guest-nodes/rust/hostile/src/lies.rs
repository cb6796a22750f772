//! Outputs that do not keep what the WIT says about them.

use remotemedia_node::bindings::remotemedia::node::types::{
    Audio, Dtype, Output, Packet, Payload, SampleFormat, Tensor,
};

use crate::Outcome;

/// An output that breaks the rule `lie` names.
pub fn tell(lie: &str, packet: &Packet) -> Outcome {
    let mut pts_ns = packet.pts_ns;
    let audio = |sample_rate, channels, len| {
        Payload::Audio(Audio { format: SampleFormat::Float32, sample_rate, channels, data: vec![0; len] })
    };
    let tensor = |shape, len| Payload::Tensor(Tensor { dtype: Dtype::Float32, shape, data: vec![0; len] });
    let payload = match lie {
        "zero_rate" => audio(0, 1, 4),
        "huge_rate" => audio(u32::MAX, 1, 4),
        "zero_channels" => audio(48_000, 0, 4),
        "many_channels" => audio(48_000, u16::MAX, 4),
        "one_hertz" => audio(1, 1, 4_000),
        "partial_frame" => audio(48_000, 2, 4),
        "partial_sample" => audio(48_000, 1, 7),
        "bad_json" => Payload::Json("{\"open\": ".into()),
        "deep_json" => Payload::Json("[".repeat(100_000)),
        "wide_json" => Payload::Json(format!("[{}{{}}]", "{},".repeat(2_500_000))),
        "bad_utf8" => Payload::Text(not_utf8()),
        "tensor_shape" => tensor(vec![2, 3], 4),
        "tensor_dtype" => {
            Payload::Tensor(Tensor { dtype: Dtype::Float64, shape: vec![4], data: vec![0; 16] })
        }
        "tensor_overflow" => tensor(vec![u32::MAX; 8], 4),
        "tensor_rank" => tensor(vec![1; 10_000], 4),
        "huge_bytes" => Payload::Bytes(vec![0; 40 << 20]),
        "wrong_port" => return Some(Ok(vec![Output { port: 2, packet: packet.clone() }])),
        "one_good_one_bad" => {
            let on = |port| Output { port, packet: packet.clone() };
            return Some(Ok(vec![on(0), on(2)]));
        }
        "wrong_kind" => {
            let packet = Packet { pts_ns: 0, payload: Payload::Text("not audio".into()) };
            return Some(Ok(vec![Output { port: 1, packet }]));
        }
        "many_packets" => {
            let one = || Packet { pts_ns: 0, payload: Payload::Bytes(Vec::new()) };
            return Some(Ok((0..100_000).map(|_| Output { port: 0, packet: one() }).collect()));
        }
        "nan" => filled_with(f32::NAN),
        "first_time" => {
            pts_ns = i64::MIN;
            packet.payload.clone()
        }
        "last_time" => {
            pts_ns = i64::MAX;
            packet.payload.clone()
        }
        _ => return None,
    };
    Some(Ok(vec![Output { port: 0, packet: Packet { pts_ns, payload } }]))
}

/// A second of one value.
fn filled_with(sample: f32) -> Payload {
    let data = sample.to_le_bytes().repeat(48_000);
    Payload::Audio(Audio { format: SampleFormat::Float32, sample_rate: 48_000, channels: 1, data })
}

#[expect(unsafe_code, reason = "a string that is not UTF-8 cannot be made otherwise")]
fn not_utf8() -> String {
    // SAFETY: none; the string is only handed to the host, which has to find out.
    unsafe { String::from_utf8_unchecked(vec![b'o', b'k', 0xff, 0xfe]) }
}
