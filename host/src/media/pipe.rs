//! Reading a pipe whose writer may take for ever: a thread reads ahead, so that whoever waits for it can be told to
//! stop. A read that the system does not return from cannot be ended otherwise.

use std::io::{self, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is read at once: what a pipe holds.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks that are read ahead.
const AHEAD: usize = 2;
/// How often one who waits looks whether he is to stop.
const LOOKS: Duration = Duration::from_millis(50);

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on no read of a pipe in this process waits any more; those that wait fail.
pub fn stop_waiting_for_pipes() {
    STOP.store(true, Ordering::SeqCst);
}

/// A pipe being read. Dropping it leaves its thread alone until the pipe gives something or ends.
pub(super) struct Pipe {
    /// Locked by nobody: decoders want readers that threads may share.
    blocks: Mutex<Receiver<io::Result<Vec<u8>>>>,
    block: Vec<u8>,
    at: usize,
}

impl Pipe {
    /// Starts reading.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(mut source: impl Read + Send + 'static) -> io::Result<Self> {
        let (give, blocks) = sync_channel(AHEAD);
        let read_on = move || {
            loop {
                let mut block = vec![0; BLOCK_BYTES];
                let read = match source.read(&mut block) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read,
                };
                let last = !matches!(read, Ok(1..));
                let block = read.map(|bytes| {
                    block.truncate(bytes);
                    block
                });
                if give.send(block).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("pipe".into()).spawn(read_on)?;
        Ok(Self { blocks: Mutex::new(blocks), block: Vec::new(), at: 0 })
    }

    /// Waits for the next block; false at the end of the pipe.
    fn next_block(&mut self) -> io::Result<bool> {
        loop {
            let blocks = self.blocks.get_mut().unwrap_or_else(PoisonError::into_inner);
            match blocks.recv_timeout(LOOKS) {
                Ok(block) => {
                    (self.block, self.at) = (block?, 0);
                    return Ok(!self.block.is_empty());
                }
                // The end was told before.
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) if STOP.load(Ordering::SeqCst) => {
                    // Not `Interrupted`, after which readers try again.
                    return Err(io::Error::new(ErrorKind::TimedOut, "nobody waits for it any more"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() && !self.next_block()? {
            return Ok(0);
        }
        let read = Read::read(&mut &self.block[self.at..], into)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its parts one after the other, then ends or fails.
    struct Parts(Vec<io::Result<Vec<u8>>>);

    impl Read for Parts {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0)?;
            into[..part.len()].copy_from_slice(&part);
            Ok(part.len())
        }
    }

    #[test]
    fn what_goes_into_a_pipe_comes_out_in_order_whatever_the_sizes() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
        let parts = bytes.chunks(997).map(|part| Ok(part.to_vec()));
        let mut pipe = Pipe::new(Parts(parts.collect())).unwrap();
        let mut read = Vec::new();
        assert_eq!(pipe.read_to_end(&mut read).unwrap(), 100_000);
        assert_eq!(read, bytes);
        assert_eq!(pipe.read(&mut [0]).unwrap(), 0, "the end stays the end");
    }

    #[test]
    fn an_error_of_the_source_comes_after_what_was_read_before_it() {
        let error = || Err(io::Error::from(ErrorKind::ConnectionReset));
        let retried = || Err(io::Error::from(ErrorKind::Interrupted));
        let mut pipe = Pipe::new(Parts(vec![Ok(vec![1, 2]), retried(), Ok(vec![3]), error()])).unwrap();
        let mut read = Vec::new();
        assert_eq!(pipe.read_to_end(&mut read).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(read, [1, 2, 3]);
    }
}
