//! Deeds that reach for what was not granted: files, the process, time and chance. What they got is told as JSON or
//! bytes; what they did not get is an error that begins with "in vain".

use std::fs;
use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use remotemedia_node::serde_json::{Value, json};

use crate::{Outcome, param, told};

/// Attempts that deed.
pub fn attempt(deed: &str) -> Outcome {
    let (path, to) = (param("path"), param("to"));
    let result = match deed {
        "read" => fs::read(path).map(|content| json!({"read": String::from_utf8_lossy(&content)})),
        "write" => fs::write(path, "hostile").map(|()| json!("written")),
        "list" => fs::read_dir(path).map(|entries| json!({"entries": entries.count()})),
        "hard_link" => fs::hard_link(path, to).map(|()| json!("linked")),
        "symbolic_link" => symbolic_link(&to, &path).map(|()| json!("linked")),
        "rename" => fs::rename(path, to).map(|()| json!("renamed")),
        "remove" => fs::remove_file(path).map(|()| json!("removed")),
        "probe_process" => {
            Ok(json!({"vars": std::env::vars_os().count(), "args": std::env::args_os().count()}))
        }
        "probe_vars" => Ok(json!(std::env::vars().collect::<std::collections::BTreeMap<_, _>>())),
        "probe_stdin" => io::stdin().read_to_end(&mut Vec::new()).map(|bytes| json!({"bytes": bytes})),
        "probe_clocks" => Ok(probe_clocks()),
        "probe_chance" => Ok(json!({"numbers": [chance(), chance()]})),
        _ => return None,
    };
    Some(told(result))
}

#[expect(deprecated, reason = "the other function for it is not stable")]
fn symbolic_link(target: &str, link: &str) -> io::Result<()> {
    fs::soft_link(target, link)
}

/// The smallest step of either clock that was seen in 20 ms, in nanoseconds, and the time of day in seconds.
fn probe_clocks() -> Value {
    let began = Instant::now();
    let (mut monotonic, mut wall) = (Duration::MAX, Duration::MAX);
    let (mut last, mut last_wall) = (began, SystemTime::now());
    while began.elapsed() < Duration::from_millis(20) {
        let (now, now_wall) = (Instant::now(), SystemTime::now());
        if now > last {
            monotonic = monotonic.min(now - last);
        }
        if let Ok(step) = now_wall.duration_since(last_wall)
            && !step.is_zero()
        {
            wall = wall.min(step);
        }
        (last, last_wall) = (now, now_wall);
    }
    let seconds = last_wall.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    json!({"monotonic_ns": monotonic.as_nanos() as u64, "wall_ns": wall.as_nanos() as u64, "seconds": seconds})
}

/// What the standard library seeds its hash maps with.
fn chance() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
