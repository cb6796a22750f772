//! The other end of the socket: finds running pipelines, and asks one what it has counted.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::inspect::Snapshot;

/// How long an answer may take: a stopped process does not answer at all.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Longest answer: a thousand nodes take about 2 MB.
const LONGEST_ANSWER: u64 = 64 << 20;

/// A connection to one running pipeline.
pub struct InspectClient {
    stream: BufReader<UnixStream>,
}

impl InspectClient {
    /// Connects, and returns the first snapshot too.
    ///
    /// # Errors
    /// When nobody listens at `path`, somebody else's process does, or the answer is none.
    pub fn connect(path: &Path) -> io::Result<(Self, Snapshot)> {
        let stream = UnixStream::connect(path)?;
        let peer = socket_peercred(&stream)?;
        if peer.uid != geteuid() && !peer.uid.is_root() && !geteuid().is_root() {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "it is another user's"));
        }
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        let mut client = Self { stream: BufReader::new(stream) };
        let first = client.read()?.ok_or(ErrorKind::UnexpectedEof)?;
        Ok((client, first))
    }

    /// The next snapshot; `None` when the process is gone.
    ///
    /// # Errors
    /// When the answer is none, or takes more than five seconds.
    pub fn ask(&mut self) -> io::Result<Option<Snapshot>> {
        match self.stream.get_mut().write_all(b"\n") {
            Err(error) if !is_gone(&error) => Err(error),
            // What was sent before it went is still there to be read.
            _ => self.read(),
        }
    }

    fn read(&mut self) -> io::Result<Option<Snapshot>> {
        let mut line = Vec::new();
        match self.stream.by_ref().take(LONGEST_ANSWER).read_until(b'\n', &mut line) {
            Err(error) if is_gone(&error) => return Ok(None),
            other => other?,
        };
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let value: serde_json::Value = serde_json::from_slice(&line)?;
        if let Some(error) = value.get("error").and_then(serde_json::Value::as_str) {
            return Err(io::Error::other(error.to_owned()));
        }
        Ok(Some(serde_json::from_value(value)?))
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// The sockets in `folder` at which somebody answers, with what they answer, by process id.
#[must_use]
pub fn running(folder: &Path) -> Vec<(PathBuf, Snapshot)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let sockets = entries.filter(|path| path.extension().is_some_and(|extension| extension == "sock"));
    let mut found: Vec<_> = sockets
        .filter_map(|path| {
            let (_, snapshot) = InspectClient::connect(&path).ok()?;
            Some((path, snapshot))
        })
        .collect();
    found.sort_by_key(|(_, snapshot)| snapshot.pid);
    found
}
