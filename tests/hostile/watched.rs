//! All cases again, twice, one after the other on one host in one process, and that process under watch: no panic
//! anywhere, no memory, file descriptor or thread left behind, and a canary that keeps time.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use remotemedia_host::Host;

use super::canary::Canary;
use super::trial::host;

/// Set in the process that is watched.
const WATCHED: &str = "REMOTEMEDIA_TEST_WATCHED";

/// How much more memory the process may hold after all attacks than before them.
const MOST_GROWTH_BYTES: u64 = 32 << 20;

/// The same when they come a second time: the attacks themselves leave nothing behind. What changes by chance is what
/// the allocator has not given back yet, at most 4 MiB in each arena.
const MOST_GROWTH_AGAIN_BYTES: u64 = 12 << 20;

/// File descriptors and threads that may be more by chance; a leak would leave some for each of a hundred attacks.
const MOST_LEFT: usize = 4;

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn all_attacks_in_one_process_leave_it_as_it_was_and_a_neighbour_keeps_time() {
    if std::env::var_os(WATCHED).is_some() {
        return attack();
    }
    // A process of its own: other tests run in this one.
    let test = std::thread::current().name().unwrap().to_owned();
    let done = Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture", "--test-threads=1"])
        .env(WATCHED, "1")
        .output()
        .unwrap();
    let (told, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}:\n{told}\n{complained}", done.status);
    print!("{told}");
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
    let growth = |from: &Held, to: &Held| to.memory_bytes.saturating_sub(from.memory_bytes);
    let (first, second) = (growth(&before, &between), growth(&between, &after));
    assert!(first < MOST_GROWTH_BYTES, "the first round left {} KiB behind", first >> 10);
    assert!(second < MOST_GROWTH_AGAIN_BYTES, "the second round left {} KiB behind", second >> 10);
    let left = |from: usize, to: usize| to.saturating_sub(from);
    assert!(left(between.files, after.files) <= MOST_LEFT, "file descriptors: {between:?}, {after:?}");
    assert!(left(between.threads, after.threads) <= MOST_LEFT, "threads: {between:?}, {after:?}");
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

/// What a process holds.
#[derive(Debug)]
struct Held {
    memory_bytes: u64,
    files: usize,
    threads: usize,
}

impl Held {
    fn now() -> Self {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let resident: u64 = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self {
            memory_bytes: resident * 4_096,
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
        }
    }
}
