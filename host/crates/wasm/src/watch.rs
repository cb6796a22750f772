//! Swaps a running node's component when its file changes: between two packets, and without losing one.
//!
//! A thread looks at the files and compiles what changed, so that a stream waits only for the new instance. The old
//! one is flushed first; what it held back comes out, what it remembered is gone. A file that this host would not
//! run changes nothing: the old component goes on, and the log says why.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use remotemedia_core::{Node, NodeError, Outputs, Packet, Port};

use crate::counters::Counters;
use crate::node::{MadeOf, WasmNode};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(200);

/// Looks at files from a thread of its own, which ends with it.
#[derive(Default)]
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    started: AtomicBool,
}

#[derive(Default)]
struct Shared {
    files: Mutex<Vec<WatchedFile>>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

/// What makes a node's parts anew out of the file as it is now.
type Remake = Box<dyn Fn() -> Result<MadeOf, NodeError> + Send>;

struct WatchedFile {
    path: PathBuf,
    seen: Option<Stamp>,
    remake: Remake,
    counters: Arc<Counters>,
    /// Gone when the node is.
    slot: Weak<Slot>,
}

/// What tells that a file was written or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len(), inode })
    }
}

/// Where a node finds what takes its place.
#[derive(Default)]
struct Slot {
    is_full: AtomicBool,
    replacement: Mutex<Option<MadeOf>>,
}

impl Slot {
    fn put(&self, made_of: MadeOf) {
        *self.replacement.lock().unwrap_or_else(PoisonError::into_inner) = Some(made_of);
        self.is_full.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<MadeOf> {
        // One relaxed load is all that a packet pays for being watched.
        if !self.is_full.load(Ordering::Relaxed) {
            return None;
        }
        let mut replacement = self.replacement.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_full.store(false, Ordering::Relaxed);
        replacement.take()
    }
}

impl Watcher {
    /// `node`, which from now on follows the file at `path`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn watch(
        &self,
        node: WasmNode,
        path: &Path,
        remake: impl Fn() -> Result<MadeOf, NodeError> + Send + 'static,
    ) -> Result<WatchedNode, NodeError> {
        let slot = Arc::new(Slot::default());
        let watched = WatchedFile {
            path: path.to_owned(),
            seen: Stamp::of(path),
            remake: Box::new(remake),
            counters: node.counters(),
            slot: Arc::downgrade(&slot),
        };
        self.shared.files.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
        if !self.started.swap(true, Ordering::AcqRel) {
            let shared = Arc::clone(&self.shared);
            std::thread::Builder::new()
                .name("component-watch".into())
                .spawn(move || look_until_stopped(&shared))
                .map_err(|error| NodeError::internal(format!("no thread to watch components: {error}")))?;
        }
        Ok(WatchedNode { node, slot })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        *self.shared.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.stop.notify_all();
    }
}

fn look_until_stopped(shared: &Shared) {
    let mut stopped = shared.stopped.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped {
        (stopped, _) = shared.stop.wait_timeout(stopped, PERIOD).unwrap_or_else(PoisonError::into_inner);
        if !*stopped {
            drop(stopped);
            look(&shared.files);
            stopped = shared.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn look(files: &Mutex<Vec<WatchedFile>>) {
    let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
    files.retain(|file| file.slot.strong_count() > 0);
    for file in &mut *files {
        let stamp = Stamp::of(&file.path);
        // A file that is away is about to be replaced.
        if stamp.is_none() || stamp == file.seen {
            continue;
        }
        file.seen = stamp;
        match ((file.remake)(), file.slot.upgrade()) {
            (Ok(made_of), Some(slot)) => slot.put(made_of),
            (Ok(_), None) => {}
            (Err(error), _) => {
                Counters::add_one(&file.counters.reloads_refused);
                tracing::warn!(
                    "{} changed, but the old component goes on: {}",
                    file.path.display(),
                    error.message
                );
            }
        }
    }
}

/// A node that follows its file.
pub(crate) struct WatchedNode {
    node: WasmNode,
    slot: Arc<Slot>,
}

impl WatchedNode {
    #[cold]
    fn swap(&mut self, made_of: MadeOf, out: &mut Outputs) {
        let id = made_of.id.clone();
        let counters = Arc::clone(&made_of.sandbox.counters);
        let fresh = WasmNode::new(made_of).and_then(|mut fresh| fresh.initialize().map(|()| fresh));
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(error) => {
                Counters::add_one(&counters.reloads_refused);
                tracing::warn!(
                    target: "remotemedia::guest",
                    node = &*id,
                    "its component changed, but the old one goes on: {}",
                    error.message
                );
                return;
            }
        };
        if let Err(error) = self.node.flush(out) {
            tracing::warn!(
                target: "remotemedia::guest",
                node = &*id,
                "what the old component held back is lost: {}",
                error.message
            );
        }
        self.node.cleanup();
        self.node = fresh;
        Counters::add_one(&counters.reloads);
        tracing::info!(target: "remotemedia::guest", node = &*id, "runs its changed component from here on");
    }
}

impl Node for WatchedNode {
    fn initialize(&mut self) -> Result<(), NodeError> {
        self.node.initialize()
    }

    fn process(&mut self, port: Port, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        if let Some(made_of) = self.slot.take() {
            self.swap(made_of, out);
        }
        self.node.process(port, packet, out)
    }

    fn reset(&mut self) -> Result<bool, NodeError> {
        self.node.reset()
    }

    fn flush(&mut self, out: &mut Outputs) -> Result<(), NodeError> {
        self.node.flush(out)
    }

    fn cleanup(&mut self) {
        self.node.cleanup();
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.node.memory_bytes()
    }
}
