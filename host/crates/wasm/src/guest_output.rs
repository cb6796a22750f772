//! The guest's stdout and stderr: streams that never block, keep at most one line, and end in the node's log.

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::guest_log::{GuestLog, Level};

/// How much a guest may hand over in one write; wasi-libc loops over longer buffers.
const WRITE_BYTES: usize = 4 << 10;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Stdout,
    Stderr,
}

/// Makes streams that end in `log`.
#[derive(Clone, Debug)]
pub(crate) struct GuestOutput {
    pub channel: Channel,
    pub log: GuestLog,
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // WASI 0.2 takes `p2_stream`; this one belongs to versions of WASI that are not linked.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LineStream { output: self.clone(), line: Vec::new() })
    }
}

struct LineStream {
    output: GuestOutput,
    line: Vec<u8>,
}

impl LineStream {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        match self.output.channel {
            Channel::Stdout => self.output.log.line(Level::Info, &line),
            Channel::Stderr => self.output.log.stderr_line(&line),
        }
        self.line.clear();
    }
}

impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let most = self.output.log.line_bytes();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = most.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.end_line();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

impl Drop for LineStream {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_core::policy::SandboxLimits;

    #[test]
    fn lines_are_put_together_from_pieces_and_stay_bounded() {
        let limits = SandboxLimits { log_line_bytes: 8, ..SandboxLimits::default() };
        let log = GuestLog::new("n", &limits, Default::default());
        let output = GuestOutput { channel: Channel::Stderr, log: log.clone() };
        let mut stream = LineStream { output, line: Vec::new() };
        for piece in ["on", "e\ntwo", "\n", "a line that is too long", " and goes on", "\nend"] {
            stream.write(Bytes::from(piece)).unwrap();
        }
        assert_eq!(log.last_words().unwrap(), "one\ntwo\na line t");
        drop(stream);
        assert_eq!(log.last_words().unwrap(), "one\ntwo\na line t\nend");
    }
}
