//! What a guest says: its log calls, stdout and stderr become lines of the host's log under the node's id. Cuts
//! long lines, drops and counts lines beyond the budget, and keeps the guest's last words for error messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use remotemedia_core::policy::SandboxLimits;

use crate::counters::Counters;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// A node's log, shared by its imports and streams.
#[derive(Clone, Debug)]
pub(crate) struct GuestLog(Arc<Mutex<Writer>>);

#[derive(Debug)]
struct Writer {
    node_id: Box<str>,
    line_bytes: usize,
    budget: Budget,
    counters: Arc<Counters>,
    dropped_since_notice: u64,
    last_words: String,
}

impl GuestLog {
    pub fn new(node_id: &str, limits: &SandboxLimits, counters: Arc<Counters>) -> Self {
        Self(Arc::new(Mutex::new(Writer {
            node_id: node_id.into(),
            line_bytes: limits.log_line_bytes,
            budget: Budget::new(limits.log_bytes_per_second),
            counters,
            dropped_since_notice: 0,
            last_words: String::new(),
        })))
    }

    /// Logs one line.
    pub fn line(&self, level: Level, line: &str) {
        self.lock().line(level, line, Instant::now());
    }

    /// Logs one line of stderr, and remembers it.
    pub fn stderr_line(&self, line: &str) {
        let mut writer = self.lock();
        writer.remember(line);
        writer.line(Level::Warn, line, Instant::now());
    }

    /// The last lines of stderr: where a Rust guest's panic message is.
    pub fn last_words(&self) -> Option<String> {
        let writer = self.lock();
        (!writer.last_words.is_empty()).then(|| writer.last_words.clone())
    }

    /// Whose log it is.
    pub fn node_id(&self) -> Box<str> {
        self.lock().node_id.clone()
    }

    /// The longest line that is kept.
    pub fn line_bytes(&self) -> usize {
        self.lock().line_bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Writer> {
        // A writer that panicked left a line unwritten, no more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LAST_WORDS_BYTES: usize = 2 << 10;

impl Writer {
    fn remember(&mut self, line: &str) {
        if line.is_empty() || line.starts_with("note: run with `RUST_BACKTRACE") {
            return;
        }
        if self.last_words.len() + line.len() > LAST_WORDS_BYTES {
            self.last_words.clear();
        }
        if !self.last_words.is_empty() {
            self.last_words.push('\n');
        }
        self.last_words.push_str(cut(line, LAST_WORDS_BYTES));
    }

    fn line(&mut self, level: Level, line: &str, now: Instant) {
        let line = printable(cut(line, self.line_bytes));
        if line.is_empty() {
            return;
        }
        if !self.budget.admit(line.len(), now) {
            Counters::add_one(&self.counters.log_lines_dropped);
            self.dropped_since_notice += 1;
            return;
        }
        let node = &*self.node_id;
        let dropped = std::mem::take(&mut self.dropped_since_notice);
        if dropped > 0 {
            tracing::warn!(target: "remotemedia::guest", node, dropped, "the node wrote too much: lines were dropped");
        }
        match level {
            Level::Trace => tracing::trace!(target: "remotemedia::guest", node, "{line}"),
            Level::Debug => tracing::debug!(target: "remotemedia::guest", node, "{line}"),
            Level::Info => tracing::info!(target: "remotemedia::guest", node, "{line}"),
            Level::Warn => tracing::warn!(target: "remotemedia::guest", node, "{line}"),
            Level::Error => tracing::error!(target: "remotemedia::guest", node, "{line}"),
        }
    }
}

/// `text` cut to at most `bytes`, at a character boundary.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// `text` without line breaks and terminal escapes, so that a guest cannot forge the host's own lines.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// So many bytes per second.
#[derive(Debug)]
struct Budget {
    bytes_per_second: usize,
    window_began: Option<Instant>,
    spent: usize,
}

impl Budget {
    fn new(bytes_per_second: usize) -> Self {
        Self { bytes_per_second, window_began: None, spent: 0 }
    }

    fn admit(&mut self, bytes: usize, now: Instant) -> bool {
        let in_window = self
            .window_began
            .is_some_and(|began| now.saturating_duration_since(began) < Duration::from_secs(1));
        if !in_window {
            self.window_began = Some(now);
            self.spent = 0;
        }
        let fits = self.spent + bytes <= self.bytes_per_second;
        if fits {
            self.spent += bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_bytes_per_second() {
        let mut budget = Budget::new(100);
        let start = Instant::now();
        assert!(budget.admit(60, start));
        assert!(!budget.admit(41, start + Duration::from_millis(999)));
        assert!(budget.admit(40, start + Duration::from_millis(999)));
        assert!(budget.admit(100, start + Duration::from_millis(1_000)));
        assert!(!budget.admit(1, start + Duration::from_millis(1_001)));
    }

    #[test]
    fn lines_beyond_the_budget_are_dropped_and_counted() {
        let limits =
            SandboxLimits { log_bytes_per_second: 10, log_line_bytes: 4, ..SandboxLimits::default() };
        let counters = Arc::new(Counters::default());
        let log = GuestLog::new("n", &limits, Arc::clone(&counters));
        let now = Instant::now();
        for _ in 0..5 {
            log.lock().line(Level::Info, "a long line, cut to four bytes", now);
        }
        assert_eq!(counters.snapshot().log_lines_dropped, 3);
    }

    #[test]
    fn a_guest_cannot_forge_lines_or_colours() {
        assert_eq!(printable("one\ntwo\u{1b}[31m\tüñ"), "one\\ntwo\\u{1b}[31m\tüñ");
        assert_eq!(cut("aé", 2), "a");
    }

    #[test]
    fn the_last_words_are_kept_and_bounded() {
        let log = GuestLog::new("n", &SandboxLimits::default(), Arc::default());
        assert_eq!(log.last_words(), None);
        log.stderr_line("panicked at src/lib.rs:7:");
        log.stderr_line("index out of bounds");
        log.stderr_line("note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace");
        assert_eq!(log.last_words().unwrap(), "panicked at src/lib.rs:7:\nindex out of bounds");
        log.stderr_line(&"x".repeat(10_000));
        assert_eq!(log.last_words().unwrap().len(), LAST_WORDS_BYTES);
    }
}
