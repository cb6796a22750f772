//! Files with the bytes under test. They live in memory where the system has such a folder.

use std::io::Write;
use std::path::Path;

/// What `read` makes of a file that holds `data` and is gone afterwards.
pub fn file<T>(prefix: &str, data: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let mut file =
        tempfile::Builder::new().prefix(&format!("remotemedia-{prefix}-")).tempfile_in(folder).unwrap();
    file.write_all(data).unwrap();
    read(file.path())
}
