//! `--checkpoint`: a run that goes on where it was after its process died. See docs/reliability.md, "Resume".
//!
//! Everything that leaves the graph goes into a journal before it goes into the files. A run that goes on makes its
//! files and results anew from the journal, brings the nodes into their state by replaying the input without the
//! calls whose results are in the journal, and continues. So everything that it writes goes the way it always goes,
//! and is byte for byte what a run without a break writes.

mod job;
mod journal;
mod pace;
mod record;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crc32fast::Hasher;
use remotemedia_core::manifest::{OnFull, QueueSpec};
use remotemedia_core::{Packet, Payload};
use remotemedia_engine::{Output, Plan, Replay};

use super::inputs::{Inputs, named};
use super::outputs::Outlets;
use crate::Host;
use crate::cli::args::RunOptions;
use crate::cli::failure::Failure;
use journal::{Found, Journal, Mark};
use pace::Pace;
pub use record::Restored;
use record::{Content, Record};

/// The checkpoint of one run.
pub struct Checkpoint {
    host: Host,
    folder: PathBuf,
    /// Locked while this process works here.
    _lock: File,
    journal: Journal,
    /// What an earlier process left, until it is restored.
    found: Option<Found>,
    replay: Arc<Replay>,
    pace: Pace,
    began: Instant,
    /// The last mark: of an earlier process while `replaying`.
    mark: Mark,
    replaying: bool,
    diverged: bool,
    resumed_at: u64,
    fed: u64,
    ids: Vec<String>,
    /// Checksums of what each node has put out: what was restored, and what came again in the replay.
    put_out: Vec<u32>,
    again: Vec<u32>,
    bytes: Vec<u8>,
}

impl Checkpoint {
    /// Opens the folder that `options` name, if they do, and looks for what an earlier process left.
    pub fn open(
        host: &Host,
        plan: &Plan,
        inputs: &Inputs,
        outlets: &Outlets,
        options: &RunOptions,
    ) -> Result<Option<Self>, Failure> {
        let Some(folder) = &options.checkpoint else { return Ok(None) };
        let unusable = |error: io::Error| unusable(folder, &error);
        fs::create_dir_all(folder).map_err(unusable)?;
        let lock = lock(folder)?;
        let job = job::describe(plan, inputs, outlets, options.chunk_ms)?;
        let found = journal::find(folder).map_err(unusable)?;
        let journal = match &found {
            None => Journal::create(folder, &job).map_err(unusable)?,
            Some(found) => {
                let differences = job::differences(&found.job, &job);
                if !differences.is_empty() {
                    return Err(another_job(folder, &differences));
                }
                Journal::resume(folder, found).map_err(unusable)?
            }
        };
        let mark = found.as_ref().map(|found| found.mark.clone()).unwrap_or_default();
        let ids: Vec<String> = plan.graph().nodes().iter().map(|node| node.manifest.id.clone()).collect();
        Ok(Some(Self {
            host: host.clone(),
            folder: folder.clone(),
            _lock: lock,
            journal,
            found,
            replay: Replay::new(plan),
            pace: Pace::new(Duration::from_millis(options.checkpoint_interval_ms)),
            began: Instant::now(),
            replaying: mark.packets > 0,
            diverged: false,
            resumed_at: mark.packets,
            mark,
            fed: 0,
            put_out: vec![0; ids.len()],
            again: vec![0; ids.len()],
            ids,
            bytes: Vec::new(),
        }))
    }

    /// The folder, for the names of the files that this job leaves unfinished.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Hands over what an earlier process had put out, in its order.
    pub fn restore(&mut self, mut take: impl FnMut(Restored) -> Result<(), Failure>) -> Result<(), Failure> {
        let Some(found) = self.found.take() else { return Ok(()) };
        journal::records(&self.folder, &found, |bytes, record| {
            let Some(sum) = self.put_out.get_mut(record.node) else { return Ok(()) };
            *sum = added(*sum, bytes);
            Ok(take(record.restore())?)
        })
        .map_err(|error| match error {
            Stopped::Io(error) => unusable(&self.folder, &error),
            Stopped::Failure(failure) => failure,
        })
    }

    /// What the pipeline is to be started with.
    pub fn replay(&self) -> Arc<Replay> {
        self.replay.set_replaying(self.replaying);
        Arc::clone(&self.replay)
    }

    /// Records `output`; `None` when an earlier process has. `in_file`: it goes into a file.
    pub fn keep(&mut self, output: Output, in_file: bool) -> Result<Option<Output>, Failure> {
        let Output { node, port, packet } = output;
        let pts_ns = packet.pts_ns;
        let (content, payload) = match packet.payload {
            Payload::Audio(audio) if in_file => (Content::Audio(audio.clone()), Payload::Audio(audio)),
            Payload::Audio(audio) => {
                (Content::Heard(audio.spec(), audio.frames() as u64), Payload::Audio(audio))
            }
            // What is not audio counts as JSON from here on, with or without a break.
            other => {
                let value = self.host.to_json(&other);
                (Content::Value(value.clone()), value.into())
            }
        };
        self.bytes.clear();
        Record { node, port, pts_ns, content }.encode(&mut self.bytes);
        if self.replaying {
            self.again[node] = added(self.again[node], &self.bytes);
            return Ok(None);
        }
        self.journal.append(&self.bytes).map_err(|error| self.unwritable(&error))?;
        Ok(Some(Output { node, port, packet: Packet::new(pts_ns, payload) }))
    }

    /// One packet more was fed. True: it is time for [`Checkpoint::mark`], once the pipeline is quiet and everything
    /// that came out was kept.
    pub fn fed(&mut self) -> bool {
        self.fed += 1;
        if self.replaying { self.fed == self.mark.packets } else { self.pace.fed(self.began.elapsed()) }
    }

    /// Makes everything until now durable; at the end of a replay, checks that it went as before.
    pub fn mark(&mut self) -> Result<(), Failure> {
        if self.replaying {
            self.check_replay()?;
            self.replaying = false;
            self.replay.set_replaying(false);
            self.began = Instant::now();
            return Ok(());
        }
        let writing = Instant::now();
        self.mark = Mark { packets: self.fed, entered: self.replay.entered() };
        self.journal.mark(&self.mark).map_err(|error| self.unwritable(&error))?;
        self.pace.done(self.began.elapsed(), writing.elapsed());
        tracing::debug!(target: "remotemedia::checkpoint", packets = self.fed, "checkpoint");
        Ok(())
    }

    /// The input has ended.
    pub fn at_end(&mut self) -> Result<(), Failure> {
        if self.replaying {
            return Err(self.diverged("the input ends earlier than it did"));
        }
        Ok(())
    }

    fn check_replay(&mut self) -> Result<(), Failure> {
        let differs = |&node: &usize| !self.replay.is_tail(node) && self.put_out[node] != self.again[node];
        if let Some(node) = (0..self.ids.len()).find(differs) {
            return Err(self.diverged(&format!("node `{}` did not put out the same again", self.ids[node])));
        }
        let entered = self.replay.entered();
        if let Some(entry) = entered.iter().find(|entry| !self.mark.entered.contains(entry)) {
            return Err(self.diverged(&format!("node `{}` did not get the same again", self.ids[entry.node])));
        }
        Ok(())
    }

    fn diverged(&mut self, what: &str) -> Failure {
        self.diverged = true;
        Failure::checkpoint(format!(
            "the run cannot go on from the checkpoint in `{}`: {what}. A node up to there is not deterministic, or its \
             code changed; remove `{}` to begin again, and leave --checkpoint out if it cannot be mended",
            self.folder.display(),
            journal::path(&self.folder).display()
        ))
    }

    fn unwritable(&self, error: &io::Error) -> Failure {
        Failure::output(format!("cannot write the checkpoint in `{}`: {error}", self.folder.display()))
    }

    /// How many packets an earlier process had done; 0 when this run began at the beginning.
    pub fn resumed_at(&self) -> u64 {
        self.resumed_at
    }

    /// What to say when the run failed.
    pub fn advice(&self) -> Option<String> {
        let packets = self.mark.packets;
        (packets > 0 && !self.diverged).then(|| {
            format!(
                "what came of the first {packets} packets is kept in `{}`; the same command goes on from there",
                self.folder.display()
            )
        })
    }

    /// The job is done: nothing of it stays in the folder.
    pub fn remove(self) -> Result<(), Failure> {
        journal::remove(&self.folder).map_err(|error| self.unwritable(&error))
    }
}

/// `sum`, continued by a record.
fn added(sum: u32, bytes: &[u8]) -> u32 {
    let mut sum = Hasher::new_with_initial(sum);
    sum.update(bytes);
    sum.finalize()
}

enum Stopped {
    Io(io::Error),
    Failure(Failure),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn unusable(folder: &Path, error: &io::Error) -> Failure {
    let path = folder.display();
    Failure::usage(match error.kind() {
        io::ErrorKind::InvalidData => format!(
            "`{}` is {error}; remove it to begin again, or give --checkpoint another folder",
            journal::path(folder).display()
        ),
        _ => format!("cannot use `{path}` for the checkpoint: {error}"),
    })
}

fn another_job(folder: &Path, differences: &[String]) -> Failure {
    Failure::usage(format!(
        "`{}` holds the checkpoint of another job; it differs in {}. Give --checkpoint another folder, or remove `{}` \
         to begin again",
        folder.display(),
        differences.join(", "),
        journal::path(folder).display()
    ))
}

fn lock(folder: &Path) -> Result<File, Failure> {
    let file = File::open(folder).map_err(|error| unusable(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::usage(format!(
            "another process works on the checkpoint in `{}`; wait for it, or give --checkpoint another folder",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable(folder, &error)),
    }
}

/// Refuses what is gone once it was read or written, or comes out differently every time: it cannot be gone over again.
pub fn refuse_what_cannot_be_repeated(plan: &Plan, options: &RunOptions) -> Result<(), Failure> {
    if options.checkpoint.is_none() {
        return Ok(());
    }
    // A file that is missing is somebody else's complaint.
    let is_gone = |path: &&Path| *path == Path::new("-") || path.exists() && !path.is_file();
    if let Some(path) = options.inputs.iter().map(|spec| file_of(spec)).find(is_gone) {
        return Err(Failure::usage(format!(
            "--checkpoint reads its input again when it goes on, and `{}` is no regular file; write it to a file first",
            path.display()
        )));
    }
    if let Some(path) = options.outputs.iter().map(|spec| file_of(spec)).find(is_gone) {
        return Err(Failure::usage(format!(
            "--checkpoint writes its outputs again when it goes on, and `{}` is no regular file; give the output a \
             file name",
            path.display()
        )));
    }
    let graph = plan.graph();
    let drops = |queue: Option<QueueSpec>| queue.is_some_and(|queue| queue.on_full != OnFull::Block);
    if let Some(edge) = graph.edges().iter().find(|edge| drops(edge.queue)) {
        return Err(Failure::usage(format!(
            "--checkpoint is for runs that come out the same every time, and the queue from `{}` to `{}` drops packets \
             when it is full; let it block (`on_full: block`)",
            graph.nodes()[edge.from].manifest.id,
            graph.nodes()[edge.to].manifest.id
        )));
    }
    Ok(())
}

/// The file of an `-i` or `-o`.
fn file_of(spec: &str) -> &Path {
    match named(spec) {
        Some((_, path)) if !Path::new(spec).exists() => Path::new(path),
        _ => Path::new(spec),
    }
}
