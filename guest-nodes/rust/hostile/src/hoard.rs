//! Deeds that take the disk and the open files of the host, for as long as it lets them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;

use remotemedia_node::serde_json::{Value, json};

use crate::{Outcome, param, told};

/// Attempts that deed.
pub fn attempt(deed: &str) -> Outcome {
    let path = param("path");
    let result = match deed {
        "write_for_ever" => File::create(path).and_then(write_for_ever),
        "write_over_for_ever" => File::create(path).and_then(write_over_for_ever),
        "append_for_ever" => OpenOptions::new().create(true).append(true).open(path).and_then(write_for_ever),
        "write_at_for_ever" => File::create(path).and_then(|file| write_at_for_ever(&file)),
        "write_far_away" => File::create(path).and_then(write_far_away),
        "grow_file" => File::create(path)
            .and_then(|file| file.set_len(param("to").parse().unwrap_or(u64::MAX)))
            .map(|()| json!("grown")),
        "make_files" => a_million(|number| File::create(format!("{path}{number}")).map(drop)),
        "make_folders" => a_million(|number| fs::create_dir(format!("{path}{number}"))),
        "make_links" => a_million(|number| fs::hard_link(&path, format!("{path}{number}"))),
        "hold_listings" => hold_listings(&path),
        "hold_files" => hold_files(&path),
        _ => return None,
    };
    Some(told(result))
}

const MEGABYTE: usize = 1 << 20;

fn write_for_ever(mut file: File) -> io::Result<Value> {
    let megabyte = vec![7; MEGABYTE];
    loop {
        file.write_all(&megabyte)?;
    }
}

/// The file stays small, and the disk is worn out.
fn write_over_for_ever(mut file: File) -> io::Result<Value> {
    let megabyte = vec![7; MEGABYTE];
    loop {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&megabyte)?;
    }
}

// SAFETY: as the C library declares it, for a target whose `size_t` has 32 bits and whose `off_t` has 64.
#[expect(unsafe_code, reason = "the standard library has no stable function for it")]
unsafe extern "C" {
    /// The C library's only function that writes without a stream.
    fn pwrite(file: i32, bytes: *const u8, count: usize, offset: i64) -> isize;
}

fn write_at_for_ever(file: &File) -> io::Result<Value> {
    let megabyte = vec![7; MEGABYTE];
    let mut offset = 0;
    loop {
        // SAFETY: the bytes are there for the whole call, and the file is open.
        #[expect(unsafe_code, reason = "a function of the C library")]
        let written = unsafe { pwrite(file.as_raw_fd(), megabyte.as_ptr(), MEGABYTE, offset) };
        offset += i64::try_from(written)
            .ok()
            .filter(|written| *written > 0)
            .ok_or_else(io::Error::last_os_error)?;
    }
}

/// One byte, and a hole of a terabyte before it.
fn write_far_away(mut file: File) -> io::Result<Value> {
    file.seek(SeekFrom::Start(1 << 40))?;
    file.write_all(&[7])?;
    Ok(json!("written"))
}

fn a_million(mut make: impl FnMut(u32) -> io::Result<()>) -> io::Result<Value> {
    for number in 0..1_000_000 {
        make(number)?;
    }
    Ok(json!("made"))
}

/// Begins to list one folder again and again, and comes to no end.
fn hold_listings(path: &str) -> io::Result<Value> {
    let mut held = Vec::new();
    for _ in 0..100_000 {
        let mut listing = fs::read_dir(path)?;
        listing.next();
        held.push(listing);
    }
    Ok(json!({"held": held.len()}))
}

/// Opens one file again and again, and closes none.
fn hold_files(path: &str) -> io::Result<Value> {
    let mut held = Vec::new();
    let count = param("to").parse().unwrap_or(100_000);
    for _ in 0..count {
        held.push(File::open(path)?);
    }
    // Until the end of the node.
    std::mem::forget(held);
    Ok(json!({"held": count}))
}
