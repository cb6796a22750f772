//! Python nodes on several threads: one that waits does not hold up the others.

use std::sync::mpsc::channel;
use std::time::Duration;

use remotemedia_core::Runtime;
use serde_json::json;

use crate::project::{Project, runtime};

/// Far beyond what any step here takes; reached only when a thread is held up for good.
const TOO_LONG: Duration = Duration::from_secs(60);

#[test]
fn a_node_that_waits_does_not_block_a_node_on_another_thread() {
    let project = Project::new(
        "
import threading
event = threading.Event()
class Wait:
    def process(self, _): return event.wait(60)
class Set:
    def process(self, _):
        event.set()
        return True
",
    );
    let mut wait = project.start("Wait");
    let mut set = project.start("Set");
    let waiting = std::thread::spawn(move || wait.ask(json!(0)));
    assert_eq!(set.ask(json!(0)), json!(true));
    assert_eq!(waiting.join().unwrap(), json!(true));
}

#[test]
fn a_stages_thread_stays_attached_without_keeping_others_out() {
    let project = Project::new("class Add:\n    def process(self, n): return n + 1\n");
    let runtime = runtime();
    assert!(runtime.wants_own_thread());
    let (mut inside, mut outside) = (project.start("Add"), project.start("Add"));
    let (entered_tx, entered_rx) = channel();
    let (done_tx, done_rx) = channel();
    let stage = std::thread::spawn(move || {
        let mut answer = None;
        runtime.enter_thread(&mut || {
            assert_eq!(inside.ask(json!(1)), json!(2));
            entered_tx.send(()).unwrap();
            // Meanwhile the other thread calls Python: it must get the interpreter although this one is attached.
            done_rx.recv_timeout(TOO_LONG).unwrap();
            answer = Some(inside.ask(json!(2)));
        });
        answer
    });
    entered_rx.recv_timeout(TOO_LONG).unwrap();
    assert_eq!(outside.ask(json!(10)), json!(11));
    done_tx.send(()).unwrap();
    assert_eq!(stage.join().unwrap(), Some(json!(3)));
}

#[test]
fn nodes_of_many_threads_run_their_own_event_loops() {
    let project = Project::new(
        "
import asyncio
class Slow:
    async def process(self, n):
        for _ in range(5): await asyncio.sleep(0)
        return n * 2
",
    );
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let mut node = project.start("Slow");
            std::thread::spawn(move || (0..20).map(|i| node.ask(json!(n * 100 + i))).collect::<Vec<_>>())
        })
        .collect();
    for (n, thread) in threads.into_iter().enumerate() {
        let expected: Vec<_> = (0..20).map(|i| json!((n * 100 + i) * 2)).collect();
        assert_eq!(thread.join().unwrap(), expected);
    }
}
