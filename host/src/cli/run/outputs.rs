//! `-o`: which port's packets go into which file.

use std::path::{Path, PathBuf};

use crate::Host;
use crate::media::{AudioWriter, FileKind, JsonLinesWriter, MediaError, OutputFile};
use remotemedia_core::{NodeDescriptor, Payload, PayloadKind, Port};
use remotemedia_engine::{Output, Plan};

use sha2::{Digest, Sha256};

use super::inputs::named;
use super::sets::suggestion;
use crate::cli::console;
use crate::cli::failure::Failure;

/// All files of a run.
pub struct Outlets {
    host: Host,
    files: Vec<Outlet>,
}

/// One file.
pub struct Outlet {
    node: usize,
    port: Port,
    path: PathBuf,
    /// What the file is called until it is whole, when that matters.
    part: Option<String>,
    writer: Writer,
}

/// Files begin with their first packet, which tells the format; values' files begin at once.
enum Writer {
    Undecided,
    Audio(AudioWriter),
    Values(JsonLinesWriter),
}

impl Outlets {
    /// Assigns every `-o` to a port.
    pub fn resolve(host: &Host, plan: &Plan, specs: &[String]) -> Result<Self, Failure> {
        let mut outlets: Vec<Outlet> = Vec::new();
        for spec in specs {
            let outlet = Outlet::resolve(plan, spec)?;
            if outlets.iter().any(|other| other.path == outlet.path) {
                return Err(Failure::usage(format!("two outputs go to `{}`", outlet.path.display())));
            }
            outlets.push(outlet);
        }
        for outlet in &mut outlets {
            outlet.check_folder()?;
        }
        Ok(Self { host: host.clone(), files: outlets })
    }

    /// The files: node, port and path of each.
    pub fn files(&self) -> impl Iterator<Item = (usize, Port, &Path)> {
        self.files.iter().map(|outlet| (outlet.node, outlet.port, outlet.path.as_path()))
    }

    /// From now on an unfinished file has the same name whenever the job of `folder` runs: whoever goes on with a job
    /// writes over what a process that died has left.
    pub fn keep_names(&mut self, folder: &Path) {
        for (nth, outlet) in self.files.iter_mut().enumerate() {
            outlet.part = Some(part_name(folder, nth));
        }
    }

    /// True when packets of `port` go into a file.
    pub fn take(&self, node: usize, port: Port) -> bool {
        self.path_of(node, port).is_some()
    }

    /// True when one of them is standard output.
    pub fn use_stdout(&self) -> bool {
        self.files.iter().any(|outlet| FileKind::of(&outlet.path) == FileKind::Pipe)
    }

    /// The ports that would not leave the graph by themselves.
    pub fn taps(&self, plan: &Plan) -> Vec<(usize, Port)> {
        let sinks = plan.graph().sinks();
        self.files
            .iter()
            .map(|outlet| (outlet.node, outlet.port))
            .filter(|(node, port)| !(sinks.contains(node) && *port == Port::FIRST))
            .collect()
    }

    /// Writes `output` where it belongs; false when it belongs nowhere.
    pub fn write(&mut self, output: &Output) -> Result<bool, Failure> {
        let mut written = false;
        for outlet in &mut self.files {
            if (outlet.node, outlet.port) == (output.node, output.port) {
                outlet.write(&self.host, &output.packet.payload).map_err(|error| Failure::media(&error))?;
                written = true;
            }
        }
        Ok(written)
    }

    /// The file that the audio of `port` went to.
    pub fn path_of(&self, node: usize, port: Port) -> Option<&Path> {
        self.files
            .iter()
            .find(|outlet| (outlet.node, outlet.port) == (node, port))
            .map(|outlet| outlet.path.as_path())
    }

    /// Writes what still waits for the reader of standard output. That may take forever, and so an interrupt may end it.
    pub fn finish_stdout(&mut self) -> Result<(), Failure> {
        self.finish_those(|kind| kind == FileKind::Pipe, true)
    }

    /// Completes the files. A file that got no packet is reported, but not `quietly`, and empty if it holds values.
    pub fn finish(&mut self, quietly: bool) -> Result<(), Failure> {
        self.finish_those(|kind| kind != FileKind::Pipe, quietly)
    }

    fn finish_those(&mut self, wanted: impl Fn(FileKind) -> bool, quietly: bool) -> Result<(), Failure> {
        for outlet in self.files.iter_mut().filter(|outlet| wanted(FileKind::of(&outlet.path))) {
            let finished = match std::mem::replace(&mut outlet.writer, Writer::Undecided) {
                Writer::Audio(writer) => writer.finish(),
                Writer::Values(writer) => writer.finish(),
                Writer::Undecided => outlet.finish_empty(quietly),
            };
            finished.map_err(|error| Failure::media(&error))?;
        }
        Ok(())
    }
}

impl Outlet {
    fn resolve(plan: &Plan, spec: &str) -> Result<Self, Failure> {
        let graph = plan.graph();
        let ids = || graph.nodes().iter().map(|node| node.manifest.id.as_str());
        let (node, port, path) = match named(spec) {
            Some((name, path)) => {
                let (id, port) = name.split_once('.').map_or((name, None), |(id, port)| (id, Some(port)));
                let node = graph.index_of(id).ok_or_else(|| {
                    Failure::usage(format!("-o {spec}: no node is called `{id}`{}", suggestion(id, ids())))
                })?;
                (node, port, PathBuf::from(path))
            }
            None => match graph.sinks()[..] {
                [only] => (only, None, PathBuf::from(spec)),
                ref sinks => {
                    let names: Vec<_> =
                        sinks.iter().map(|&sink| graph.nodes()[sink].manifest.id.as_str()).collect();
                    return Err(Failure::usage(format!(
                        "-o {spec}: this pipeline ends in several nodes; name one of {}: -o NODE={spec}",
                        names.join(", ")
                    )));
                }
            },
        };
        let descriptor = &graph.nodes()[node].descriptor;
        let kind = FileKind::of(&path);
        if kind == FileKind::Other {
            return Err(Failure::usage(format!(
                "-o {spec}: outputs are .wav, .flac and .jsonl files, or `-` for standard output"
            )));
        }
        let port = choose_port(descriptor, port, kind, spec)?;
        Ok(Self { node, port, path, part: None, writer: Writer::Undecided })
    }

    /// A folder that cannot be written is found now, not after an hour of work.
    fn check_folder(&self) -> Result<(), Failure> {
        if FileKind::of(&self.path) == FileKind::Pipe {
            return Ok(());
        }
        OutputFile::check(&self.path).map_err(|error| Failure::unreadable(&error))
    }

    fn begin(&self) -> Result<OutputFile, MediaError> {
        match &self.part {
            None => OutputFile::create(&self.path),
            Some(part) => OutputFile::create_as(&self.path, part),
        }
    }

    fn write(&mut self, host: &Host, payload: &Payload) -> Result<(), MediaError> {
        if matches!(self.writer, Writer::Undecided) {
            self.writer = match (FileKind::of(&self.path), payload) {
                (FileKind::JsonLines, _) => Writer::Values(JsonLinesWriter::to(&self.path, self.begin()?)),
                (FileKind::Pipe, Payload::Audio(audio)) => {
                    Writer::Audio(AudioWriter::create(&self.path, audio.spec())?)
                }
                (FileKind::Pipe, _) => Writer::Values(JsonLinesWriter::create(&self.path)?),
                (_, Payload::Audio(audio)) => {
                    Writer::Audio(AudioWriter::to(&self.path, self.begin()?, audio.spec())?)
                }
                (_, other) => return Err(self.misfit(other)),
            };
        }
        match (&mut self.writer, payload) {
            (Writer::Audio(writer), Payload::Audio(audio)) => writer.write(audio),
            (Writer::Values(writer), payload) => writer.write(&host.to_json(payload)),
            (_, other) => Err(self.misfit(other)),
        }
    }

    fn misfit(&self, payload: &Payload) -> MediaError {
        MediaError::Unsupported {
            path: self.path.clone(),
            detail: format!("an audio file cannot hold {}; write it to a .jsonl file", payload.type_name()),
        }
    }

    fn finish_empty(&self, quietly: bool) -> Result<(), MediaError> {
        match FileKind::of(&self.path) {
            FileKind::JsonLines => JsonLinesWriter::to(&self.path, self.begin()?).finish(),
            FileKind::Pipe => Ok(()),
            _ if quietly => Ok(()),
            _ => {
                let path = self.path.display();
                console::tell(&format!("note: nothing came out for `{path}`, so it was not written"));
                Ok(())
            }
        }
    }
}

/// A name for the unfinished file of output `nth`, which no job of another folder uses.
fn part_name(folder: &Path, nth: usize) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let job = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    format!(".remotemedia-{:.16}-{nth}.part", format!("{job:x}"))
}

fn choose_port(
    descriptor: &NodeDescriptor,
    name: Option<&str>,
    kind: FileKind,
    spec: &str,
) -> Result<Port, Failure> {
    let ports = &descriptor.outputs;
    let holds_audio = matches!(kind, FileKind::Wav | FileKind::Flac);
    let found = match name {
        Some(name) => ports.iter().position(|port| port.name == name).ok_or_else(|| {
            let names = ports.iter().map(|port| port.name.as_str());
            Failure::usage(format!("-o {spec}: there is no output port `{name}`{}", suggestion(name, names)))
        })?,
        None if holds_audio => ports
            .iter()
            .position(|port| matches!(port.kind, PayloadKind::Audio | PayloadKind::Any))
            .ok_or_else(|| {
                Failure::usage(format!(
                    "-o {spec}: the node puts out no audio; write its values to a .jsonl file"
                ))
            })?,
        None if kind == FileKind::JsonLines => {
            ports.iter().position(|port| port.kind != PayloadKind::Audio).unwrap_or(0)
        }
        None => 0,
    };
    let fits = |port: PayloadKind| !holds_audio || matches!(port, PayloadKind::Audio | PayloadKind::Any);
    match ports.get(found) {
        Some(port) if fits(port.kind) => u16::try_from(found)
            .map(Port)
            .map_err(|_| Failure::usage(format!("-o {spec}: there are too many ports"))),
        Some(port) => Err(Failure::usage(format!(
            "-o {spec}: the port `{}` puts out {}, which no audio file holds; write a .jsonl file",
            port.name,
            port.kind.name()
        ))),
        None => Err(Failure::usage(format!("-o {spec}: the node has no output"))),
    }
}

#[cfg(test)]
mod tests {
    use remotemedia_core::PortSpec;

    use super::*;

    fn vad() -> NodeDescriptor {
        let mut descriptor = NodeDescriptor::transform("VAD", PayloadKind::Audio, "");
        descriptor.outputs =
            vec![PortSpec::new("speech", PayloadKind::Audio), PortSpec::new("segments", PayloadKind::Json)];
        descriptor
    }

    #[test]
    fn a_file_takes_the_first_port_that_fits_it() {
        let choose =
            |name, kind| choose_port(&vad(), name, kind, "x").map_err(|failure| format!("{failure:?}"));
        assert_eq!(choose(None, FileKind::Wav), Ok(Port(0)));
        assert_eq!(choose(None, FileKind::JsonLines), Ok(Port(1)));
        assert_eq!(choose(None, FileKind::Pipe), Ok(Port(0)));
        assert_eq!(choose(Some("segments"), FileKind::Pipe), Ok(Port(1)));
        assert!(choose(Some("segments"), FileKind::Flac).unwrap_err().contains("no audio file"));
        assert!(choose(Some("segment"), FileKind::Pipe).unwrap_err().contains("`segments`"));
    }
}
