//! The node `probe`: does what each text packet says and answers with what it saw, so that tests learn what a guest can
//! reach and use. It breaks no rule; `hostile` does.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::time::{Instant, SystemTime};

use remotemedia_node::{Audio, Info, NoParams, Node, NodeError, Outputs, Packet, Payload, PayloadKind, Port};

const IN: &[Port] = &[Port { name: "in", kind: PayloadKind::Text }];
const OUT: &[Port] = &[Port { name: "out", kind: PayloadKind::Any }];

/// What it was told to keep.
#[derive(Debug, Default)]
struct Probe {
    files: Vec<File>,
    memory: Vec<Vec<u8>>,
}

impl Node for Probe {
    type Params = NoParams;
    const INFO: Info = Info::new("probe", "Does what its packets say and tells what it saw.", IN, OUT);

    fn new(_: NoParams) -> Result<Self, NodeError> {
        Ok(Self::default())
    }

    fn process(&mut self, _: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Payload::Text(order) = &packet.payload else {
            return Err(NodeError::invalid_input("`probe` takes text"));
        };
        let mut words = order.split(' ');
        let (verb, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let rest = words.next().unwrap_or_default();
        let count = rest.parse::<usize>().unwrap_or_default();
        let answer: Payload = match verb {
            "read" => told(fs::read_to_string(what)).into(),
            "write" => told(fs::write(what, rest).map(|()| "written".into())).into(),
            "remove" => told(fs::remove_file(what).map(|()| "removed".into())).into(),
            "list" => told(list(what)).into(),
            "env" => std::env::var(what).unwrap_or_else(|_| "unset".into()).into(),
            "envs" => std::env::vars().map(|(name, _)| name).collect::<Vec<_>>().join(" ").into(),
            "wall" => wall_ns().to_string().into(),
            "step" => least_step_ns().to_string().into(),
            "random" => RandomState::new().hash_one(0).to_string().into(),
            "open" => told(self.open(what, count)).into(),
            "grow" => self.grow(what).to_string().into(),
            "samples" => samples(order).into(),
            "text" => "x".repeat(what.parse().unwrap_or_default()).into(),
            "json" => nested(what.parse().unwrap_or_default()).into(),
            "bytes" => {
                for _ in 0..count {
                    out.push(Packet::new(packet.pts_ns, vec![0; what.parse().unwrap_or_default()]));
                }
                return Ok(());
            }
            _ => return Err(NodeError::invalid_input(format!("`probe` knows no order `{verb}`"))),
        };
        out.push(Packet::new(packet.pts_ns, answer));
        Ok(())
    }
}

impl Probe {
    fn open(&mut self, path: &str, count: usize) -> std::io::Result<String> {
        for _ in 0..count {
            self.files.push(File::open(path)?);
        }
        Ok(format!("{} open", self.files.len()))
    }

    /// Holds so many MiB more, and tells how many it holds.
    fn grow(&mut self, mebibytes: &str) -> usize {
        let more = mebibytes.parse::<usize>().unwrap_or_default();
        self.memory.extend((0..more).map(|_| std::hint::black_box(vec![1; 1 << 20])));
        self.memory.len()
    }
}

fn told(result: std::io::Result<String>) -> String {
    result.unwrap_or_else(|error| format!("error: {error}"))
}

fn list(dir: &str) -> std::io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}

fn wall_ns() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// The smallest advance of the monotonic clock that is seen while it advances four times.
fn least_step_ns() -> u128 {
    let (mut before, mut least, mut advances) = (Instant::now(), u128::MAX, 0);
    while advances < 4 {
        let now = Instant::now();
        let step = now.duration_since(before).as_nanos();
        if step > 0 {
            (before, least, advances) = (now, least.min(step), advances + 1);
        }
    }
    least
}

/// One channel at 8 kHz of the numbers in the order; `nan` and `inf` are numbers too.
fn samples(order: &str) -> Audio {
    let samples: Vec<f32> = order.split(' ').skip(1).map(|word| word.parse().unwrap_or_default()).collect();
    Audio::from_f32(8_000, 1, &samples)
}

/// `[[…]]`, so deep.
fn nested(depth: usize) -> remotemedia_node::serde_json::Value {
    let mut value = remotemedia_node::serde_json::Value::Null;
    for _ in 0..depth {
        value = vec![value].into();
    }
    value
}

remotemedia_node::export!(Probe);
