//! Nodes that take the whole stream as one asynchronous generator.

use remotemedia_core::{ErrorKind, Payload};
use serde_json::{Value, json};

use crate::project::{Project, Running, as_json};

const STREAMS: &str = r#"
import asyncio

class Echo:
    is_streaming = True
    async def process(self, stream):
        async for n in stream:
            yield n
        yield "end"

class Pairs:
    is_streaming = True
    async def process(self, stream):
        held = []
        async for n in stream:
            held.append(n)
            await asyncio.sleep(0)
            if len(held) == 2:
                yield held
                held = []
        if held:
            yield held

class FirstTwo:
    is_streaming = True
    async def process(self, stream):
        count = 0
        async for n in stream:
            yield n
            count += 1
            if count == 2:
                return

class Total:
    is_streaming = True
    async def process(self, stream):
        total = 0
        async for n in stream:
            total += n
        return total

class Fails:
    is_streaming = True
    async def process(self, stream):
        async for n in stream:
            yield 10 // n

class NotAsync:
    is_streaming = True
    def process(self, stream):
        return 5

class ByManifest:
    async def process(self, stream):
        async for n in stream:
            yield n * 2

closed = []
class Closes:
    is_streaming = True
    async def process(self, stream):
        self.helper = asyncio.create_task(self.help())
        await asyncio.sleep(0)
        try:
            async for n in stream:
                yield n
        finally:
            closed.append("stream")
    async def help(self):
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append("task")
    def cleanup(self): closed.append("cleanup")

class Closed:
    def process(self, _): return closed
"#;

fn feed(node: &mut Running, pts_ns: i64, n: i64) -> Vec<(i64, Value)> {
    let packets = node.try_feed(pts_ns, json!(n)).unwrap();
    packets.iter().map(|packet| (packet.pts_ns, as_json(&packet.payload))).collect()
}

fn flush(node: &mut Running) -> Vec<(i64, Value)> {
    node.flush().iter().map(|packet| (packet.pts_ns, as_json(&packet.payload))).collect()
}

#[test]
fn outputs_come_as_soon_as_their_input_was_consumed() {
    let mut echo = Project::new(STREAMS).start("Echo");
    for n in 1..=5 {
        assert_eq!(feed(&mut echo, n * 100, n), [(n * 100, json!(n))]);
    }
    assert_eq!(flush(&mut echo), [(500, json!("end"))]);
}

#[test]
fn an_output_has_the_time_of_the_newest_item_it_needed() {
    let mut pairs = Project::new(STREAMS).start("Pairs");
    assert_eq!(feed(&mut pairs, 100, 1), []);
    assert_eq!(feed(&mut pairs, 200, 2), [(200, json!([1, 2]))]);
    assert_eq!(feed(&mut pairs, 300, 3), []);
    assert_eq!(flush(&mut pairs), [(300, json!([3]))]);
}

#[test]
fn an_empty_stream_ends_at_once() {
    let project = Project::new(STREAMS);
    assert_eq!(flush(&mut project.start("Echo")), [(0, json!("end"))]);
    assert_eq!(flush(&mut project.start("Total")), [(0, json!(0))]);
}

#[test]
fn a_node_may_stop_listening_before_the_end() {
    let mut node = Project::new(STREAMS).start("FirstTwo");
    let outputs: Vec<_> = (1..=4).flat_map(|n| feed(&mut node, n, n)).collect();
    assert_eq!(outputs, [(1, json!(1)), (2, json!(2))]);
    assert_eq!(flush(&mut node), []);
}

#[test]
fn a_coroutine_gives_its_one_result_at_the_end() {
    let mut total = Project::new(STREAMS).start("Total");
    for n in 1..=10 {
        assert_eq!(feed(&mut total, n, n), []);
    }
    assert_eq!(flush(&mut total), [(10, json!(55))]);
}

#[test]
fn an_exception_surfaces_at_the_item_that_caused_it() {
    let project = Project::new(STREAMS);
    let mut node = project.start("Fails");
    assert_eq!(feed(&mut node, 1, 2), [(1, json!(5))]);
    let error = node.try_feed(2, json!(0)).unwrap_err();
    assert!(error.message.starts_with("ZeroDivisionError: "), "{error}");
    assert!(error.trace.unwrap().contains("yield 10 // n"));
}

#[test]
fn a_streaming_node_whose_process_is_not_asynchronous_is_told_so() {
    let mut node = Project::new(STREAMS).start("NotAsync");
    let error = node.try_feed(0, json!(1)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.message.contains("asynchronous generator"), "{error}");
}

#[test]
fn the_manifest_can_make_a_class_a_streaming_node() {
    use remotemedia_core::Runtime;
    let project = Project::new(STREAMS);
    let mut manifest = project.manifest("nodes:ByManifest", json!({}));
    manifest.is_streaming = true;
    let mut node = Running(crate::project::runtime().create(&manifest).unwrap());
    assert_eq!(feed(&mut node, 7, 4), [(7, json!(8))]);
}

#[test]
fn cleanup_in_mid_stream_ends_the_authors_generator_and_tasks() {
    let project = Project::new(STREAMS);
    let mut node = project.start("Closes");
    feed(&mut node, 0, 1);
    drop(node);
    let Value::Array(mut closed) = project.start("Closed").ask(Payload::from(json!(0))) else {
        panic!("no list")
    };
    assert_eq!(closed.remove(0), json!("cleanup"));
    closed.sort_by_key(Value::to_string);
    assert_eq!(closed, [json!("stream"), json!("task")]);
}
