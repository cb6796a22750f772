//! Every kind of payload goes into a guest and comes back as it was.

use bytes::Bytes;
use remotemedia_core::{DType, ErrorKind, Opaque, Packet, Payload, Tensor};
use serde_json::json;

use crate::fixture::{error_of, manifest, process, runtime, start};

fn echo(payload: impl Into<Payload>) -> Payload {
    let mut node = start(&runtime(), &manifest("hostile", json!({"deed": "none"}))).unwrap();
    let mut out = process(&mut *node, Packet::new(77, payload)).unwrap();
    assert_eq!(out.len(), 1);
    let packet = out.remove(0).1;
    assert_eq!(packet.pts_ns, 77);
    packet.payload
}

#[test]
fn text_json_tensors_and_bytes_survive() {
    assert!(matches!(echo("grüße, 世界"), Payload::Text(text) if &*text == "grüße, 世界"));
    let value = json!({"a": [1, 2.5, null, true, "ü"], "big": u64::MAX, "z": {}});
    assert!(matches!(echo(value.clone()), Payload::Json(back) if *back == value));
    let bytes = Bytes::from((0..=255).collect::<Vec<u8>>());
    assert!(matches!(echo(bytes.clone()), Payload::Bytes(back) if back == bytes));
    for (dtype, shape) in [
        (DType::Bool, vec![3]),
        (DType::Uint8, vec![]),
        (DType::Int8, vec![0, 4]),
        (DType::Uint16, vec![2]),
        (DType::Int16, vec![2, 2]),
        (DType::Uint32, vec![1]),
        (DType::Int32, vec![5]),
        (DType::Uint64, vec![1, 1, 1]),
        (DType::Int64, vec![2]),
        (DType::Float16, vec![3]),
        (DType::Float32, vec![2, 3]),
        (DType::Float64, vec![7]),
    ] {
        let length = shape.iter().product::<usize>() * dtype.bytes_per_element();
        let tensor = Tensor::new(dtype, &shape, Bytes::from(vec![1; length])).unwrap();
        assert!(matches!(echo(tensor.clone()), Payload::Tensor(back) if *back == tensor), "{}", dtype.name());
    }
}

#[test]
fn an_object_of_another_runtime_is_refused_before_the_guest_sees_it() {
    let mut node = start(&runtime(), &manifest("hostile", json!({}))).unwrap();
    let packet = Packet { pts_ns: 0, payload: Payload::Object(Opaque::new("tuple", ())) };
    let error = error_of(process(&mut *node, packet));
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.is_wrong_kind && error.message.contains("got tuple"), "{error}");
    assert!(process(&mut *node, Packet::new(0, "x")).is_ok());
}
