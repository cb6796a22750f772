//! The cost of a call into CPython with 10 ms of 48 kHz mono audio: as a numpy view and, for contrast, as a list of
//! floats; on a thread that stays attached and on one that attaches for every call; behind the engine's queue. What
//! the Python code itself does is next to nothing. And native nodes beside a Python node that keeps the interpreter.
#![expect(
    clippy::print_stdout,
    reason = "one of its numbers is a longest time, which criterion does not tell"
)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use remotemedia_core::{
    AudioBuffer, Manifest, ManifestError, Node, NodeError, NodeManifest, Outputs, Packet, Payload, Port,
    Runtime, RuntimeKind,
};
use remotemedia_engine::{PipelineOptions, Plan};
use remotemedia_host::{Config, Host};
use serde_json::{Value, json};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn manifest(class: &str) -> NodeManifest {
    let mut manifest = NodeManifest::new("it", format!("cpython_nodes:{class}"));
    manifest.base_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    manifest
}

fn audio() -> Fallible<AudioBuffer> {
    Ok(AudioBuffer::from_f32(48_000, 1, vec![0.25; 480])?)
}

fn cpython(host: &Host) -> Fallible<Arc<dyn Runtime>> {
    Ok(Arc::clone(host.runtimes().get(RuntimeKind::Cpython).ok_or("the host has no cpython runtime")?))
}

/// One call; what comes out is dropped, as the next node would.
fn call(node: &mut dyn Node, out: &mut Outputs, payload: Payload) {
    let outcome: Result<(), NodeError> = node.process(Port::FIRST, Packet::new(0, payload), out);
    assert!(outcome.is_ok(), "{outcome:?}");
    out.drain().for_each(|packet| drop(black_box(packet)));
}

fn bench_call(criterion: &mut Criterion, name: &str, node: &mut dyn Node, make: impl Fn() -> Payload) {
    let mut out = Outputs::new();
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(&make, |payload| call(node, &mut out, payload), BatchSize::SmallInput);
    });
}

/// Calls on a thread that stays attached, as the engine's stages do.
fn inline(criterion: &mut Criterion, runtime: &dyn Runtime) -> Fallible<()> {
    let shared = audio()?;
    let list = Payload::from(json!(vec![0.25; 480]));
    let own = || AudioBuffer::from_f32(48_000, 1, vec![0.25; 480]).unwrap_or_else(|_| shared.clone()).into();
    let mut nodes = ["Take", "Same", "Halve", "Coroutine"].map(|class| runtime.create(&manifest(class)));
    let [Ok(take), Ok(same), Ok(halve), Ok(coroutine)] = &mut nodes else {
        return Err(format!("{:?}", nodes.map(Result::err)).into());
    };
    runtime.enter_thread(&mut || {
        let view = || shared.clone().into();
        bench_call(criterion, "cpython/inline/view_480_f32", take.as_mut(), view);
        bench_call(criterion, "cpython/inline/view_480_f32_returned", same.as_mut(), view);
        bench_call(criterion, "cpython/inline/view_480_f32_halved_in_place", halve.as_mut(), own);
        bench_call(criterion, "cpython/inline/view_480_f32_coroutine", coroutine.as_mut(), view);
        bench_call(criterion, "cpython/inline/list_of_480_floats", take.as_mut(), || list.clone());
    });
    // The same call on a thread that the interpreter does not know: every call attaches and detaches.
    bench_call(criterion, "cpython/attach_per_call/view_480_f32", take.as_mut(), || shared.clone().into());
    Ok(())
}

/// There and back through the engine: the packet wakes the Python node's thread, its output the caller.
fn behind_a_queue(criterion: &mut Criterion, host: &Host) -> Fallible<()> {
    let plan = planned(host, json!({"nodes": [], "connections": []}), Some(manifest("Same")))?;
    let mut pipeline = host.start(&plan, PipelineOptions::default())?;
    let shared = audio()?;
    let mut failure = None;
    criterion.bench_function("cpython/behind_a_queue/view_480_f32_there_and_back", |bencher| {
        bencher.iter(|| {
            let outcome = pipeline.feed("it", Packet::new(0, shared.clone())).and_then(|()| pipeline.next());
            failure = failure.take().or(outcome.err());
        });
    });
    pipeline.finish()?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// How long 20 ms of audio take through three native nodes while a Python node of another pipeline keeps the interpreter
/// for 200 ms at a time: the longest of ten seconds' chunks, beside the longest when nobody does.
fn beside_a_held_interpreter(host: &Host) -> Fallible<()> {
    let nodes = json!([
        {"id": "a", "node_type": "AudioGain", "params": {"gain_db": 6.0}},
        {"id": "b", "node_type": "AudioGain", "params": {"gain_db": -6.0}},
        {"id": "c", "node_type": "AudioResample", "params": {"target_sample_rate": 16_000}}]);
    let edges = json!([{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]);
    let native = planned(host, json!({"nodes": nodes, "connections": edges}), None)?;
    let holding = planned(host, json!({"nodes": [], "connections": []}), Some(manifest("Hold")))?;
    let audio = AudioBuffer::from_f32(48_000, 1, vec![0.25; 960])?;
    for held in [false, true] {
        let stop = AtomicBool::new(false);
        let longest = thread::scope(|scope| -> Fallible<Duration> {
            let holder = held.then(|| {
                scope.spawn(|| -> Result<(), NodeError> {
                    let mut pipeline = host.start(&holding, PipelineOptions::default())?;
                    while !stop.load(Ordering::Relaxed) {
                        pipeline.feed("it", Packet::new(0, json!(1)))?;
                        pipeline.next()?;
                    }
                    pipeline.finish()
                })
            });
            let mut pipeline = host.start(&native, PipelineOptions::default())?;
            let began = Instant::now();
            let mut longest = Duration::ZERO;
            while began.elapsed() < Duration::from_secs(10) {
                let called = Instant::now();
                pipeline.feed("a", Packet::new(0, audio.clone()))?;
                while let Some(output) = pipeline.try_next()? {
                    black_box(output);
                }
                longest = longest.max(called.elapsed());
            }
            stop.store(true, Ordering::Relaxed);
            if let Some(holder) = holder {
                holder.join().map_err(|_| "the holder panicked")??;
            }
            Ok(longest)
        })?;
        println!(
            "interpreter {}: longest chunk {longest:?}",
            if held { "held 200 ms at a time" } else { "free" }
        );
    }
    Ok(())
}

fn planned(host: &Host, mut document: Value, node: Option<NodeManifest>) -> Fallible<Plan> {
    document["version"] = json!("v1");
    document["metadata"] = json!({"name": "bench"});
    let mut graph: Manifest = serde_json::from_value(document)?;
    graph.nodes.extend(node);
    host.plan(&graph).map_err(|faults| {
        faults.0.into_iter().next().unwrap_or_else(|| ManifestError::new("$", "refused")).to_string().into()
    })
}

fn bench(criterion: &mut Criterion) {
    let host = Host::new(Config::default());
    let outcome = cpython(&host).and_then(|runtime| {
        // The thread that starts the interpreter stays known to it, so the calls are measured on another: this one.
        thread::scope(|scope| scope.spawn(|| runtime.describe(&manifest("Take")).map(drop)).join())
            .map_err(|_| "starting the interpreter panicked")??;
        inline(criterion, runtime.as_ref())?;
        behind_a_queue(criterion, &host)?;
        beside_a_held_interpreter(&host)
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

criterion_group!(benches, bench);
criterion_main!(benches);
