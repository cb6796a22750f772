//! A thousand pipelines in one process: at once, and one after the other. None holds up or harms another, and what they
//! took is given back.

use std::collections::HashMap;
use std::path::Path;

use remotemedia_core::{AudioBuffer, Packet, Payload};
use remotemedia_engine::{Pipeline, PipelineOptions, Plan};
use remotemedia_host::{Config, Host};
use serde_json::json;

use crate::binary::repository;
use crate::watched::{Held, alone};

/// How many pipelines.
const PIPELINES: usize = 1_000;

/// Every so many have a stage on a thread of its own, a Python node, and a node that fails.
const WITH_A_THREAD: usize = 10;
const WITH_PYTHON: usize = 50;
const FAILING: usize = 7;

/// A native node, a sandboxed one, and what `number` says.
fn plan(host: &Host, folder: &Path, number: usize) -> Plan {
    let (guest, params) = if number.is_multiple_of(FAILING) {
        ("hostile", json!({"deed": "panic"}))
    } else {
        ("gain", json!({"gain_db": 20}))
    };
    let component = repository().join("target/guests").join(guest).with_extension("wasm");
    assert!(component.is_file(), "{} is not there: run `make setup`", component.display());
    let mut nodes = vec![
        json!({"id": "native", "node_type": "AudioGain", "params": {"gain_db": -20}}),
        json!({"id": "guest", "node_type": guest, "component": component, "params": params}),
    ];
    let mut connections = vec![json!({"from": "native", "to": "guest"})];
    if number.is_multiple_of(WITH_A_THREAD) {
        connections[0]["queue"] = json!({"max_packets": 4});
    }
    if number.is_multiple_of(WITH_PYTHON) {
        nodes.push(json!({"id": "python", "node_type": "many_nodes:Same"}));
        connections.push(json!({"from": "guest", "to": "python"}));
    }
    let manifest =
        json!({"version": "v1", "metadata": {"name": "many"}, "nodes": nodes, "connections": connections});
    let file = folder.join("many.json");
    std::fs::write(&file, manifest.to_string()).unwrap();
    host.plan(&host.load_manifest(&file).unwrap()).unwrap()
}

fn block(number: usize) -> AudioBuffer {
    AudioBuffer::from_f32(16_000, 1, vec![number as f32 / (2 * PIPELINES) as f32; 320]).unwrap()
}

/// The plans of all pipelines. Those of one kind share theirs, as sessions do.
fn plans(host: &Host, folder: &Path) -> Vec<Plan> {
    let mut made: HashMap<[bool; 3], Plan> = HashMap::new();
    let kind =
        |number: usize| [WITH_A_THREAD, WITH_PYTHON, FAILING].map(|every| number.is_multiple_of(every));
    (0..PIPELINES)
        .map(|number| made.entry(kind(number)).or_insert_with(|| plan(host, folder, number)).clone())
        .collect()
}

/// Feeds one block and ends the stream; each pipeline has its own level.
fn finish(pipeline: &mut Pipeline, number: usize) {
    let ended = pipeline.run([("native", Packet::new(0, block(number)))]);
    if number.is_multiple_of(FAILING) {
        let error = ended.unwrap_err();
        assert_eq!(&*error.node_id, "guest", "{number}: {error}");
        return;
    }
    let outputs = ended.unwrap_or_else(|error| panic!("{number}: {error}"));
    let [output] = &outputs[..] else { panic!("{number}: {outputs:?}") };
    let Payload::Audio(audio) = &output.packet.payload else { panic!("{number}: {output:?}") };
    let expected = block(number);
    let pairs = audio.as_f32().unwrap().iter().zip(expected.as_f32().unwrap());
    assert_eq!(audio.frames(), 320);
    assert!(pairs.into_iter().all(|(got, wanted)| (got - wanted).abs() < 1e-6), "{number}");
}

fn start(host: &Host, plan: &Plan) -> Pipeline {
    host.start(plan, PipelineOptions::default()).unwrap()
}

fn host(folder: &Path) -> Host {
    // As the program does.
    remotemedia_host::give_back_freed_memory();
    let class = "class Same:\n    def process(self, value):\n        return value\n";
    std::fs::write(folder.join("many_nodes.py"), class).unwrap();
    Host::new(Config { current_dir: Some(repository().to_path_buf()), ..Config::default() })
}

/// What a round may leave behind by chance: what the allocator has not given back yet, in each arena at most 4 MiB (what
/// `give_back_freed_memory` lets it keep) and in fact a part of that. A pipeline that left 10 KiB would leave 10 MiB.
const MOST_LEFT_BYTES: u64 = 8 << 20;

/// What a pipeline of these may take: the pages that its guest touches, its nodes and buffers. 108 KiB were measured.
const MOST_EACH_BYTES: u64 = 256 << 10;

#[test]
fn a_thousand_pipelines_at_once_work_side_by_side_and_the_next_thousand_takes_nothing_more() {
    alone(|| {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path());
        let plans = plans(&host, folder.path());
        let round = || {
            let mut pipelines: Vec<Pipeline> = plans.iter().map(|plan| start(&host, plan)).collect();
            let during = Held::now();
            // Backwards, so that none is served in the order in which it came.
            for (number, pipeline) in pipelines.iter_mut().enumerate().rev() {
                finish(pipeline, number);
            }
            during
        };
        let before = Held::now();
        let first = round();
        let between = Held::now();
        let second = round();
        let after = Held::now();
        let each = first.memory_bytes.saturating_sub(before.memory_bytes) / PIPELINES as u64;
        println!("before {before:?}, with {PIPELINES} pipelines {first:?}: {} KiB each", each >> 10);
        println!("after one round {between:?}, with the next {second:?}, after two {after:?}");
        assert!(each < MOST_EACH_BYTES, "{each} bytes for a pipeline");
        // One for each stage that its manifest cuts off, one for Python's first node, one that ends calls.
        assert!(second.threads <= between.threads + PIPELINES / WITH_A_THREAD, "{second:?}");
        assert!(second.files <= between.files + 4, "{second:?}");
        // The pool keeps the places of guests that ended for the next ones.
        second.is_like(&Held { threads: second.threads, ..between }, 2 * MOST_LEFT_BYTES);
        after.is_like(&between, MOST_LEFT_BYTES);
    });
}

#[test]
fn a_thousand_pipelines_one_after_the_other_leave_nothing_behind() {
    alone(|| {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path());
        let plans = plans(&host, folder.path());
        let round =
            || plans.iter().enumerate().for_each(|(number, plan)| finish(&mut start(&host, plan), number));
        round();
        let before = Held::now();
        round();
        let after = Held::now();
        println!("after one round {before:?}, after two {after:?}");
        after.is_like(&before, MOST_LEFT_BYTES);
    });
}
