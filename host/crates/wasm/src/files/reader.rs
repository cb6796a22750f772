//! The stream that a guest reads a file with: on the guest's own thread, where wasmtime's own starts another one for
//! every read that does not wait.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

/// How much a guest gets at once.
const READ_BYTES: usize = 64 << 10;

pub(super) struct FileReader {
    file: Arc<File>,
    position: u64,
    is_closed: bool,
}

impl FileReader {
    pub fn new(file: Arc<File>, position: u64) -> Self {
        Self { file, position, is_closed: false }
    }

    fn get(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most.min(READ_BYTES)];
        loop {
            match self.file.read_at(&mut bytes, self.position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    bytes.truncate(read?);
                    return Ok(bytes);
                }
            }
        }
    }
}

#[async_trait]
impl InputStream for FileReader {
    fn read(&mut self, most: usize) -> StreamResult<Bytes> {
        if self.is_closed {
            return Err(StreamError::Closed);
        }
        if most == 0 {
            return Ok(Bytes::new());
        }
        let got = self.get(most);
        self.is_closed = !got.as_ref().is_ok_and(|bytes| !bytes.is_empty());
        match got {
            Ok(bytes) if bytes.is_empty() => Err(StreamError::Closed),
            Ok(bytes) => {
                self.position += bytes.len() as u64;
                Ok(bytes.into())
            }
            Err(error) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }
}

#[async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_from_its_position_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        std::fs::write(folder.path().join("file"), &content).unwrap();
        let file = Arc::new(File::open(folder.path().join("file")).unwrap());
        let mut reader = FileReader::new(Arc::clone(&file), 3);
        assert_eq!(reader.read(0).unwrap().len(), 0);
        assert_eq!(*reader.read(2).unwrap(), content[3..5]);
        let mut rest = Vec::new();
        while let Ok(bytes) = reader.read(usize::MAX) {
            rest.extend_from_slice(&bytes);
        }
        assert_eq!(rest, content[5..]);
        assert!(matches!(reader.read(1), Err(StreamError::Closed)));
        let mut behind = FileReader::new(file, 1 << 40);
        assert!(matches!(behind.read(1), Err(StreamError::Closed)));
    }

    #[test]
    fn a_file_that_cannot_be_read_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = FileReader::new(Arc::new(File::create(folder.path().join("file")).unwrap()), 0);
        assert!(matches!(reader.read(1), Err(StreamError::LastOperationFailed(_))));
        assert!(matches!(reader.read(1), Err(StreamError::Closed)));
    }
}
