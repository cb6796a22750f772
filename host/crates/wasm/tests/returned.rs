//! What comes back from a guest that breaks no rule but says too much: every limit of a returned value, by its name.

use remotemedia_core::manifest::Permissions;
use remotemedia_core::policy::{NonFinite, SandboxPolicy};
use remotemedia_core::{ErrorKind, Payload};

use crate::fixture::{audio, buffer, manifest, process, start};
use crate::probing::{answer, probe, runtime, started};

/// What a probe gives for an order under a policy.
fn ordered(order: &str, change: impl FnOnce(&mut SandboxPolicy)) -> Result<Payload, (ErrorKind, String)> {
    let mut policy = SandboxPolicy::default();
    change(&mut policy);
    let mut node = started(&runtime(policy), &probe("".as_ref(), Permissions::default()));
    answer(&mut *node, order).map_err(|error| (error.kind, error.message.into()))
}

#[test]
fn text_json_and_their_sum_have_limits_that_the_error_names() {
    for (order, change, key) in [
        (
            "text 101",
            (|policy| policy.limits.text_bytes = 100) as fn(&mut SandboxPolicy),
            "limits.text_bytes",
        ),
        ("json 100", |policy| policy.limits.json_bytes = 100, "limits.json_bytes"),
        ("json 65", |_| {}, "limits.json_depth"),
        ("bytes 600 2", |policy| policy.limits.returned_bytes = 1_024, "limits.returned_bytes"),
        ("bytes 0 11", |policy| policy.limits.packets_per_call = 10, "limits.packets_per_call"),
    ] {
        let (kind, message) = ordered(order, change).unwrap_err();
        assert_eq!(kind, ErrorKind::LimitExceeded, "{order}: {message}");
        assert!(message.contains(key), "{order}: {message}");
    }
    assert!(ordered("text 100", |policy| policy.limits.text_bytes = 100).is_ok());
    assert!(ordered("json 64", |_| {}).is_ok());
    assert!(ordered("bytes 512 2", |policy| policy.limits.returned_bytes = 1_024).is_ok());
    assert!(ordered("bytes 0 10", |policy| policy.limits.packets_per_call = 10).is_ok());
}

#[test]
fn samples_that_are_no_numbers_become_silence_are_kept_or_stop_the_node() {
    const ORDER: &str = "samples 0.5 nan inf -inf -0.25";
    let samples = |result: Result<Payload, (ErrorKind, String)>| match result.unwrap() {
        Payload::Audio(audio) => audio.as_f32().unwrap().to_vec(),
        other => panic!("{}", other.type_name()),
    };
    assert_eq!(samples(ordered(ORDER, |_| {})), [0.5, 0.0, 0.0, 0.0, -0.25]);
    let kept = samples(ordered(ORDER, |policy| policy.limits.non_finite = NonFinite::Keep));
    assert!(kept[1].is_nan() && kept[2] == f32::INFINITY && kept[4] == -0.25);
    let (kind, message) = ordered(ORDER, |policy| policy.limits.non_finite = NonFinite::Refuse).unwrap_err();
    assert_eq!(kind, ErrorKind::Trap);
    assert!(message.contains("3 samples") && message.contains("limits.non_finite"), "{message}");
    let fine = ordered("samples 1 -1", |policy| policy.limits.non_finite = NonFinite::Refuse);
    assert_eq!(samples(fine), [1.0, -1.0]);
}

#[test]
fn silenced_samples_are_counted_also_where_the_input_s_storage_is_used_again() {
    let runtime = runtime(SandboxPolicy::default());
    let mut gain = start(&runtime, &manifest("gain", serde_json::json!({"gain_db": 20}))).unwrap();
    let out = process(&mut *gain, audio(8_000, 1, vec![0.5, f32::NAN, f32::MAX, 1.0])).unwrap();
    let samples = buffer(out.into_iter().next().unwrap().1);
    assert_eq!(samples.as_f32().unwrap(), [5.0, 0.0, 0.0, 10.0]);
    assert_eq!(runtime.counts().non_finite_samples, 2);
}
