//! Ctrl-C: the first one ends the pipeline in good order, the second one, or a call that does not return, ends
//! the process. Unfinished output files disappear either way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::media::remove_unfinished_files;
use remotemedia_engine::Canceller;

use crate::cli::failure::{EXIT_INTERRUPTED, Failure};

/// Longest time that nodes get for their cleanup; the engine itself waits five seconds for a running call.
const CLEANUP_LIMIT: Duration = Duration::from_secs(7);
/// Longest wait when the process sits in a read that may never return, such as from an idle pipe.
const READ_LIMIT: Duration = Duration::from_millis(300);

static HAPPENED: AtomicBool = AtomicBool::new(false);
static READING: AtomicBool = AtomicBool::new(false);
static CANCELLER: Mutex<Option<Canceller>> = Mutex::new(None);

/// The watch over Ctrl-C and a polite `kill`.
pub struct Interrupt(());

/// Starts watching; once per process.
pub fn watch() -> Result<Interrupt, Failure> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| ctrlc::set_handler(interrupted).map_err(|error| error.to_string()));
    match started {
        Ok(()) => Ok(Interrupt(())),
        Err(error) => Err(Failure::output(format!("cannot watch for Ctrl-C: {error}"))),
    }
}

impl Interrupt {
    /// From now on an interrupt cancels this pipeline.
    pub fn cancels(&self, canceller: Canceller) {
        if self.happened() {
            canceller.cancel();
        }
        *CANCELLER.lock().unwrap_or_else(PoisonError::into_inner) = Some(canceller);
    }

    /// True after the first Ctrl-C.
    pub fn happened(&self) -> bool {
        HAPPENED.load(Ordering::SeqCst)
    }
}

/// Runs on a thread of its own.
fn interrupted() {
    if HAPPENED.swap(true, Ordering::SeqCst) {
        leave();
    }
    if let Some(canceller) = CANCELLER.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        canceller.cancel();
    }
    // Returning would let the next signal in at once; a thread waits so that this one can.
    std::thread::spawn(|| {
        std::thread::sleep(READ_LIMIT);
        if READING.load(Ordering::SeqCst) {
            leave();
        }
        std::thread::sleep(CLEANUP_LIMIT);
        leave();
    });
}

fn leave() -> ! {
    remove_unfinished_files();
    eprintln!("error: interrupted; no file was written");
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
