//! The queues of one stage, from both ends.

use remotemedia_core::manifest::{OnFull, QueueSpec};
use remotemedia_core::{AudioBuffer, Packet, Port};

use crate::inbox::{Delivery, Epoch, FLUSH_EPOCH, Inbox, Received};

fn delivery(epoch: Epoch, pts_ns: i64) -> Delivery {
    Delivery::new(epoch, 0, Port::FIRST, Packet::new(pts_ns, "x"))
}

fn spec(max_packets: usize, on_full: OnFull) -> QueueSpec {
    QueueSpec { max_packets, max_ms: None, on_full }
}

fn dropped_and_high_water(inbox: &Inbox) -> (u64, usize) {
    let counts = inbox.counts()[0];
    (counts.dropped, counts.high_water)
}

/// The next packet's time; `None` at the end.
fn take(inbox: &Inbox) -> Option<i64> {
    loop {
        match inbox.receive() {
            Received::Packet(delivery) => return Some(delivery.packet.pts_ns),
            Received::Progress(_) | Received::Interrupted => {}
            Received::End | Received::Stopped => return None,
        }
    }
}

#[test]
fn lanes_merge_by_epoch_then_lane_whatever_the_order_of_arrival() {
    let inbox = Inbox::new(&[QueueSpec::default(), QueueSpec::default()], true);
    inbox.push(1, delivery(1, 11));
    inbox.push(1, delivery(2, 21));
    inbox.push(0, delivery(2, 20));
    inbox.progress(0, 2);
    inbox.push(0, delivery(3, 30));
    inbox.end(0);
    inbox.end(1);
    let taken: Vec<_> = std::iter::from_fn(|| take(&inbox)).collect();
    assert_eq!(taken, [11, 20, 21, 30]);
}

#[test]
fn a_packet_waits_for_an_empty_lane_that_may_still_bring_an_earlier_one() {
    let inbox = Inbox::new(&[QueueSpec::default(), QueueSpec::default()], true);
    inbox.push(1, delivery(2, 21));
    assert_eq!(inbox.next_lane(), None);
    inbox.progress(0, 1);
    assert_eq!(inbox.next_lane(), None, "lane 0 may still bring epoch 2");
    inbox.progress(0, 2);
    assert_eq!(inbox.next_lane(), Some(1));
}

#[test]
fn a_full_lane_drops_the_newest_or_the_oldest_and_counts_it() {
    for (on_full, kept) in [(OnFull::DropNewest, [0, 1]), (OnFull::DropOldest, [3, 4])] {
        let inbox = Inbox::new(&[spec(2, on_full)], false);
        for pts_ns in 0..5 {
            assert!(inbox.push(0, delivery(1, pts_ns)));
        }
        inbox.end(0);
        assert_eq!(dropped_and_high_water(&inbox), (3, 2));
        assert_eq!([take(&inbox), take(&inbox)], kept.map(Some));
        assert!(matches!(inbox.receive(), Received::End));
    }
}

#[test]
fn a_full_blocking_lane_makes_its_producer_wait_and_loses_nothing() {
    let inbox = Inbox::new(&[spec(3, OnFull::Block)], false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for pts_ns in 0..1_000 {
                assert!(inbox.push(0, delivery(1, pts_ns)));
            }
            inbox.end(0);
        });
        assert!(std::iter::from_fn(|| take(&inbox)).eq(0..1_000));
    });
    assert!(inbox.counts()[0].high_water <= 3);
}

#[test]
fn a_lane_is_also_bounded_in_time_of_audio() {
    let spec = QueueSpec { max_packets: 100, max_ms: Some(40), on_full: OnFull::DropNewest };
    let inbox = Inbox::new(&[spec], false);
    for _ in 0..5 {
        let audio = AudioBuffer::from_f32(48_000, 1, vec![0.0; 960]).unwrap();
        let packet = Packet::new(0, audio);
        inbox.push(0, Delivery::new(1, 0, Port::FIRST, packet));
    }
    assert_eq!(dropped_and_high_water(&inbox), (3, 2));
}

#[test]
fn a_starved_consumer_lets_a_full_lane_grow_instead_of_waiting_in_a_circle() {
    let inbox = Inbox::new(&[spec(1, OnFull::Block), spec(1, OnFull::Block)], true);
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| std::iter::from_fn(|| take(&inbox)).collect::<Vec<_>>());
        // One producer feeds both lanes of one epoch: lane 1 fills up before lane 0 gets anything.
        for pts_ns in 0..10 {
            assert!(inbox.push(1, delivery(1, pts_ns)));
        }
        assert!(inbox.push(0, delivery(1, -1)));
        inbox.end(0);
        inbox.end(1);
        assert_eq!(consumer.join().unwrap(), [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
}

#[test]
fn stopping_wakes_a_waiting_producer_and_consumer() {
    let inbox = Inbox::new(&[spec(1, OnFull::Block)], false);
    inbox.push(0, delivery(1, 0));
    std::thread::scope(|scope| {
        let producer = scope.spawn(|| inbox.push(0, delivery(1, 1)));
        inbox.stop();
        assert!(!producer.join().unwrap());
    });
    assert!(matches!(inbox.receive(), Received::Stopped));
}

#[test]
fn an_interruption_discards_what_waits_and_what_comes_late_and_keeps_the_end() {
    let inbox = Inbox::new(&[spec(4, OnFull::DropOldest), spec(4, OnFull::Block)], true);
    (1..=3).for_each(|epoch| assert!(inbox.push(0, delivery(epoch, 0))));
    inbox.push(1, delivery(3, 1));
    inbox.end(1);
    assert_eq!(inbox.interrupt(3).len(), 4);
    assert!(inbox.push(0, delivery(3, 2)), "void, but the pipeline goes on");
    assert!(inbox.push(0, delivery(4, 40)));
    assert!(matches!(inbox.receive(), Received::Interrupted));
    assert!(matches!(inbox.receive(), Received::Progress(3)));
    assert_eq!(take(&inbox), Some(40));
    inbox.push(0, delivery(FLUSH_EPOCH, 50));
    inbox.end(0);
    assert_eq!((take(&inbox), take(&inbox)), (Some(50), None));
    let [a, b] = inbox.counts()[..] else { panic!("two lanes") };
    assert_eq!((a.interrupted, b.interrupted, a.dropped), (4, 1, 0));
}

#[test]
fn an_interruption_wakes_a_producer_of_what_is_void_and_lets_one_of_what_is_not_wait() {
    let inbox = Inbox::new(&[spec(1, OnFull::Block)], false);
    inbox.push(0, delivery(1, 0));
    std::thread::scope(|scope| {
        let producer = scope.spawn(|| inbox.push(0, delivery(2, 1)));
        // Whether the producer waits already or comes later, its packet is void.
        inbox.interrupt(2);
        assert!(producer.join().unwrap());
    });
    assert!(inbox.push(0, delivery(3, 2)));
    inbox.end(0);
    assert_eq!((take(&inbox), take(&inbox)), (Some(2), None));
}

#[test]
fn what_was_interrupted_counts_as_done_for_the_other_lanes() {
    let inbox = Inbox::new(&[QueueSpec::default(), QueueSpec::default()], true);
    inbox.push(1, delivery(5, 0));
    inbox.interrupt(5);
    // Lane 0 has told nothing yet: its producer is still in a call of epoch 1.
    inbox.progress(0, 1);
    inbox.push(1, delivery(6, 61));
    assert_eq!(inbox.next_lane(), None, "lane 0 may still bring epoch 6");
    inbox.progress(0, 6);
    assert_eq!(take(&inbox), Some(61));
}
