//! `-i`: which file feeds which port of which source, and the order in which packets go in.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::media::{AudioInput, FileKind, JsonLines};
use remotemedia_core::{AudioBuffer, Packet, Payload, PayloadKind, Port};
use remotemedia_engine::Plan;
use serde_json::Value;

use super::interrupt;
use super::sets::suggestion;
use crate::cli::failure::Failure;

/// All feeds of a run.
pub struct Inputs {
    feeds: Vec<Feed>,
    chunk_ms: u32,
    names: Vec<String>,
    /// `node.port` and file of every `-i`, in their order.
    assigned: Vec<(String, String)>,
    total_seconds: Option<f64>,
    /// The feed that the last packet came from.
    last: usize,
}

/// What goes into one port of a source node: files one after the other.
struct Feed {
    node_id: String,
    port: Port,
    kind: PayloadKind,
    current: Option<Reader>,
    waiting: VecDeque<PathBuf>,
    next: Option<Packet>,
    /// Where the current file begins on the stream's time axis.
    offset_ns: i64,
    end_ns: i64,
}

enum Reader {
    Audio(Box<AudioInput>),
    Values(JsonLines),
}

impl Inputs {
    /// The files that are read, without standard input.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.assigned.iter().map(|(_, file)| Path::new(file)).filter(|path| path.as_os_str() != "-")
    }

    /// Assigns every `-i` to a source node and opens the files.
    pub fn open(plan: &Plan, specs: &[String], chunk_ms: u32) -> Result<Self, Failure> {
        let graph = plan.graph();
        let sources: Vec<usize> = graph
            .sources()
            .into_iter()
            .filter(|&index| !graph.nodes()[index].descriptor.inputs.is_empty())
            .collect();
        let id = |index: usize| graph.nodes()[index].manifest.id.as_str();
        let mut feeds: Vec<Feed> = Vec::new();
        let (mut names, mut assigned) = (Vec::new(), Vec::new());
        for spec in specs {
            let (node, port, path) = assign(plan, &sources, spec)?;
            names.push(path.display().to_string());
            assigned.push((format!("{}.{}", id(node), port.0), path.display().to_string()));
            match feeds.iter_mut().find(|feed| feed.node_id == id(node) && feed.port == port) {
                Some(feed) => feed.waiting.push_back(path),
                None => {
                    let kind = graph.nodes()[node].descriptor.inputs[usize::from(port.0)].kind;
                    feeds.push(Feed::new(id(node), port, kind, path));
                }
            }
        }
        if names.iter().filter(|name| *name == "-").count() > 1 {
            return Err(Failure::usage("standard input (`-`) can be given once"));
        }
        if let Some(&unfed) =
            sources.iter().find(|&&index| feeds.iter().all(|feed| feed.node_id != id(index)))
        {
            let option = if sources.len() == 1 { String::new() } else { format!("{}=", id(unfed)) };
            return Err(Failure::usage(format!(
                "the source node `{}` gets no input; give it one with -i {option}FILE",
                id(unfed)
            )));
        }
        let mut inputs = Self { feeds, chunk_ms, names, assigned, total_seconds: Some(0.0), last: 0 };
        for feed in &mut inputs.feeds {
            let seconds = feed.open_next()?;
            // Only the longest feed counts: they run side by side.
            inputs.total_seconds =
                inputs.total_seconds.zip(seconds).map(|(longest, seconds)| longest.max(seconds));
        }
        inputs.total_seconds = inputs.total_seconds.filter(|&seconds| seconds > 0.0);
        Ok(inputs)
    }

    /// The inputs' names as they were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// `node.port` and file of every `-i`, in their order.
    pub fn assigned(&self) -> &[(String, String)] {
        &self.assigned
    }

    /// The length of the longest feed, when it is known and has one file.
    pub fn total_seconds(&self) -> Option<f64> {
        self.total_seconds
    }

    /// How far the feeds have been read on the time axis.
    pub fn seconds_read(&self) -> f64 {
        self.feeds.iter().map(|feed| feed.end_ns).max().unwrap_or(0) as f64 / 1e9
    }

    /// The packet that is next in time, over all feeds; [`Inputs::node_id`] says whose it is.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, Failure> {
        for feed in &mut self.feeds {
            feed.fill(self.chunk_ms)?;
        }
        let earliest = self
            .feeds
            .iter()
            .enumerate()
            .filter_map(|(index, feed)| Some((feed.next.as_ref()?.pts_ns, index)))
            .min();
        let Some((_, index)) = earliest else { return Ok(None) };
        self.last = index;
        Ok(self.feeds[index].next.take())
    }

    /// The node that the last packet goes to.
    pub fn node_id(&self) -> &str {
        self.feeds.get(self.last).map_or("", |feed| &feed.node_id)
    }

    /// The port of that node.
    pub fn port(&self) -> Port {
        self.feeds.get(self.last).map_or(Port::FIRST, |feed| feed.port)
    }

    /// The audio in `packet`, the last one given out, when it belongs to the first feed.
    pub fn first_audio<'a>(&self, packet: &'a Packet) -> Option<&'a AudioBuffer> {
        match &packet.payload {
            Payload::Audio(audio) if self.last == 0 => Some(audio),
            _ => None,
        }
    }
}

impl Feed {
    fn new(node_id: &str, port: Port, kind: PayloadKind, path: PathBuf) -> Self {
        Self {
            node_id: node_id.to_owned(),
            port,
            kind,
            current: None,
            waiting: VecDeque::from([path]),
            next: None,
            offset_ns: 0,
            end_ns: 0,
        }
    }

    /// Opens the next file; gives its length in seconds when that is all there will be and is known.
    fn open_next(&mut self) -> Result<Option<f64>, Failure> {
        let Some(path) = self.waiting.pop_front() else { return Ok(None) };
        let _reading = interrupt::Reading::begin();
        let reader = self.open(&path)?;
        let seconds = match &reader {
            Reader::Audio(audio) if self.waiting.is_empty() => {
                audio.total_frames().map(|frames| frames as f64 / f64::from(audio.spec().sample_rate_hz))
            }
            _ => None,
        };
        self.current = Some(reader);
        self.offset_ns = self.end_ns;
        Ok(seconds)
    }

    fn open(&self, path: &Path) -> Result<Reader, Failure> {
        let takes_audio = matches!(self.kind, PayloadKind::Audio | PayloadKind::Any);
        let as_values = match FileKind::of(path) {
            FileKind::JsonLines => true,
            FileKind::Pipe => !takes_audio,
            _ => false,
        };
        if as_values && self.kind == PayloadKind::Audio {
            return Err(Failure::usage(format!(
                "node `{}` takes audio, and `{}` holds values",
                self.node_id,
                path.display()
            )));
        }
        if !as_values && !takes_audio {
            return Err(Failure::usage(format!(
                "node `{}` takes {}, and `{}` is no .jsonl file",
                self.node_id,
                self.kind.name(),
                path.display()
            )));
        }
        if as_values {
            return JsonLines::open(path).map(Reader::Values).map_err(|error| Failure::unreadable(&error));
        }
        let audio = AudioInput::open(path).map_err(|error| Failure::unreadable(&error))?;
        Ok(Reader::Audio(Box::new(audio)))
    }

    /// Makes `next` hold the next packet, if there is any.
    fn fill(&mut self, chunk_ms: u32) -> Result<(), Failure> {
        while self.next.is_none() {
            let _reading = interrupt::Reading::begin();
            let read = match &mut self.current {
                None => return Ok(()),
                Some(Reader::Audio(audio)) => {
                    audio.next_packet(audio.chunk_frames(chunk_ms)).map_err(|error| Failure::media(&error))?
                }
                Some(Reader::Values(values)) => {
                    let value = values.next_value().map_err(|error| Failure::media(&error))?;
                    value.map(|value| Packet::new(0, payload_of(value, self.kind)))
                }
            };
            match read {
                Some(mut packet) => {
                    packet.pts_ns += self.offset_ns;
                    self.end_ns = packet.pts_ns + packet.duration_ns();
                    self.next = Some(packet);
                }
                None => {
                    self.current = None;
                    self.open_next()?;
                }
            }
        }
        Ok(())
    }
}

/// A line's value as the port wants it: a string is text for a text port, JSON everywhere else.
fn payload_of(value: Value, kind: PayloadKind) -> Payload {
    match (kind, value) {
        (PayloadKind::Text, Value::String(text)) => Payload::Text(text.into()),
        (_, value) => value.into(),
    }
}

/// Takes `[NODE[.PORT]=]FILE` apart.
fn assign(plan: &Plan, sources: &[usize], spec: &str) -> Result<(usize, Port, PathBuf), Failure> {
    let graph = plan.graph();
    let ids = || sources.iter().map(|&index| graph.nodes()[index].manifest.id.as_str());
    let whole = || only(sources, ids(), spec).map(|index| (index, Port::FIRST, spec.into()));
    let Some((name, path)) = named(spec) else { return whole() };
    let (id, port) = name.split_once('.').map_or((name, None), |(id, port)| (id, Some(port)));
    match graph.index_of(id) {
        Some(index) if sources.contains(&index) => {
            let port = port.map_or(Ok(Port::FIRST), |port| input_port(plan, index, port, spec))?;
            Ok((index, port, path.into()))
        }
        Some(_) => Err(Failure::usage(format!(
            "-i {spec}: `{id}` gets its input from another node; the sources are: {}",
            ids().collect::<Vec<_>>().join(", ")
        ))),
        None if Path::new(spec).exists() => whole(),
        None => Err(Failure::usage(format!("-i {spec}: no node is called `{id}`{}", suggestion(id, ids())))),
    }
}

fn input_port(plan: &Plan, node: usize, name: &str, spec: &str) -> Result<Port, Failure> {
    let ports = &plan.graph().nodes()[node].descriptor.inputs;
    let found = ports.iter().position(|port| port.name == name);
    found.and_then(|index| u16::try_from(index).ok()).map(Port).ok_or_else(|| {
        let names = ports.iter().map(|port| port.name.as_str());
        Failure::usage(format!("-i {spec}: there is no input port `{name}`{}", suggestion(name, names)))
    })
}

fn only<'a>(sources: &[usize], ids: impl Iterator<Item = &'a str>, spec: &str) -> Result<usize, Failure> {
    match sources {
        [only] => Ok(*only),
        [] => Err(Failure::usage(format!("-i {spec}: no node of this pipeline takes an input from outside"))),
        _ => Err(Failure::usage(format!(
            "-i {spec}: this pipeline has several sources; name one of {}: -i NODE={spec}",
            ids.collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// `NODE` and `FILE`, when the text before the first `=` can be an id (with a port).
pub fn named(spec: &str) -> Option<(&str, &str)> {
    let (id, path) = spec.split_once('=')?;
    let plausible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!id.is_empty() && !path.is_empty() && id.chars().all(plausible)).then_some((id, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_before_the_equals_sign_is_a_node_only_when_it_can_be_one() {
        assert_eq!(named("mic=a.wav"), Some(("mic", "a.wav")));
        assert_eq!(named("vad.segments=out=1.jsonl"), Some(("vad.segments", "out=1.jsonl")));
        assert_eq!(named("some/dir/x=y.wav"), None);
        assert_eq!(named("a.wav"), None);
        assert_eq!(named("=a.wav"), None);
        assert_eq!(named("mic="), None);
    }
}
