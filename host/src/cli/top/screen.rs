//! The terminal of `top`: keys in, pictures out. However it ends, the terminal is as it was.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};

use super::view::{Sort, View};
use crate::cli::console;
use crate::cli::failure::Failure;
use crate::telemetry::inspect::{RunState, Snapshot};
use crate::telemetry::inspect_client::InspectClient;

/// How long a signal may wait.
const SIGNAL_PAUSE: Duration = Duration::from_millis(100);
/// Read from the keyboard at a time: keys in one burst of a paste.
const MOST_TYPED_BYTES: usize = 1_024;
const CONTROL_C: u8 = 3;
const ESCAPE: u8 = 0x1b;

/// Looks until a key or a signal says to stop.
pub fn show(
    client: InspectClient,
    first: Snapshot,
    interval: Duration,
    no_color: bool,
) -> Result<(), Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "top needs a terminal; `--once` prints one view as text, `--json` as JSON",
        ));
    }
    // Sets a panic hook too, which restores the terminal before it reports.
    let failed = |error: io::Error| Failure::output(format!("cannot use this terminal: {error}"));
    let told_to_stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGHUP, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&told_to_stop)).map_err(failed)?;
    }
    let resized = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGWINCH, Arc::clone(&resized)).map_err(failed)?;
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let view = View {
        now: first,
        before: None,
        sort: Sort::default(),
        paused: false,
        help: false,
        color: !no_color,
        over: None,
    };
    let mut screen = Screen { client, view, interval, told_to_stop, resized };
    let shown = screen.run(&mut terminal);
    let restored = ratatui::try_restore();
    shown.and(restored).map_err(failed)?;
    if let Some(over) = screen.view.over {
        console::tell(&over.to_string());
    }
    Ok(())
}

/// What was typed within `limit`, in the bytes that a terminal sends; `None` when the terminal was closed. Read by the
/// system's own means: the library that draws would read the end of a closed terminal again and again, for ever.
fn typed(limit: Duration) -> io::Result<Option<Vec<u8>>> {
    let stdin = io::stdin();
    let mut keyboard = [PollFd::new(&stdin, PollFlags::IN)];
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    match poll(&mut keyboard, Some(&limit)) {
        // A signal: the caller looks which one.
        Ok(0) | Err(Errno::INTR) => return Ok(Some(Vec::new())),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut bytes = vec![0; MOST_TYPED_BYTES];
    match rustix::io::read(&stdin, &mut bytes) {
        Ok(0) | Err(Errno::IO) => Ok(None),
        Ok(read) => {
            bytes.truncate(read);
            Ok(Some(bytes))
        }
        Err(Errno::INTR) => Ok(Some(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

struct Screen {
    client: InspectClient,
    view: View,
    interval: Duration,
    told_to_stop: Arc<AtomicBool>,
    resized: Arc<AtomicBool>,
}

impl Screen {
    fn run(&mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let mut next_look = Instant::now() + self.interval;
        loop {
            terminal.draw(|frame| self.view.draw(frame))?;
            // Keys first: a pipeline that answers slowly must not make `q` slow.
            loop {
                if self.told_to_stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let pause = next_look.saturating_duration_since(Instant::now());
                let Some(keys) = typed(pause.min(SIGNAL_PAUSE))? else { return Ok(()) };
                let is_resized = self.resized.swap(false, Ordering::Relaxed);
                if self.press(&keys) {
                    return Ok(());
                }
                if is_resized || !keys.is_empty() {
                    terminal.draw(|frame| self.view.draw(frame))?;
                } else if pause <= SIGNAL_PAUSE {
                    break;
                }
            }
            next_look = Instant::now() + self.interval;
            if !self.view.paused && self.view.over.is_none() {
                self.look();
            }
        }
    }

    /// True when one of the keys ends it.
    fn press(&mut self, keys: &[u8]) -> bool {
        let view = &mut self.view;
        match keys {
            [ESCAPE] => view.help = false,
            // An arrow, a function key: none of them does anything.
            [ESCAPE, ..] => {}
            _ => {
                for key in keys {
                    match key {
                        b'q' | &CONTROL_C => return true,
                        b's' => view.sort = view.sort.next(),
                        b'p' | b' ' => view.paused = !view.paused,
                        b'?' | b'h' => view.help = !view.help,
                        _ => {}
                    }
                }
            }
        }
        false
    }

    fn look(&mut self) {
        match self.client.ask() {
            Ok(Some(snapshot)) => {
                if snapshot.state != RunState::Running {
                    let how =
                        if snapshot.state == RunState::Finished { "has finished" } else { "has failed" };
                    self.view.over = Some(format!("the pipeline {how}"));
                }
                self.view.before = Some(std::mem::replace(&mut self.view.now, snapshot));
            }
            Ok(None) => self.view.over = Some("the pipeline has vanished: its process is gone".into()),
            Err(error) => self.view.over = Some(format!("the pipeline does not answer: {error}")),
        }
    }
}
