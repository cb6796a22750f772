//! Ctrl-C: the first one ends the pipeline in good order, the second one, or a call that does not return, ends
//! the process. Unfinished output files disappear either way.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::media::{remove_unfinished_files, stop_waiting_for_pipes};
use remotemedia_engine::{Canceller, MetricsReader};

use super::metrics_text;
use crate::cli::failure::{EXIT_INTERRUPTED, Failure};
use crate::cli::graph::write_file;

/// Longest time that nodes get for their cleanup; the engine itself waits five seconds for a running call.
const CLEANUP_LIMIT: Duration = Duration::from_secs(7);
/// Longest wait when the process sits in a read that does not return, as opening a named pipe that nobody writes.
const READ_LIMIT: Duration = Duration::from_millis(1_000);

static STATE: Mutex<State> = Mutex::new(State { happened: false, outputs: Outputs::Unfinished });
static AS_JSON: AtomicBool = AtomicBool::new(false);
static READING: AtomicBool = AtomicBool::new(false);
static CANCELLER: Mutex<Option<Canceller>> = Mutex::new(None);
/// Written when the process leaves in the middle.
static METRICS: Mutex<Option<(MetricsReader, PathBuf)>> = Mutex::new(None);

/// What signals and outputs must agree on. One lock holds both, so that one of them is first.
struct State {
    happened: bool,
    outputs: Outputs,
}

/// How far the output files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outputs {
    Unfinished,
    /// They are getting their names.
    Committing,
    Written,
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// It came between two files: half of the results would be there.
    Ignored,
    Cancels,
    Leaves,
}

impl State {
    fn signal(&mut self) -> Signal {
        match self.outputs {
            Outputs::Committing => Signal::Ignored,
            _ if std::mem::replace(&mut self.happened, true) => Signal::Leaves,
            _ => Signal::Cancels,
        }
    }

    /// False when a signal was first.
    fn commits(&mut self) -> bool {
        if !self.happened {
            self.outputs = Outputs::Committing;
        }
        !self.happened
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The watch over Ctrl-C and a polite `kill`.
pub struct Interrupt(());

/// Starts watching; once per process. What is told when the process leaves in the middle is JSON if the rest is.
pub fn watch(as_json: bool) -> Result<Interrupt, Failure> {
    AS_JSON.store(as_json, Ordering::SeqCst);
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| listen().map_err(|error| error.to_string()));
    match started {
        Ok(()) => Ok(Interrupt(())),
        Err(error) => Err(Failure::output(format!("cannot watch for Ctrl-C: {error}"))),
    }
}

/// Calls `interrupted` for every Ctrl-C, and on Unix for every polite `kill` and hang-up. Whoever starts a program so
/// that it outlives the terminal (`nohup`, `&` in a script) has it ignore some of them, and so it stays.
fn listen() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGTERM};
        let wanted = [SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
        let mut signals = signal_hook::iterator::Signals::new(wanted)?;
        let listener = std::thread::Builder::new().name("signals".into());
        listener.spawn(move || signals.forever().for_each(|_| interrupted()))?;
        if is_ignored(signal_hook::consts::SIGINT) {
            return Ok(());
        }
    }
    Ok(ctrlc::set_handler(interrupted)?)
}

/// Whether the process was started with `signal` ignored; false where the system does not tell.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

impl Interrupt {
    /// From now on an interrupt cancels this pipeline.
    pub fn cancels(&self, canceller: Canceller) {
        // Stored before it is asked: a signal in between finds it there.
        *CANCELLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(canceller.clone());
        if self.happened() {
            canceller.cancel();
        }
    }

    /// When the process leaves in the middle, what was counted until then is written to `path` all the same.
    pub fn writes_metrics(&self, reader: MetricsReader, path: Option<&Path>) {
        let wanted = path.map(|path| (reader, path.to_owned()));
        *METRICS.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    /// True after the first Ctrl-C.
    pub fn happened(&self) -> bool {
        state().happened
    }

    /// Runs `write`, which gives the output files their names, and lets no signal disturb it.
    ///
    /// # Errors
    /// Those of `write`; and when a signal came before, without running it.
    pub fn commits(&self, write: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        if !state().commits() {
            return Err(Failure::interrupted());
        }
        let written = write();
        state().outputs = if written.is_ok() { Outputs::Written } else { Outputs::Unfinished };
        written
    }
}

/// Runs on a thread that listens.
fn interrupted() {
    let signal = state().signal();
    match signal {
        Signal::Ignored => return,
        Signal::Leaves => leave(),
        Signal::Cancels => {}
    }
    stop_waiting_for_pipes();
    if let Some(canceller) = CANCELLER.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        canceller.cancel();
    }
    // Returning would let the next signal in at once; a thread waits so that this one can.
    let limits_the_end = || {
        std::thread::sleep(READ_LIMIT);
        if READING.load(Ordering::SeqCst) {
            leave();
        }
        std::thread::sleep(CLEANUP_LIMIT);
        leave();
    };
    if std::thread::Builder::new().name("interrupted".into()).spawn(limits_the_end).is_err() {
        // Without it nothing would end a run that does not end by itself.
        leave();
    }
}

fn leave() -> ! {
    remove_unfinished_files();
    if let Some((reader, path)) = METRICS.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // The interrupt is what is told; that its metrics could not be written as well would not change anything.
        let _ = write_file(&path, &metrics_text(&reader.read()));
    }
    let failure = match state().outputs {
        Outputs::Written => Failure::interrupted_after_the_outputs(),
        _ => Failure::interrupted(),
    };
    failure.report(AS_JSON.load(Ordering::SeqCst));
    std::process::exit(i32::from(EXIT_INTERRUPTED))
}

/// Marks that the process is reading input, and may wait for it forever.
pub struct Reading(());

impl Reading {
    pub fn begin() -> Self {
        READING.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        READING.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_a_signal_or_the_output_files_come_first() {
        let mut state = State { happened: false, outputs: Outputs::Unfinished };
        assert!(state.commits());
        assert_eq!((state.signal(), state.happened), (Signal::Ignored, false));
        state.outputs = Outputs::Written;
        assert_eq!([state.signal(), state.signal()], [Signal::Cancels, Signal::Leaves]);

        let mut state = State { happened: false, outputs: Outputs::Unfinished };
        assert_eq!(state.signal(), Signal::Cancels);
        assert!(!state.commits());
        // Nothing is being committed, so the second one still ends the process.
        assert_eq!(state.signal(), Signal::Leaves);
    }
}
