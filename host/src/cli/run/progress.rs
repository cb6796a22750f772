//! The progress bar: on a terminal, never in a pipe or with --json.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::console;

/// Drawing more often costs more than it tells.
const REDRAW: Duration = Duration::from_millis(100);

/// How far the input has been read, and how fast.
pub struct Progress {
    bar: Option<ProgressBar>,
    began: Instant,
    drawn: Instant,
}

impl Progress {
    /// A bar over `total_seconds` of audio, or a counter when the length is unknown.
    pub fn new(total_seconds: Option<f64>, as_json: bool) -> Self {
        let visible = !as_json && !console::is_json_log() && stderr().is_terminal();
        let bar = visible.then(|| {
            let (bar, template) = match total_seconds {
                Some(seconds) => (
                    ProgressBar::new((seconds * 1000.0) as u64),
                    "{bar:32.cyan/blue} {percent:>3} %  {msg}  {eta} left",
                ),
                None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
            };
            bar.with_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        let now = Instant::now();
        Self { bar, began: now, drawn: now }
    }

    /// The input has been read up to here.
    pub fn at(&mut self, seconds: f64) {
        let Some(bar) = &self.bar else { return };
        let now = Instant::now();
        if now - self.drawn < REDRAW {
            return;
        }
        self.drawn = now;
        let speed = seconds / (now - self.began).as_secs_f64().max(1e-9);
        bar.set_position((seconds * 1000.0) as u64);
        bar.set_message(format!("{seconds:.1} s of audio, {speed:.0}× real time"));
    }

    /// Removes the bar: what follows is the result.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
