//! Answers, on a UNIX socket, what a running pipeline has counted. It never holds the pipeline up: the counters are read
//! without a lock, by threads of its own, and a client that does not read loses its connection.
//!
//! The protocol is lines. The server sends one [`Snapshot`] as JSON at once, one more for every line that it gets (lines
//! that come faster than [`SHORTEST_PAUSE`] are answered together), and a last one when the run is over.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remotemedia_engine::metrics::{Metrics, MetricsReader};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::inspect_socket::BoundSocket;

/// The version of [`Snapshot`] around the metrics, which have a version of their own.
pub const INSPECT_VERSION: u32 = 1;
/// Most clients at a time.
pub const MOST_CLIENTS: usize = 8;
/// The shortest time between two answers to one client.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take to read an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(1);
/// How long a client may say nothing.
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// Most bytes that a client may send without ending a line.
const LONGEST_LINE: usize = 64;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It runs.
    Running,
    /// It ended well.
    Finished,
    /// It failed, or was interrupted.
    Failed,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`INSPECT_VERSION`].
    pub inspect_version: u32,
    /// The process.
    pub pid: u32,
    /// How the run stands.
    pub state: RunState,
    /// What was counted.
    pub metrics: Metrics,
}

/// Listens as long as it lives.
pub struct InspectServer {
    path: PathBuf,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    reader: MetricsReader,
    socket: BoundSocket,
    clients: Mutex<Clients>,
    ended: Condvar,
}

#[derive(Default)]
struct Clients {
    /// How the run ended, once it did.
    end: Option<RunState>,
    connections: Vec<(u64, UnixStream)>,
    threads: Vec<JoinHandle<()>>,
    next: u64,
}

impl InspectServer {
    /// Listens on `socket`, and answers what `reader` reads.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(socket: BoundSocket, reader: MetricsReader) -> io::Result<Self> {
        let path = socket.path.clone();
        let shared = Arc::new(Shared { reader, socket, clients: Mutex::default(), ended: Condvar::new() });
        let serving = Arc::clone(&shared);
        let listening = std::thread::Builder::new().name("inspect".into()).spawn(move || serving.listen());
        Ok(Self { path, shared, listening: Some(listening?) })
    }

    /// Where clients connect.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run has ended like that: every client gets a last snapshot, and the socket disappears. Takes no longer than a
    /// client may take to read.
    pub fn end(mut self, state: RunState) {
        self.stop(state);
    }

    fn stop(&mut self, state: RunState) {
        let Some(listening) = self.listening.take() else { return };
        let threads = {
            let mut clients = self.shared.lock();
            clients.end = Some(state);
            for (_, stream) in &clients.connections {
                // A client that is gone needs no waking.
                let _ = stream.shutdown(Shutdown::Read);
            }
            self.shared.ended.notify_all();
            std::mem::take(&mut clients.threads)
        };
        // Wakes the thread that waits for the next client.
        let _ = rustix::net::shutdown(&self.shared.socket.listener, rustix::net::Shutdown::Both);
        for thread in threads.into_iter().chain([listening]) {
            // A panic there was reported there, and is no reason to fail the run.
            let _ = thread.join();
        }
    }
}

impl Drop for InspectServer {
    fn drop(&mut self) {
        self.stop(RunState::Failed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: Arc<Self>) {
        loop {
            match self.socket.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let clients = self.lock();
                    if clients.end.is_some() {
                        return;
                    }
                    tracing::warn!("cannot accept a client of --inspect: {error}");
                    // Out of descriptors, most likely: later there may be one again.
                    let (clients, _) =
                        self.ended.wait_timeout(clients, WRITE_LIMIT).unwrap_or_else(PoisonError::into_inner);
                    if clients.end.is_some() {
                        return;
                    }
                }
            }
        }
    }

    /// Lets a client in that may, and gives it a thread.
    fn admit(self: &Arc<Self>, mut stream: UnixStream) {
        // The mode of the socket keeps others out; this holds also where modes of sockets mean nothing.
        let uid = socket_peercred(&stream).map(|peer| peer.uid);
        if !uid.is_ok_and(|uid| uid == geteuid() || uid.is_root()) {
            return;
        }
        let mut clients = self.lock();
        if clients.end.is_some() || stream.set_write_timeout(Some(WRITE_LIMIT)).is_err() {
            return;
        }
        if clients.connections.len() >= MOST_CLIENTS {
            // One line always fits into the buffer of a new socket.
            let _ = writeln!(stream, r#"{{"error":"{MOST_CLIENTS} clients look at this run already"}}"#);
            return;
        }
        let Ok(copy) = stream.try_clone() else { return };
        let number = clients.next;
        clients.next += 1;
        clients.connections.push((number, copy));
        clients.threads.retain(|thread| !thread.is_finished());
        let serving = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("inspect client".into()).spawn(move || {
            // A client that went away, or does not read, is nobody's error.
            let _ = serving.serve(stream);
            serving.lock().connections.retain(|(its, _)| *its != number);
        });
        match spawned {
            Ok(thread) => clients.threads.push(thread),
            Err(_) => clients.connections.retain(|(its, _)| *its != number),
        }
    }

    fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE_LIMIT))?;
        let mut unfinished = 0;
        loop {
            let answered = Instant::now();
            let state = self.answer(&mut stream)?;
            if state != RunState::Running {
                return Ok(());
            }
            loop {
                let mut bytes = [0; LONGEST_LINE];
                let read = stream.read(&mut bytes)?;
                if read == 0 {
                    // The client has gone, or the run is over: then one more answer.
                    if self.lock().end.is_some() {
                        self.answer(&mut stream)?;
                    }
                    return Ok(());
                }
                match bytes[..read].iter().rposition(|byte| *byte == b'\n') {
                    Some(last) => {
                        unfinished = read - last - 1;
                        break;
                    }
                    None => unfinished += read,
                }
                if unfinished >= LONGEST_LINE {
                    return Ok(());
                }
            }
            let pause = SHORTEST_PAUSE.saturating_sub(answered.elapsed());
            let waits = self.ended.wait_timeout_while(self.lock(), pause, |clients| clients.end.is_none());
            drop(waits);
        }
    }

    fn answer(&self, stream: &mut UnixStream) -> io::Result<RunState> {
        let state = self.lock().end.unwrap_or(RunState::Running);
        let snapshot = Snapshot {
            inspect_version: INSPECT_VERSION,
            pid: std::process::id(),
            state,
            metrics: self.reader.read(),
        };
        let mut line = serde_json::to_vec(&snapshot)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        Ok(state)
    }
}
