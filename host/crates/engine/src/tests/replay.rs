//! Quiet moments of a stream, and going over its start again.

use std::sync::Arc;
use std::sync::Mutex;

use remotemedia_core::{ErrorKind, Manifest, Packet, Payload, PayloadKind, PortSpec};
use serde_json::{Value, json};

use super::{TestRuntime, manifest, numbers, values};
use crate::{Output, Pipeline, PipelineOptions, Replay};

/// `Sum` (stateful: the sum of all until now) and `Tag` (stateless); `seen` gets what `Watched` (stateless) is called with.
fn runtime(seen: &Arc<Mutex<Vec<Value>>>) -> TestRuntime {
    let (seen, sums) = (Arc::clone(seen), Mutex::new(0));
    TestRuntime::new()
        .describing("Tag", |descriptor| descriptor.stateless = true)
        .with("Sum", PayloadKind::Json, move |_, _, packet, out| {
            let Payload::Json(value) = &packet.payload else { return Ok(()) };
            let mut sum = sums.lock().unwrap();
            *sum += value.as_i64().unwrap();
            // Every third one goes no further.
            if *sum % 3 != 0 {
                out.push(Packet::new(packet.pts_ns, json!(*sum)));
            }
            Ok(())
        })
        .with("Watched", PayloadKind::Json, move |_, _, packet, out| {
            let Payload::Json(value) = &packet.payload else { return Ok(()) };
            seen.lock().unwrap().push((**value).clone());
            out.push(packet.clone());
            Ok(())
        })
        .describing("Watched", |descriptor| descriptor.stateless = true)
}

/// in → sum → => watched → tag, and sum → other, which is stateful.
fn graph() -> Manifest {
    manifest(
        &[("in", "Tag"), ("sum", "Sum"), ("watched", "Watched"), ("tag", "Tag"), ("other", "Pass")],
        &[("sum", "=>watched"), ("watched", "=>tag"), ("sum", "other")],
    )
}

fn feed(pipeline: &mut Pipeline, range: std::ops::Range<i64>) -> Vec<Output> {
    for packet in numbers(range) {
        pipeline.feed("sum", packet.clone()).unwrap();
        pipeline.feed("in", packet).unwrap();
    }
    pipeline.quiesce().unwrap();
    std::iter::from_fn(|| pipeline.try_next().unwrap()).collect()
}

#[test]
fn the_tail_are_stateless_nodes_that_only_stateless_nodes_follow() {
    let seen = Arc::default();
    let (runtime, manifest) = (
        runtime(&seen),
        manifest(
            &[("early", "Tag"), ("sum", "Sum"), ("a", "Tag"), ("b", "Tag"), ("alone", "Tag")],
            &[("early", "sum"), ("sum", "a"), ("a", "b"), ("sum", "b")],
        ),
    );
    let replay = Replay::new(&runtime.plan(&manifest));
    assert_eq!([0, 1, 2, 3, 4].map(|node| replay.is_tail(node)), [false, false, true, true, true]);
    let entries: Vec<_> = replay.entered().iter().map(|entered| entered.node).collect();
    assert_eq!(entries, [2, 3, 4]);
}

#[test]
fn a_replay_brings_nodes_into_their_state_and_calls_no_node_of_the_tail() {
    let manifest = graph();
    let seen = Arc::default();
    let start = |replay: &Arc<Replay>| {
        let options = PipelineOptions { replay: Some(Arc::clone(replay)), ..PipelineOptions::default() };
        runtime(&seen).start_with(&manifest, options)
    };
    let plan = runtime(&seen).plan(&manifest);
    let whole = Replay::new(&plan);
    let mut pipeline = start(&whole);
    feed(&mut pipeline, 0..60);
    let at_60 = whole.entered();
    let expected = values(&manifest, &feed(&mut pipeline, 60..100));
    let calls = std::mem::take(&mut *seen.lock().unwrap());
    // 1, 3, 6, 10 …: of the sums 0 + 1 + … + n a third is no multiple of three.
    assert_eq!(calls.len(), (0..100).filter(|n| n * (n + 1) / 2 % 3 != 0).count());

    let again = Replay::new(&plan);
    let mut pipeline = start(&again);
    again.set_replaying(true);
    let replayed = feed(&mut pipeline, 0..60);
    assert!(replayed.iter().all(|output| output.node == 4), "only `other`, which is stateful, puts out");
    assert_eq!(again.entered(), at_60);
    assert_eq!(*seen.lock().unwrap(), [] as [Value; 0]);
    again.set_replaying(false);
    let rest = values(&manifest, &feed(&mut pipeline, 60..100));
    let by_node = |outputs: &[(String, Value)], id: &str| -> Vec<Value> {
        outputs.iter().filter(|(node, _)| node == id).map(|(_, value)| value.clone()).collect()
    };
    for id in ["in", "tag", "other"] {
        assert_eq!(by_node(&rest, id), by_node(&expected, id));
    }
    assert_eq!(*seen.lock().unwrap(), calls[calls.len() - by_node(&expected, "tag").len()..]);
}

/// sum → a → b, and sum → b, on the input that `a` feeds as well or on one of its own.
#[test]
fn a_node_that_is_fed_from_the_tail_and_from_outside_can_be_replayed() {
    for (own_input, counted) in [(false, 0), (true, 20)] {
        let seen = Arc::default();
        let runtime = || {
            let two = runtime(&seen).with("Two", PayloadKind::Json, |_, _, packet, out| {
                out.push(packet);
                Ok(())
            });
            two.describing("Two", |descriptor| {
                descriptor.stateless = true;
                descriptor.inputs.push(PortSpec::new("other", PayloadKind::Json));
            })
        };
        let to_b = if own_input { "b.other" } else { "b" };
        let manifest = manifest(
            &[("sum", "Sum"), ("a", "Tag"), ("b", "Two")],
            &[("sum", "a"), ("a", "b"), ("sum", to_b)],
        );
        let start = |replay: &Arc<Replay>| {
            let options = PipelineOptions { replay: Some(Arc::clone(replay)), ..PipelineOptions::default() };
            runtime().start_with(&manifest, options)
        };
        let feed = |pipeline: &mut Pipeline, range| {
            numbers(range).for_each(|packet| pipeline.feed("sum", packet).unwrap());
            pipeline.quiesce().unwrap();
            let outputs: Vec<Output> = std::iter::from_fn(|| pipeline.try_next().unwrap()).collect();
            values(&manifest, &outputs)
        };
        let whole = Replay::new(&runtime().plan(&manifest));
        let mut pipeline = start(&whole);
        assert_eq!(feed(&mut pipeline, 0..60).len(), 2 * 20, "20 of 60 sums are no multiple of three");
        let at_60 = whole.entered();
        assert_eq!(at_60.iter().map(|at| (at.node, at.packets)).collect::<Vec<_>>(), [(1, 20), (2, counted)]);
        let expected = feed(&mut pipeline, 60..100);

        let again = Replay::new(&runtime().plan(&manifest));
        let mut pipeline = start(&again);
        again.set_replaying(true);
        assert_eq!(feed(&mut pipeline, 0..60), []);
        assert_eq!(again.entered(), at_60);
        again.set_replaying(false);
        assert_eq!(feed(&mut pipeline, 60..100), expected);
        assert_eq!(again.entered(), whole.entered());
    }
}

#[test]
fn a_replay_that_differs_in_one_packet_shows() {
    let (manifest, seen) = (graph(), Arc::default());
    let entered = |packets: Vec<Packet>| {
        let runtime = runtime(&seen);
        let replay = Replay::new(&runtime.plan(&manifest));
        let options = PipelineOptions { replay: Some(Arc::clone(&replay)), ..PipelineOptions::default() };
        let mut pipeline = runtime.start_with(&manifest, options);
        packets.into_iter().for_each(|packet| pipeline.feed("in", packet).unwrap());
        pipeline.quiesce().unwrap();
        replay.entered()[0]
    };
    let usual = || numbers(0..20).collect::<Vec<_>>();
    assert_eq!(entered(usual()), entered(usual()));
    let mut later = usual();
    later[7].pts_ns += 1;
    let mut other = usual();
    other[19] = Packet::new(19, json!("19"));
    let mut swapped = usual();
    swapped.swap(3, 4);
    for changed in [later, other, swapped] {
        assert_ne!(entered(changed).checksum, entered(usual()).checksum);
    }
}

#[test]
fn waiting_for_a_quiet_moment_ends_when_the_pipeline_does() {
    let runtime = TestRuntime::new()
        .with("Fails", PayloadKind::Json, |_, _, _, _| Err(remotemedia_core::NodeError::internal("broken")));
    let manifest = manifest(&[("a", "Pass"), ("b", "Fails")], &[("a", "=>b")]);
    let mut pipeline = runtime.start(&manifest);
    pipeline.quiesce().unwrap();
    // The feed may see the failure of the other thread already.
    let fed = pipeline.feed("a", Packet::new(0, json!(1)));
    let error = fed.and_then(|()| pipeline.quiesce()).unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");
}

#[test]
fn waiting_for_a_quiet_moment_while_outputs_may_have_to_wait_is_refused() {
    let manifest = manifest(&[("a", "Pass"), ("b", "Pass")], &[("a", "=>b")]);
    let options = PipelineOptions { max_waiting_outputs: Some(1), ..PipelineOptions::default() };
    let mut pipeline = TestRuntime::new().start_with(&manifest, options);
    numbers(0..2).for_each(|packet| pipeline.feed("a", packet).unwrap());
    let error = pipeline.quiesce().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("at most 1 outputs"), "{error}");
    // The pipeline itself goes on.
    pipeline.finish().unwrap();
    assert_eq!(std::iter::from_fn(|| pipeline.next().unwrap()).count(), 2);
}
