//! The grammar of `remotemedia node`. The doc comments are the help texts.

use std::path::PathBuf;

use crate::kit;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Make the folder of a new node, which builds and passes its test untouched.
    #[command(after_help = "Example:\n  remotemedia node new my-tremolo --lang rust")]
    New(NewArgs),
    /// Build the component of a node's folder.
    Build {
        /// The node's folder.
        #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Run unit tests, and golden cases in the sandbox.
    #[command(after_help = TEST_HELP)]
    Test(TestArgs),
    /// Measure what a block costs in the sandbox.
    Bench(BenchArgs),
    /// Run one component on files.
    #[command(after_help = RUN_HELP)]
    Run(NodeRunArgs),
    /// Show what a .wasm file is, what it imports, and which permissions it would need.
    Inspect(InspectArgs),
    /// Check what every node must hold to: cuts, caps, silence, NaN, params, ends, memory, time.
    #[command(after_help = "Example:\n  remotemedia node conform gain.wasm --quick")]
    Conform(super::conform::ConformArgs),
    /// Make one file of a node, its README and its licence, to give away.
    #[command(
        after_help = "Examples:\n  remotemedia node pack my-tremolo\n  remotemedia node pack gain.wasm --readme README.md"
    )]
    Pack(PackArgs),
    /// Put a packed node into an OCI registry.
    #[command(after_help = PUSH_HELP)]
    Push(PushArgs),
    /// Get a node's component out of an OCI registry or a packed file.
    #[command(
        after_help = "Example:\n  remotemedia node pull registry.example.com/nodes/gain:0.1.0 -o gain.wasm"
    )]
    Pull(PullArgs),
    /// Make a pair of keys for signing components.
    #[command(after_help = "Example:\n  remotemedia node keygen author.key")]
    Keygen(KeygenArgs),
    /// Sign a component, so that others see that it is yours and unchanged.
    #[command(after_help = "Example:\n  remotemedia node sign gain.wasm --key author.key")]
    Sign(SignArgs),
    /// Show which trusted key signed a component.
    #[command(after_help = "Example:\n  remotemedia node verify gain.wasm --key author.pub")]
    Verify(VerifyArgs),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Lang {
    /// Fastest and smallest components.
    Rust,
    /// componentize-py; the component holds an interpreter.
    Python,
    /// componentize-qjs; the component holds an engine.
    Js,
    /// clang.
    C,
}

impl From<Lang> for kit::Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Python => Self::Python,
            Lang::Js => Self::Js,
            Lang::C => Self::C,
        }
    }
}

#[derive(Debug, Args)]
pub struct NewArgs {
    /// The name of folder, package and node type: lower-case words with `-` between them.
    pub name: String,
    /// What the node is written in.
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Lang,
}

const TEST_HELP: &str = "\
A golden case is a folder in golden/: input.wav (or input.jsonl, input.PORT.wav …), what must come out: expected.wav
(or expected.jsonl, expected.PORT.jsonl …), and case.toml for params. The node must have been built.

Examples:
  remotemedia node test
  remotemedia node test --case quieter
  remotemedia node test --bless                    # the cases that fail, or expect nothing yet
  remotemedia node test --bless --case quieter     # this one, whatever it expects now";

#[derive(Debug, Args)]
pub struct TestArgs {
    /// The node's folder.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// This golden case only, and no unit tests; may be given several times.
    #[arg(long = "case", value_name = "NAME")]
    pub cases: Vec<String>,
    /// Write what comes out today as what is expected, for cases that fail, expect nothing yet, or are named with --case.
    #[arg(long)]
    pub bless: bool,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A component, or a node's folder.
    #[arg(value_name = "FILE.wasm|DIR", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub target: PathBuf,
    /// Samples per second.
    #[arg(long, value_name = "HZ", default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(1..=768_000))]
    pub rate: u32,
    /// Samples per frame.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub channels: u16,
    /// Length of a block, in frames.
    #[arg(long, value_name = "FRAMES", default_value_t = 960, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub block: u32,
    /// How much audio goes through, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub seconds: f64,
    /// A param of the node; the value is JSON or plain text.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
}

const RUN_HELP: &str = "\
Inputs and outputs are those of `remotemedia run`; what stands before the `=` is a port of the node.

Examples:
  remotemedia node run -i in.wav -o out.wav --param gain_db=-6     # in the node's folder
  remotemedia node run gain.wasm -i in.wav -o out.wav --param gain_db=-6
  remotemedia node run ducker.wasm -i programme=music.wav -i sidechain=voice.wav -o ducked.wav
  remotemedia node run tone-detector.wasm -i in.wav -o events=events.jsonl";

#[derive(Debug, Args)]
pub struct NodeRunArgs {
    /// A component, or a node's folder.
    #[arg(value_name = "FILE.wasm|DIR", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub target: PathBuf,
    /// A file for an input port, by default the first. Several files for one port follow each other.
    #[arg(short, long = "input", value_name = "[PORT=]FILE", value_hint = ValueHint::FilePath)]
    pub inputs: Vec<String>,
    /// A file for an output port, by default the first fitting one.
    #[arg(short, long = "output", value_name = "[PORT=]FILE", value_hint = ValueHint::FilePath)]
    pub outputs: Vec<String>,
    /// A param of the node; the value is JSON or plain text.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// How much audio is read at a time, in milliseconds. Results do not depend on it.
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub chunk_ms: u32,
    /// Write what the engine counted, as JSON.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<PathBuf>,
    /// Take over the component when its file changes, between two packets.
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The file, or a node's folder.
    #[arg(value_name = "FILE.wasm|DIR", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub target: PathBuf,
    /// A public key, or a file that holds one, whose signature counts; may be given several times. By default, the
    /// policy's trusted keys.
    #[arg(long = "key", value_name = "KEY|FILE.pub")]
    pub keys: Vec<String>,
}

#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The file for the private key; the public key goes beside it, with the ending `.pub`.
    #[arg(value_name = "FILE.key", value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
}

#[derive(Debug, Args)]
pub struct SignArgs {
    /// The component.
    #[arg(value_name = "FILE.wasm", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Your private key, as `remotemedia node keygen` wrote it.
    #[arg(long, value_name = "FILE.key", value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
    /// Write the signature into FILE.wasm.sig and leave the component as it is.
    #[arg(long)]
    pub detached: bool,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The component.
    #[arg(value_name = "FILE.wasm", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// A public key or a file that holds one; may be given several times. By default, the policy's trusted keys.
    #[arg(long = "key", value_name = "KEY|FILE.pub")]
    pub keys: Vec<String>,
}

#[derive(Debug, Args)]
pub struct PackArgs {
    /// A node's folder, which must have been built, or a component.
    #[arg(value_name = "DIR|FILE.wasm", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub source: PathBuf,
    /// Where to; by default NODE_TYPE-VERSION.oci.tar.
    #[arg(short, long, value_name = "FILE.oci.tar", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The README; by default README.md beside the component or in the node's folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub readme: Option<PathBuf>,
    /// The licence; by default LICENSE beside the component or in the node's folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub license: Option<PathBuf>,
}

const PUSH_HELP: &str = "\
The credentials are those of `docker login`, or REMOTEMEDIA_REGISTRY_USER and REMOTEMEDIA_REGISTRY_PASSWORD.

Example:
  remotemedia node push registry.example.com/nodes/gain:0.1.0 gain-0.1.0.oci.tar";

/// How a registry is reached.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// Do not encrypt the connection. Registries on this machine's loopback addresses never are.
    #[arg(long)]
    pub plain_http: bool,
}

#[derive(Debug, Args)]
pub struct PushArgs {
    /// The name in the registry: registry/name:tag.
    pub reference: String,
    /// What `remotemedia node pack` wrote.
    #[arg(value_name = "FILE.oci.tar", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub struct PullArgs {
    /// The name in the registry (registry/name:tag or registry/name@sha256:…), or a packed file.
    #[arg(value_name = "REFERENCE|FILE.oci.tar")]
    pub source: String,
    /// The file for the component; by default the last part of the name, with `.wasm`.
    #[arg(short, long, value_name = "FILE.wasm", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub registry: RegistryArgs,
}
