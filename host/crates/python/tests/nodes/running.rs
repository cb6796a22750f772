//! The verbs of a node: sync and async, generators, life cycle, time stamps.

use remotemedia_core::{Outputs, Packet, Port, Runtime};
use serde_json::json;

use crate::project::{Project, as_json, runtime};

const VERBS: &str = r#"
import asyncio, contextvars

class Plain:
    def process(self, n): return n + 1

class Coroutine:
    async def process(self, n):
        await asyncio.sleep(0)
        return n + 1

class Generator:
    def process(self, n):
        for i in range(n):
            yield i if i != 1 else None

class AsyncGenerator:
    async def process(self, n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i if i != 1 else None

class OneLoop:
    loops = None
    async def process(self, _):
        self.loops = (self.loops or set()) | {id(asyncio.get_running_loop())}
        return len(self.loops)

class Background:
    """Hands packets to a task of its own and gets the answers through futures."""
    def __init__(self): self.queue = None
    async def initialize(self):
        self.queue = asyncio.Queue()
        self.worker = asyncio.ensure_future(self.work())
    async def work(self):
        while True:
            value, answer = await self.queue.get()
            answer.set_result(value * 10)
    async def process(self, value):
        answer = asyncio.get_running_loop().create_future()
        await self.queue.put((value, answer))
        return await answer
"#;

#[test]
fn plain_functions_coroutines_and_generators_of_both_kinds_give_outputs() {
    let project = Project::new(VERBS);
    let cases = [
        ("Plain", vec![json!(4)]),
        ("Coroutine", vec![json!(4)]),
        ("Generator", vec![json!(0), json!(2)]),
        ("AsyncGenerator", vec![json!(0), json!(2)]),
    ];
    for (class, expected) in cases {
        let mut node = project.start(class);
        for _ in 0..3 {
            let packets = node.try_feed(77, json!(3)).unwrap();
            assert!(packets.iter().all(|packet| packet.pts_ns == 77), "{class}");
            let values: Vec<_> = packets.iter().map(|packet| as_json(&packet.payload)).collect();
            assert_eq!(values, expected, "{class}");
        }
    }
}

#[test]
fn a_node_keeps_one_event_loop_and_its_tasks_between_calls() {
    let project = Project::new(VERBS);
    let mut one_loop = project.start("OneLoop");
    let mut background = project.start("Background");
    for n in 1..4 {
        assert_eq!(one_loop.ask(json!(n)), json!(1));
        assert_eq!(background.ask(json!(n)), json!(n * 10));
    }
}

#[test]
fn initialize_and_cleanup_run_in_order_and_may_be_coroutines() {
    let project = Project::new(
        r#"
import asyncio
log = []
class Sync:
    def initialize(self): log.append("sync up")
    def process(self, _): log.append("sync call")
    def cleanup(self): log.append("sync down")
class Async:
    async def initialize(self):
        await asyncio.sleep(0)
        log.append("async up")
    async def process(self, _): log.append("async call")
    async def cleanup(self):
        await asyncio.sleep(0)
        log.append("async down")
class Log:
    def process(self, _): return list(log)
"#,
    );
    let mut sync_node = project.start("Sync");
    let mut async_node = project.start("Async");
    sync_node.feed(json!(0));
    async_node.feed(json!(0));
    drop(async_node);
    drop(sync_node);
    let expected = json!(["sync up", "async up", "sync call", "async call", "async down", "sync down"]);
    assert_eq!(project.start("Log").ask(json!(0)), expected);
}

#[test]
fn flush_gives_the_rest_at_the_time_of_the_last_packet() {
    let project = Project::new(
        "
class Pairs:
    rest = None
    def process(self, n):
        if self.rest is None:
            self.rest = n
        else:
            first, self.rest = self.rest, None
            return [first, n]
    def flush(self): return None if self.rest is None else [self.rest]

class AsyncPairs(Pairs):
    async def flush(self):
        yield [self.rest]
        yield 'end'
",
    );
    let flushed = |class: &str, count: i64| {
        let mut node = project.start(class);
        for n in 0..count {
            let outputs = node.try_feed(n * 100, json!(n)).unwrap();
            assert_eq!(outputs.len() as i64, n % 2);
        }
        let packets = node.flush();
        packets.iter().map(|packet| (packet.pts_ns, as_json(&packet.payload))).collect::<Vec<_>>()
    };
    assert_eq!(flushed("Pairs", 4), []);
    assert_eq!(flushed("Pairs", 3), [(200, json!([2]))]);
    assert_eq!(flushed("AsyncPairs", 3), [(200, json!([2])), (200, json!("end"))]);
}

#[test]
fn a_node_with_several_inputs_is_told_the_port() {
    let project = Project::new(
        "
class Tell:
    remotemedia_inputs = {'speech': 'audio', 'cue': 'json'}
    def process(self, value, port): return [port, value]
",
    );
    let mut node = runtime().create(&project.manifest("nodes:Tell", json!({}))).unwrap();
    let mut out = Outputs::new();
    node.process(Port(1), Packet::new(0, json!(5)), &mut out).unwrap();
    node.process(Port(0), Packet::new(0, json!(6)), &mut out).unwrap();
    let got: Vec<_> = out.drain().map(|(_, packet)| as_json(&packet.payload)).collect();
    assert_eq!(got, [json!(["cue", 5]), json!(["speech", 6])]);
}

#[test]
fn what_a_node_prints_stays_away_from_the_hosts_standard_output() {
    let project = Project::new(
        "
import sys
class Out:
    def process(self, _): return [sys.stdout is sys.stderr, sys.stdout.fileno()]
",
    );
    assert_eq!(project.start("Out").ask(json!(0)), json!([true, 2]));
}
