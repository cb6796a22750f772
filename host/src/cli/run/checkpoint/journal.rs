//! The file of a checkpoint: what the job is, then everything that left the graph, with marks between. It only grows.
//!
//! A mark is written and synced as a whole: it holds a checksum (CRC-32) of everything since the mark before it. What
//! stands behind the last whole mark, torn or not, counts as never written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crc32fast::Hasher;
use remotemedia_engine::Entered;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::Record;

/// The file's name in the folder.
pub const NAME: &str = "journal";
/// What it has until it is whole.
const NEW_NAME: &str = "journal.new";
/// Changes with the format.
const HEADING: &[u8] = b"remotemedia checkpoint 1\n";

const BUFFER_BYTES: usize = 256 * 1024;

const JOB: u8 = 1;
const RECORD: u8 = 2;
const MARK: u8 = 3;

/// How far the job was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// So many packets were fed. Everything that came of them, and nothing else, is recorded before the mark.
    pub packets: u64,
    /// What had entered the tail of the graph.
    pub entered: Vec<Entered>,
}

/// A journal being written.
pub struct Journal {
    file: BufWriter<File>,
    sum: Hasher,
}

/// What a journal holds.
#[derive(Debug)]
pub struct Found {
    /// What the job is.
    pub job: Map<String, Value>,
    /// The last mark.
    pub mark: Mark,
    /// Where that ends, in bytes.
    end: u64,
}

impl Journal {
    /// Begins a journal in `folder` that says what `job` is. It appears whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path, job: &Map<String, Value>) -> io::Result<Self> {
        let new = folder.join(NEW_NAME);
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(&new)?);
        file.write_all(HEADING)?;
        let mut journal = Self { file, sum: Hasher::new() };
        journal.put(JOB, &serde_json::to_vec(job)?)?;
        journal.mark(&Mark::default())?;
        fs::rename(&new, folder.join(NAME))?;
        File::open(folder)?.sync_all()?;
        Ok(journal)
    }

    /// Goes on behind the mark that was `found`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn resume(folder: &Path, found: &Found) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(folder.join(NAME))?;
        file.set_len(found.end)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER_BYTES, file), sum: Hasher::new() })
    }

    /// Appends a record's bytes.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.put(RECORD, record)
    }

    /// Appends a mark; when this returns, it and everything before it are on the disk.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn mark(&mut self, mark: &Mark) -> io::Result<()> {
        let mark = serde_json::to_vec(mark)?;
        self.sum.update(&mark);
        let mut body = std::mem::take(&mut self.sum).finalize().to_le_bytes().to_vec();
        body.extend(mark);
        let head = head_of(MARK, &body)?;
        self.file.write_all(&head)?;
        self.file.write_all(&body)?;
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }

    fn put(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        add(&mut self.sum, kind, body)?;
        self.file.write_all(&head_of(kind, body)?)?;
        self.file.write_all(body)
    }
}

/// What stands before `body`: its kind and length.
fn head_of(kind: u8, body: &[u8]) -> io::Result<[u8; 5]> {
    let length = u32::try_from(body.len())
        .map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, "a packet is larger than 4 GiB"))?;
    let [a, b, c, d] = length.to_le_bytes();
    Ok([kind, a, b, c, d])
}

/// Continues `sum` by a frame.
fn add(sum: &mut Hasher, kind: u8, body: &[u8]) -> io::Result<()> {
    sum.update(&head_of(kind, body)?);
    sum.update(body);
    Ok(())
}

/// Looks for the last whole mark. `None`: there is no journal.
///
/// # Errors
/// When it cannot be read, or is none of this version.
pub fn find(folder: &Path) -> io::Result<Option<Found>> {
    let mut frames = match Frames::open(&folder.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        frames => frames?,
    };
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "no checkpoint of this version");
    let mut sum = Hasher::new();
    let job = match frames.next()? {
        Some((JOB, body)) => {
            add(&mut sum, JOB, &body)?;
            serde_json::from_slice(&body).map_err(|_| unknown())?
        }
        _ => return Err(unknown()),
    };
    let mut found = Found { job, mark: Mark::default(), end: 0 };
    while let Some((kind, body)) = frames.next()? {
        if kind != MARK {
            add(&mut sum, kind, &body)?;
            continue;
        }
        let Some((expected, mark)) = body.split_first_chunk() else { break };
        sum.update(mark);
        if std::mem::take(&mut sum).finalize().to_le_bytes() != *expected {
            break;
        }
        let Ok(mark) = serde_json::from_slice(mark) else { break };
        (found.mark, found.end) = (mark, frames.at);
    }
    if found.end == 0 { Err(unknown()) } else { Ok(Some(found)) }
}

/// Hands over every record before the mark that was `found`, in order.
///
/// # Errors
/// When the journal cannot be read, and what `take` returns.
pub fn records<E: From<io::Error>>(
    folder: &Path,
    found: &Found,
    mut take: impl FnMut(&[u8], Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut frames = Frames::open(&folder.join(NAME))?;
    while frames.at < found.end {
        match frames.next()? {
            Some((RECORD, body)) => {
                let record = Record::decode(&body).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, "a record of the checkpoint cannot be read")
                })?;
                take(&body, record)?;
            }
            Some(_) => {}
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }
    Ok(())
}

/// Removes the journal of `folder`: the job is done.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(folder: &Path) -> io::Result<()> {
    fs::remove_file(folder.join(NAME))
}

/// The path of the journal in `folder`.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// A journal being read.
struct Frames {
    reader: BufReader<File>,
    length: u64,
    at: u64,
}

impl Frames {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut heading = [0; HEADING.len()];
        let read = reader.read_exact(&mut heading);
        if read.is_err() || heading != HEADING {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no checkpoint of this version"));
        }
        Ok(Self { reader, length, at: HEADING.len() as u64 })
    }

    /// The next frame; `None` where the file ends, in the middle of one or not.
    fn next(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut head = [0; 5];
        if self.length - self.at < head.len() as u64 {
            return Ok(None);
        }
        self.reader.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u64::from(u32::from_le_bytes(length));
        self.at += head.len() as u64;
        if self.length - self.at < length {
            return Ok(None);
        }
        let mut body = vec![0; length as usize];
        self.reader.read_exact(&mut body)?;
        self.at += length;
        Ok(Some((kind, body)))
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::Port;
    use serde_json::json;

    use super::super::record::Content;
    use super::*;

    fn job() -> Map<String, Value> {
        json!({"the input": "a.wav"}).as_object().cloned().unwrap_or_default()
    }

    fn mark(packets: u64) -> Mark {
        Mark { packets, entered: vec![Entered { node: 1, packets: 2 * packets, checksum: 7 }] }
    }

    fn record(pts_ns: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let content = Content::Value(json!({"n": pts_ns}));
        Record { node: 0, port: Port::FIRST, pts_ns, content }.encode(&mut bytes);
        bytes
    }

    fn times(folder: &Path, found: &Found) -> Vec<i64> {
        let mut times = Vec::new();
        records(folder, found, |_, record| {
            times.push(record.pts_ns);
            Ok::<_, io::Error>(())
        })
        .unwrap();
        times
    }

    /// A journal of three marks after 0, 2 and 5 records and one record behind; the length at each mark.
    fn write(folder: &Path) -> Vec<u64> {
        let length = || fs::metadata(folder.join(NAME)).unwrap().len();
        let mut journal = Journal::create(folder, &job()).unwrap();
        let mut lengths = vec![length()];
        for (records, packets) in [(0..2, 10), (2..5, 20)] {
            records.for_each(|n| journal.append(&record(n)).unwrap());
            journal.mark(&mark(packets)).unwrap();
            lengths.push(length());
        }
        journal.append(&record(5)).unwrap();
        journal.file.flush().unwrap();
        lengths
    }

    #[test]
    fn wherever_a_journal_is_torn_the_last_whole_mark_counts_and_the_job_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let marks = write(folder.path());
        let file = folder.path().join(NAME);
        let whole = fs::read(&file).unwrap();
        for length in marks[0] as usize..=whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            let found = find(folder.path()).unwrap().unwrap();
            let nth = marks.iter().rposition(|&mark| mark as usize <= length).unwrap();
            let expected = [Mark::default(), mark(10), mark(20)];
            assert_eq!((found.job.clone(), &found.mark), (job(), &expected[nth]), "{length} bytes");
            let kept = [0, 2, 5][nth];
            assert_eq!(times(folder.path(), &found), (0..kept).collect::<Vec<_>>());
            let mut journal = Journal::resume(folder.path(), &found).unwrap();
            journal.append(&record(77)).unwrap();
            journal.mark(&mark(99)).unwrap();
            let found = find(folder.path()).unwrap().unwrap();
            assert_eq!(found.mark, mark(99));
            assert_eq!(times(folder.path(), &found), (0..kept).chain([77]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_changed_byte_takes_its_mark_and_all_behind_it_out_of_the_count() {
        let folder = tempfile::tempdir().unwrap();
        let marks = write(folder.path());
        let file = folder.path().join(NAME);
        let whole = fs::read(&file).unwrap();
        for at in HEADING.len()..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&file, &damaged).unwrap();
            let before = marks.iter().filter(|&&mark| mark as usize <= at).count();
            match find(folder.path()) {
                Ok(found) => {
                    let packets = found.unwrap().mark.packets;
                    assert_eq!(packets, [0, 10, 20][before - 1], "byte {at}");
                }
                Err(error) => assert!(before == 0, "byte {at}: {error}"),
            }
        }
    }

    #[test]
    fn what_is_no_journal_is_refused_and_none_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find(folder.path()).unwrap().is_none());
        for other in [&b""[..], b"remotemedia checkpoint 2\nwhatever", HEADING] {
            fs::write(folder.path().join(NAME), other).unwrap();
            let error = find(folder.path()).unwrap_err().to_string();
            assert!(error.contains("no checkpoint of this version"), "{error}");
        }
    }
}
