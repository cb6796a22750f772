//! All cases again, twice, one after the other on one host in one process, and that process under watch: no panic
//! anywhere, no memory, file descriptor or thread left behind, and a canary that keeps time.

use std::sync::atomic::{AtomicUsize, Ordering};

use remotemedia_host::Host;

use super::canary::Canary;
use super::trial::host;
use crate::watched::{Held, alone};

/// How much more memory the process may hold after all attacks than before them.
const MOST_GROWTH_BYTES: u64 = 32 << 20;

/// The same when they come a second time: the attacks themselves leave nothing behind. What changes by chance is what
/// the allocator has not given back yet, at most 4 MiB in each arena.
const MOST_GROWTH_AGAIN_BYTES: u64 = 12 << 20;

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn all_attacks_in_one_process_leave_it_as_it_was_and_a_neighbour_keeps_time() {
    alone(attack);
}

fn attack() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        default(panic);
    }));
    // As the program does.
    remotemedia_host::give_back_freed_memory();
    let host = host();
    let canary = Canary::start(&host);
    let before = Held::now();
    round(&host);
    let between = Held::now();
    round(&host);
    let after = Held::now();
    let (sung, control) = canary.end();
    println!("before {before:?}, after one round {between:?}, after two {after:?}");
    println!("canary {sung:?}\ncontrol {control:?}");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "panics");
    let first = between.memory_bytes.saturating_sub(before.memory_bytes);
    assert!(first < MOST_GROWTH_BYTES, "the first round left {} KiB behind", first >> 10);
    after.is_like(&between, MOST_GROWTH_AGAIN_BYTES);
    assert_eq!(sung.held_up, 0, "two blocks in a row were held up: {sung:?}");
    assert!(
        sung.late <= 3 * control.late + 5,
        "the canary was late more often than a thread that never calls the host: {sung:?}, {control:?}"
    );
}

/// Every case once. In the first round threads are started that stay, and every component is compiled and kept.
fn round(host: &Host) {
    for (name, run) in super::every_case() {
        println!("{name}");
        run(host);
    }
}
