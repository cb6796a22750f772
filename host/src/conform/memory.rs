//! Check `memory`: what the node holds does not grow with the stream. Sandboxed memory is counted to the byte; other
//! nodes are judged by the resident memory of the process, when it runs nothing else.

use super::report::Outcome;
use super::running::{Fault, Running};
use super::stream::{BLOCK, Cut, Recipe};
use super::subject::Subject;

/// What the resident memory of a process may grow by without a leak: allocators keep what is freed, and histograms of
/// an hour have their size.
const RESIDENT_SLACK_BYTES: u64 = 4 << 20;
/// Small blocks make many calls, and calls are what leaks.
const BLOCK_FRAMES: usize = 64;
/// Packets of nodes that take no audio: a hundred per second.
const PACKETS_PER_SECOND: u64 = 100;

/// Where the count of bytes comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Sandbox,
    Resident,
}

pub(super) fn memory(subject: &Subject<'_>) -> Result<Outcome, Fault> {
    if !subject.takes_anything() {
        return Ok(Outcome::not_applicable("none of the values that are usual for its inputs is taken"));
    }
    let mut running = subject.start()?;
    let source = match (running.memory_bytes(), subject.options.alone_in_process) {
        (Some(_), _) => Source::Sandbox,
        (None, true) => Source::Resident,
        (None, false) => {
            let why = "the node's own memory is not counted, and other nodes run in this process";
            return Ok(Outcome::not_applicable(why));
        }
    };
    let seconds = subject.effort.memory_seconds;
    let parts = 8;
    let mut counts = vec![bytes(&running, source)];
    for part in 0..parts {
        feed_part(subject, &mut running, part, seconds.div_ceil(parts))?;
        counts.push(bytes(&running, source));
    }
    let (half, end) = (counts[parts as usize / 2], counts[parts as usize]);
    let slack = if source == Source::Sandbox { 0 } else { RESIDENT_SLACK_BYTES };
    let kib = |bytes: u64| bytes / 1_024;
    let what = if source == Source::Sandbox { "sandboxed memory" } else { "resident memory" };
    let evidence = format!(
        "{what} in KiB: {} at first, {} after half of {seconds} s, {} in the end",
        kib(counts[0]),
        kib(half),
        kib(end)
    );
    let outcome = if end > half + slack { Outcome::fail(evidence) } else { Outcome::pass(evidence) };
    Ok(outcome.number("half_bytes", half).number("end_bytes", end).number("seconds", seconds))
}

fn bytes(running: &Running<'_>, source: Source) -> u64 {
    match source {
        Source::Sandbox => running.memory_bytes().unwrap_or_default(),
        Source::Resident => resident_bytes(),
    }
}

/// One of the parts of the stream, a second of signal again and again.
fn feed_part(subject: &Subject<'_>, running: &mut Running<'_>, part: u64, seconds: u64) -> Result<(), Fault> {
    let frames = match subject.spec {
        Some(spec) => spec.sample_rate_hz as usize,
        None => BLOCK * PACKETS_PER_SECOND as usize,
    };
    let cut = Cut::Every(BLOCK_FRAMES);
    let second = subject.stream(&Recipe { cut, ..subject.recipe(frames) })?;
    for at in 0..seconds {
        let start_ns = (part * seconds + at) as i64 * 1_000_000_000;
        for (port, packet) in &second {
            let mut packet = packet.clone();
            packet.pts_ns += start_ns;
            running.pass((*port, packet))?;
        }
    }
    Ok(())
}

/// Resident memory of this process; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * rustix::param::page_size() as u64
}
