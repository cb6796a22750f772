//! The grammar of the command line. The doc comments are the help texts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::console;
use super::failure::Failure;
use super::node::NodeCommand;
use super::top::TopArgs;
use crate::telemetry::LogFormat;

const AFTER_HELP: &str = "\
Exit codes: 0 ok, 1 the pipeline failed, 2 wrong usage, manifest or input, 130 interrupted.
Environment: REMOTEMEDIA_RUNTIME_FORCE, REMOTEMEDIA_PYTHON_RUNTIME, REMOTEMEDIA_ENABLE_FALLBACK,
             REMOTEMEDIA_VENV, REMOTEMEDIA_CACHE_DIR, REMOTEMEDIA_COMPILER, REMOTEMEDIA_POLICY,
             REMOTEMEDIA_COREDUMP_DIR,
             REMOTEMEDIA_TOOLS, REMOTEMEDIA_REGISTRY_USER, REMOTEMEDIA_REGISTRY_PASSWORD,
             REMOTEMEDIA_LOG or RUST_LOG (for example `debug`), REMOTEMEDIA_LOG_FORMAT, REMOTEMEDIA_OTLP,
             TRACEPARENT, TRACESTATE.";

/// Runs media pipelines whose nodes are native, WebAssembly components or Python classes.
#[derive(Debug, Parser)]
#[command(name = "remotemedia", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
    /// Print results and errors as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// The operator's policy for sandboxed nodes; by default REMOTEMEDIA_POLICY, else the built-in one.
    #[arg(long, global = true, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub policy: Option<PathBuf>,
    /// Write a core dump of a component that traps or hits a limit; by default REMOTEMEDIA_COREDUMP_DIR, else nowhere.
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub coredump_dir: Option<PathBuf>,
    /// How log lines on standard error look; by default REMOTEMEDIA_LOG_FORMAT, else text.
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Send traces and metrics to an OpenTelemetry collector, by OTLP over HTTP; by default REMOTEMEDIA_OTLP.
    #[arg(long, global = true, value_name = "http://HOST:4318", value_hint = ValueHint::Url)]
    pub otlp: Option<String>,
    /// Run only components that `remotemedia.lock` beside the manifest lists.
    #[arg(long, global = true)]
    pub locked: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline on files or pipes.
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Look at a running pipeline: rates, call times, queues, drops.
    #[command(
        after_help = "Examples:\n  remotemedia run live.json -i - --inspect\n  remotemedia top\n  remotemedia top 4711 --once"
    )]
    Top(TopArgs),
    /// Check a manifest and list everything that is wrong with it.
    Validate {
        /// The manifest (.json, .yaml).
        #[arg(value_hint = ValueHint::FilePath)]
        manifest: PathBuf,
    },
    /// Show which runtime would run each node, and why, with its ports.
    Plan {
        /// The manifest (.json, .yaml).
        #[arg(value_hint = ValueHint::FilePath)]
        manifest: PathBuf,
    },
    /// Draw the graph: SVG, Graphviz DOT or Mermaid.
    Graph {
        /// The manifest (.json, .yaml).
        #[arg(value_hint = ValueHint::FilePath)]
        manifest: PathBuf,
        /// Where to: .svg, .dot or .mmd; without it, Mermaid on standard output.
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        output: Option<PathBuf>,
    },
    /// Write a node of your own: from an empty folder to a tested component.
    Node {
        #[command(subcommand)]
        command: NodeCommand,
    },
    /// Show the node types there are, or one in detail.
    Nodes {
        #[command(subcommand)]
        command: NodesCommand,
    },
    /// Show what sandboxed nodes may use and reach, or check a policy file.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Write `remotemedia.lock` beside a manifest: its components must stay what they are now.
    Lock {
        /// The manifest (.json, .yaml).
        #[arg(value_hint = ValueHint::FilePath)]
        manifest: PathBuf,
    },
    /// Print the JSON Schema of manifests, for editors.
    Schema,
    /// Check what this machine has for running nodes, and say how to mend what is missing.
    Doctor,
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  remotemedia completions bash > ~/.local/share/bash-completion/completions/remotemedia"
    )]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// What the other verbs start to compile a component. Not for people.
    #[command(hide = true)]
    CompileComponent(CompileArgs),
}

/// Limits of the process that compiles one component from standard input to standard output.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// Length of the component.
    #[arg(long)]
    pub component_bytes: u64,
    /// Address space, in MiB.
    #[arg(long)]
    pub memory_mb: u32,
    /// Processor time, in seconds.
    #[arg(long)]
    pub cpu_seconds: u64,
    /// Instead of compiling, tell where in the source the bytes at these offsets come from.
    #[arg(long, value_delimiter = ',')]
    pub places: Vec<u64>,
}

impl Command {
    /// The verb, as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Top(_) => "top",
            Self::Validate { .. } => "validate",
            Self::Plan { .. } => "plan",
            Self::Graph { .. } => "graph",
            Self::Node { .. } => "node",
            Self::Nodes { .. } => "nodes",
            Self::Policy { .. } => "policy",
            Self::Lock { .. } => "lock",
            Self::Schema => "schema",
            Self::Doctor => "doctor",
            Self::Completions { .. } => "completions",
            Self::CompileComponent(_) => "compile-component",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum NodesCommand {
    /// List the native node types.
    List,
    /// Show ports and params of a native type, a component, or a Python class.
    #[command(
        after_help = "Examples:\n  remotemedia nodes describe VAD\n  remotemedia nodes describe target/guests/gain.wasm\n  remotemedia nodes describe features:SpeechFeatures"
    )]
    Describe {
        /// A native type, a `.wasm` file, or `module:Class`.
        #[arg(value_name = "TYPE|FILE.wasm|MODULE:CLASS")]
        node_type: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print every value that holds, as a policy file with comments.
    #[command(
        after_help = "Examples:\n  remotemedia policy show > remotemedia.toml\n  remotemedia policy show --json --policy remotemedia.toml"
    )]
    Show,
    /// Say everything that is wrong with a policy file, or that nothing is.
    Check {
        /// The policy (.toml).
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

const RUN_HELP: &str = "\
Inputs are wav, flac, mp3 and ogg/vorbis files, .jsonl files (one value per line), or `-` for standard input.
Outputs are .wav, .flac and .jsonl files, or `-`: values as JSON lines, audio as a wav stream.
Without -o, values are printed as JSON lines and audio is counted.

Examples:
  remotemedia run pipeline.json -i speech.wav -o clean.flac
  remotemedia run mix.yaml -i voice=a.wav -i music=b.mp3 -o mix=out.wav
  remotemedia run vad.json -i talk.ogg -o vad.segments=segments.jsonl --set vad.threshold=0.6
  remotemedia run asr.json -i lecture.wav -o words.jsonl --checkpoint lecture.job
  ffmpeg -i film.mkv -f wav - | remotemedia run vad.json -i - --json";

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The manifest (.json, .yaml).
    #[arg(value_hint = ValueHint::FilePath)]
    pub manifest: PathBuf,
    /// Change a param of the manifest for this run; the value is JSON or plain text.
    #[arg(long = "set", value_name = "NODE.PARAM=VALUE")]
    pub sets: Vec<String>,
    /// Let nodes take over their component when its file changes, between two packets.
    #[arg(long, conflicts_with = "checkpoint")]
    pub watch_plugins: bool,
    #[command(flatten)]
    pub options: RunOptions,
}

/// What a run reads and writes, whatever the manifest.
#[derive(Debug, Default, Args)]
pub struct RunOptions {
    /// A file for a source node, into its first port by default. Several files for one port follow each other.
    #[arg(short, long = "input", value_name = "[NODE[.PORT]=]FILE", value_hint = ValueHint::FilePath)]
    pub inputs: Vec<String>,
    /// A file for what a node puts out; by default the first fitting port of the only sink.
    #[arg(short, long = "output", value_name = "[NODE[.PORT]=]FILE", value_hint = ValueHint::FilePath)]
    pub outputs: Vec<String>,
    /// How much audio is read at a time, in milliseconds. Results do not depend on it.
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub chunk_ms: u32,
    /// Write what the engine counted, as JSON; also when the run fails or is interrupted.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub metrics: Option<PathBuf>,
    /// Record every call, queue and wait, and write a trace for https://ui.perfetto.dev, also of a run that fails.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,
    /// Let `remotemedia top` look at the run: on a UNIX socket that only you can open, by default
    /// `remotemedia/<process id>.sock` in XDG_RUNTIME_DIR.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    pub inspect: Option<Option<PathBuf>>,
    /// Serve what the engine counts to Prometheus, at /metrics of this address, while the pipeline runs. Whoever can
    /// connect can read it: 127.0.0.1 keeps it on this machine. Port 0 is any free one.
    #[arg(long, value_name = "IP:PORT")]
    pub prometheus: Option<SocketAddr>,
    /// Print what each node took, and which one to look at first, to standard error. By default on a terminal only.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub table: When,
    /// Write a report with graph, waveform, segments and call times, and print its tables.
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Compare the segments found with the true ones of this file ({"segments": [{"start_ns", "end_ns"}]}).
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    pub truth: Option<PathBuf>,
    /// Keep what was done in this folder, so that the same command goes on there after the process died.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub checkpoint: Option<PathBuf>,
    /// How often that is made durable, in milliseconds; 0 is after every packet.
    #[arg(long, value_name = "MS", default_value_t = 1_000, requires = "checkpoint")]
    pub checkpoint_interval_ms: u64,
}

/// Whether something is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, and not with --json.
    #[default]
    Auto,
    /// Wherever it goes.
    Always,
    /// Not at all.
    Never,
}

/// Prints the completion script of `shell`.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "remotemedia", &mut script);
    console::write(&String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        CommandLine::command().debug_assert();
    }
}
