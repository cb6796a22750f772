//! Tests that measure their process: each runs in one of its own, because other tests run beside it in this one. It
//! holds no tests.

use std::fs;
use std::process::Command;

/// Set in the process that is watched.
const WATCHED: &str = "REMOTEMEDIA_TEST_WATCHED";

/// File descriptors and threads that may be more by chance; a leak leaves some for each of many turns.
const MOST_LEFT: usize = 4;

/// Runs the calling test again in a process of its own, and `body` there. The process gets the variables that this one
/// has.
pub fn alone(body: impl FnOnce()) {
    if std::env::var_os(WATCHED).is_some() {
        return body();
    }
    let test = std::thread::current().name().unwrap().to_owned();
    let done = Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture", "--test-threads=1"])
        .env(WATCHED, "1")
        .output()
        .unwrap();
    let (told, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let has_run = done.status.success() && told.contains("1 passed");
    assert!(has_run, "{}:\n{told}\n{complained}", done.status);
    print!("{told}");
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub memory_bytes: u64,
    pub files: usize,
    pub threads: usize,
}

impl Held {
    pub fn now() -> Self {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        let resident: u64 = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self {
            memory_bytes: resident * 4_096,
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
        }
    }

    /// Nothing more than `before` but `most_bytes` of memory.
    pub fn is_like(&self, before: &Self, most_bytes: u64) {
        let more = self.memory_bytes.saturating_sub(before.memory_bytes);
        assert!(more < most_bytes, "{} KiB more: {before:?}, {self:?}", more >> 10);
        assert!(self.files <= before.files + MOST_LEFT, "{before:?}, {self:?}");
        assert!(self.threads <= before.threads + MOST_LEFT, "{before:?}, {self:?}");
    }
}
