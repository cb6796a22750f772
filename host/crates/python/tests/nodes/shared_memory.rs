//! Arrays share memory with packets: addresses, writability, life time, and the way back.

use bytes::Bytes;
use remotemedia_core::{AudioBuffer, DType, ErrorKind, Payload, Tensor};
use serde_json::json;

use crate::project::{Project, as_audio, stereo};

const LOOK: &str = r#"
class Look:
    def process(self, data):
        samples, rate = data if isinstance(data, tuple) else (data, None)
        return {"address": samples.ctypes.data, "shape": list(samples.shape), "strides": list(samples.strides),
                "dtype": str(samples.dtype), "writable": bool(samples.flags.writeable), "rate": rate,
                "aligned": bool(samples.flags.aligned)}
"#;

#[test]
fn audio_reaches_python_as_a_strided_view_of_the_packets_own_samples() {
    let mut look = Project::new(LOOK).start("Look");
    let audio = stereo(480);
    let address = audio.as_f32().unwrap().as_ptr().addr();
    let seen = look.ask(audio);
    let expected = json!({"address": address, "shape": [2, 480], "strides": [4, 8], "dtype": "float32",
                          "writable": true, "rate": 48_000, "aligned": true});
    assert_eq!(seen, expected);
}

#[test]
fn a_slice_starts_at_its_own_first_sample() {
    let mut look = Project::new(LOOK).start("Look");
    let audio = stereo(100);
    let address = audio.as_f32().unwrap()[20..].as_ptr().addr();
    let seen = look.ask(audio.slice_frames(10, 30));
    assert_eq!((&seen["address"], &seen["shape"]), (&json!(address), &json!([2, 30])));
}

#[test]
fn a_view_is_writable_only_while_nobody_else_holds_the_samples() {
    let mut look = Project::new(LOOK).start("Look");
    let audio = stereo(8);
    let also_held = audio.clone();
    assert_eq!(look.ask(audio)["writable"], json!(false));
    assert_eq!(look.ask(also_held)["writable"], json!(true));
}

#[test]
fn shared_samples_cannot_be_changed_and_own_samples_can() {
    let project = Project::new(
        "
class Halve:
    def process(self, data):
        samples, rate = data
        samples *= 0.5
        return data

class Force:
    def process(self, data):
        data[0].flags.writeable = True
        data[0][:] = 7
",
    );
    let audio = stereo(4);
    let also_held = audio.clone();
    let before = also_held.as_f32().unwrap().to_vec();
    for class in ["Halve", "Force"] {
        let error = project.start(class).try_feed(0, audio.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(error.message.starts_with("ValueError: "), "{error}");
        assert_eq!(also_held.as_f32().unwrap(), before);
    }
    drop(also_held);
    let halved = project.start("Halve").call(audio);
    let expected: Vec<f32> = before.iter().map(|sample| sample / 2.0).collect();
    assert_eq!(as_audio(&halved).as_f32().unwrap(), expected);
}

#[test]
fn an_array_keeps_its_samples_alive_after_the_packet_is_gone() {
    let mut keep = Project::new(
        "
class Keep:
    kept = None
    def process(self, data):
        before, self.kept = self.kept, data[0]
        return None if before is None else float(before.sum())
",
    )
    .start("Keep");
    let ones = |count| AudioBuffer::from_f32(8_000, 1, vec![1.0; count]).unwrap();
    assert!(keep.feed(ones(100_000)).is_empty());
    for count in 1..50 {
        let expected = if count == 1 { 100_000.0 } else { f64::from(count - 1) };
        assert_eq!(keep.ask(ones(count as usize)), json!(expected));
    }
}

#[test]
fn integer_samples_become_floats_of_full_scale_one() {
    let mut values = Project::new(
        "
class Values:
    def process(self, data):
        return [str(data[0].dtype)] + data[0][0].tolist()
",
    )
    .start("Values");
    let audio = AudioBuffer::from_i16(8_000, 1, vec![-32_768, 16_384, 0]).unwrap();
    assert_eq!(values.ask(audio), json!(["float32", -1.0, 0.5, 0.0]));
    let audio = AudioBuffer::from_i32(8_000, 1, vec![i32::MIN, 1 << 30]).unwrap();
    assert_eq!(values.ask(audio), json!(["float32", -1.0, 0.5]));
}

#[test]
fn an_untouched_shared_packet_comes_back_without_a_copy() {
    let mut same = Project::new("class Same:\n    def process(self, data): return data").start("Same");
    let audio = stereo(16);
    let also_held = audio.clone();
    let back = same.call(audio);
    assert_eq!(as_audio(&back).as_f32().unwrap().as_ptr(), also_held.as_f32().unwrap().as_ptr());
    assert_eq!(as_audio(&back), &also_held);
}

#[test]
fn what_was_returned_does_not_change_when_the_author_writes_to_it_later() {
    let mut late = Project::new(
        "
class Late:
    kept = None
    def process(self, data):
        if self.kept is not None:
            self.kept[:] = 99
        self.kept = data[0]
        return data
",
    )
    .start("Late");
    let expected = stereo(4);
    let first = late.call(stereo(4));
    let second = late.call(stereo(4));
    assert_eq!((as_audio(&first), as_audio(&second)), (&expected, &expected));
}

#[test]
fn freezing_an_array_does_not_hide_that_another_view_of_it_is_writable() {
    let project = Project::new(
        "
class Freeze:
    other = None
    def process(self, data):
        if self.other is not None:
            self.other[:] = 99
        samples, rate = data
        self.other = samples[:] if samples.flags.writeable else None
        samples.flags.writeable = False
        return samples, rate
",
    );
    let mut freeze = project.start("Freeze");
    let first = freeze.call(stereo(4));
    freeze.call(stereo(4));
    assert_eq!(as_audio(&first), &stereo(4));
}

#[test]
fn arrays_of_any_layout_and_float_type_come_back_as_interleaved_audio() {
    let project = Project::new(
        r#"
import numpy as np
class Make:
    def __init__(self, layout): self.layout = layout
    def process(self, _):
        planar = np.array([[1, 2, 3], [-1, -2, -3]], np.float32)
        return (eval(self.layout, {"np": np, "planar": planar}), 8000)
"#,
    );
    let interleaved = [1.0, -1.0, 2.0, -2.0, 3.0, -3.0];
    let cases: [(&str, u16, &[f32]); 10] = [
        ("planar", 2, &interleaved),
        ("np.asfortranarray(planar)", 2, &interleaved),
        ("planar.astype(np.float64)", 2, &interleaved),
        ("planar.astype(np.float16)", 2, &interleaved),
        ("planar.astype('>f4')", 2, &interleaved),
        ("planar[:, ::-1]", 2, &[3.0, -3.0, 2.0, -2.0, 1.0, -1.0]),
        ("np.broadcast_to(np.float32([5, 6]), (3, 2))", 3, &[5.0, 5.0, 5.0, 6.0, 6.0, 6.0]),
        ("planar[1]", 1, &[-1.0, -2.0, -3.0]),
        ("planar[0, ::2]", 1, &[1.0, 3.0]),
        ("planar[:, :0]", 2, &[]),
    ];
    for (layout, channels, samples) in cases {
        let out = project.start_with("Make", json!({"layout": layout})).call("go");
        let audio = as_audio(&out);
        assert_eq!(audio.spec().channels, channels, "{layout}");
        assert_eq!(audio.as_f32().unwrap(), samples, "{layout}");
        assert_eq!(audio.spec().sample_rate_hz, 8_000);
    }
}

fn tensor_of(payload: &Payload) -> &Tensor {
    match payload {
        Payload::Tensor(tensor) => tensor,
        other => panic!("not a tensor: {other:?}"),
    }
}

#[test]
fn tensors_are_views_too_writable_only_without_another_owner() {
    let mut look = Project::new(LOOK).start("Look");
    let data = Bytes::from(vec![0; 24]);
    let address = data.as_ptr().addr();
    let tensor = Tensor::new(DType::Int16, &[3, 4], data).unwrap();
    let seen = look.ask(tensor.clone());
    let expected = json!({"address": address, "shape": [3, 4], "strides": [8, 2], "dtype": "int16",
                          "writable": false, "rate": null, "aligned": true});
    assert_eq!(seen, expected);
    let seen = look.ask(tensor);
    assert_eq!((&seen["writable"], &seen["address"]), (&json!(true), &json!(address)));
}

#[test]
fn a_tensor_at_an_odd_address_is_an_unaligned_view_that_numpy_can_read() {
    let project = Project::new(
        "class Sum:\n    def process(self, data): return [float(data.sum()), bool(data.flags.aligned)]",
    );
    let mut bytes = vec![0u8; 17];
    bytes[1..9].copy_from_slice(&1.5f64.to_le_bytes());
    bytes[9..].copy_from_slice(&2.5f64.to_le_bytes());
    let bytes = Bytes::from(bytes);
    let odd = [bytes.slice(0..16), bytes.slice(1..17)].into_iter().find(|part| part.as_ptr().addr() % 8 != 0);
    let odd = odd.unwrap();
    let expected: f64 = odd.chunks_exact(8).map(|part| f64::from_le_bytes(part.try_into().unwrap())).sum();
    let tensor = Tensor::new(DType::Float64, &[2], odd).unwrap();
    assert_eq!(project.start("Sum").ask(tensor), json!([expected, false]));
}

#[test]
fn every_element_type_and_shape_makes_the_round_trip() {
    let project = Project::new(
        "
class Same:
    def process(self, data): return data
class Copy:
    def process(self, data): return data.copy()
class Name:
    def process(self, data): return str(data.dtype)
",
    );
    let types = [
        DType::Bool,
        DType::Uint8,
        DType::Int8,
        DType::Uint16,
        DType::Int16,
        DType::Uint32,
        DType::Int32,
        DType::Uint64,
        DType::Int64,
        DType::Float16,
        DType::Float32,
        DType::Float64,
    ];
    for dtype in types {
        for shape in [&[][..], &[0], &[3], &[2, 0, 2], &[2, 3, 1]] {
            let count = shape.iter().product::<usize>() * dtype.bytes_per_element();
            let data: Vec<u8> = (0..count).map(|i| u8::from(i % 3 == 0)).collect();
            let tensor = Tensor::new(dtype, shape, data.into()).unwrap();
            for class in ["Same", "Copy"] {
                assert_eq!(tensor_of(&project.start(class).call(tensor.clone())), &tensor, "{class}");
            }
            assert_eq!(project.start("Name").ask(tensor), json!(dtype.name()));
        }
    }
}

#[test]
fn arrays_of_any_order_come_back_row_major() {
    let project = Project::new(
        r#"
import numpy as np
class Make:
    def __init__(self, layout): self.layout = layout
    def process(self, _):
        return eval(self.layout, {"np": np, "grid": np.array([[1, 2], [3, 4]], np.int32)})
"#,
    );
    let bytes =
        |values: [i32; 4]| Bytes::from(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    let cases = [
        ("grid", [1, 2, 3, 4]),
        ("grid.T", [1, 3, 2, 4]),
        ("grid[::-1]", [3, 4, 1, 2]),
        ("np.asfortranarray(grid)", [1, 2, 3, 4]),
    ];
    for (layout, values) in cases {
        let out = project.start_with("Make", json!({"layout": layout})).call("go");
        assert_eq!(tensor_of(&out), &Tensor::new(DType::Int32, &[2, 2], bytes(values)).unwrap(), "{layout}");
    }
    let scalar = project.start_with("Make", json!({"layout": "np.array(7, '<i4')"})).call("go");
    assert_eq!(tensor_of(&scalar), &Tensor::new(DType::Int32, &[], Bytes::from(vec![7, 0, 0, 0])).unwrap());
}
