//! The terminal of `top`: keys in, pictures out. However it ends, the terminal is as it was.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::view::{Sort, View};
use crate::cli::console;
use crate::cli::failure::Failure;
use crate::telemetry::inspect::{RunState, Snapshot};
use crate::telemetry::inspect_client::InspectClient;

/// How long a signal may wait.
const SIGNAL_PAUSE: Duration = Duration::from_millis(100);

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
    let mut screen = Screen { client, view, interval, told_to_stop };
    let shown = screen.run(&mut terminal);
    let restored = ratatui::try_restore();
    shown.and(restored).map_err(failed)?;
    if let Some(over) = screen.view.over {
        console::tell(&over.to_string());
    }
    Ok(())
}

struct Screen {
    client: InspectClient,
    view: View,
    interval: Duration,
    told_to_stop: Arc<AtomicBool>,
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
                if !event::poll(pause.min(SIGNAL_PAUSE))? {
                    if pause <= SIGNAL_PAUSE {
                        break;
                    }
                    continue;
                }
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => {
                        if self.press(key) {
                            return Ok(());
                        }
                    }
                    Event::Resize(..) => {}
                    _ => continue,
                }
                terminal.draw(|frame| self.view.draw(frame))?;
            }
            next_look = Instant::now() + self.interval;
            if !self.view.paused && self.view.over.is_none() {
                self.look();
            }
        }
    }

    /// True when the key ends it.
    fn press(&mut self, key: KeyEvent) -> bool {
        let view = &mut self.view;
        match key.code {
            KeyCode::Char('q') => return true,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('s') => view.sort = view.sort.next(),
            KeyCode::Char('p' | ' ') => view.paused = !view.paused,
            KeyCode::Char('?' | 'h') => view.help = !view.help,
            KeyCode::Esc => view.help = false,
            _ => {}
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
