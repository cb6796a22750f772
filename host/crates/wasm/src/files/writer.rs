//! The stream that a guest writes to a file with: everything is counted before it is written, and written at once, on
//! the guest's own thread.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::quota::Disk;
use crate::failure::LimitReached;

/// How much a guest may hand over in one write; wasi-libc loops over longer buffers.
const WRITE_BYTES: usize = 64 << 10;

pub(super) struct FileWriter {
    file: Arc<File>,
    place: Place,
    disk: Arc<Disk>,
    is_closed: bool,
}

/// Where the next bytes go.
pub(super) enum Place {
    At(u64),
    End,
}

impl FileWriter {
    pub fn new(file: Arc<File>, place: Place, disk: Arc<Disk>) -> Self {
        Self { file, place, disk, is_closed: false }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::At(position) => {
                self.file.write_all_at(bytes, *position)?;
                *position += bytes.len() as u64;
                Ok(())
            }
            Place::End => append(&self.file, bytes),
        }
    }
}

#[async_trait]
impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.is_closed {
            return Err(StreamError::Closed);
        }
        let counted = match self.place {
            Place::At(position) => count(&self.disk, &self.file, position, bytes.len() as u64),
            Place::End => self.disk.write(bytes.len() as u64),
        };
        counted.map_err(|reached| StreamError::Trap(reached.into()))?;
        self.put(&bytes).map_err(|error| {
            self.is_closed = true;
            StreamError::LastOperationFailed(error.into())
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.is_closed { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.is_closed { Err(StreamError::Closed) } else { Ok(WRITE_BYTES) }
    }
}

#[async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {}
}

/// So many bytes are about to be written at `position`: they count, and so does a gap between the file's end and them,
/// of which every single byte would take a whole block of the disk.
///
/// # Errors
/// When that is more than is left.
pub(super) fn count(disk: &Disk, file: &File, position: u64, bytes: u64) -> Result<(), LimitReached> {
    // A file that does not tell its length is taken for an empty one.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let growth = position.saturating_add(bytes).saturating_sub(length);
    disk.write(bytes.max(growth))
}

/// Behind whatever others appended meanwhile, where the system can do that.
fn append(file: &File, mut bytes: &[u8]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    while !bytes.is_empty() {
        use rustix::io::{Errno, ReadWriteFlags, pwritev2};
        use std::io::IoSlice;
        match pwritev2(file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::NOSYS | Errno::NOTSUP) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if bytes.is_empty() { Ok(()) } else { file.write_all_at(bytes, file.metadata()?.len()) }
}
