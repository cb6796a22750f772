//! The command line: its grammar, its exit codes, and one file per verb.

mod args;
mod compile_component;
mod console;
mod doctor;
mod failure;
mod graph;
mod lock;
mod node;
mod nodes;
mod plan;
mod policy;
mod run;
mod schema;
mod top;
mod validate;

use std::ffi::OsString;
use std::sync::Arc;

use crate::telemetry::{LogFormat, Telemetry};
use crate::{CompilerProgram, Config, Host, give_back_freed_memory};
use clap::Parser;
use clap::error::ErrorKind as ClapErrorKind;

use args::{Command, CommandLine};
use failure::{EXIT_OK, EXIT_USAGE, Failure};
use node::NodeCommand;

/// Parses `arguments`, which begin with the program's name, runs the verb, and reports a failure in the form that was
/// asked for. Returns the exit code. `own_compiler` is how this program is started to compile, when it is not
/// `remotemedia` itself. To be called once per process, which is all the verb's: it writes to the standard streams, and
/// `run` watches for signals.
pub fn run(arguments: &[OsString], own_compiler: Option<CompilerProgram>) -> u8 {
    give_back_freed_memory();
    survive_file_size_limit();
    // Known before parsing, because a wrong command line must be reported in the form it asked for.
    let wants_json = arguments.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let command_line = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => return usage_error(&error, wants_json),
    };
    match dispatch(command_line, own_compiler) {
        Ok(()) => EXIT_OK,
        Err(failure) => {
            failure.report(wants_json);
            failure.exit_code()
        }
    }
}

/// A file that grows past the limit of the process (`ulimit -f`) is an error of the write, not the end of the process:
/// for that its signal must be caught.
fn survive_file_size_limit() {
    #[cfg(unix)]
    {
        let seen = Arc::default();
        if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen) {
            tracing::warn!("the signal for files that grow too large cannot be caught: {error}");
        }
    }
}

fn usage_error(error: &clap::Error, wants_json: bool) -> u8 {
    let is_help = matches!(error.kind(), ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion);
    if is_help {
        console::print(&error.render().ansi().to_string(), &error.render().to_string());
        return EXIT_OK;
    }
    if wants_json {
        let message = error.render().to_string();
        let message = message.trim().trim_start_matches("error: ");
        Failure::usage(message).report(true);
    } else {
        let (colored, plain) = (error.render().ansi().to_string(), error.render().to_string());
        console::tell(console::for_stderr(colored.trim_end(), plain.trim_end()));
    }
    EXIT_USAGE
}

fn dispatch(command_line: CommandLine, own_compiler: Option<CompilerProgram>) -> Result<(), Failure> {
    let json = command_line.json;
    match &command_line.command {
        Command::Completions { shell } => return args::completions(*shell),
        // Before anything else happens in the process: it gives up all rights first.
        Command::CompileComponent(args) => return compile_component::compile_component(args),
        _ => {}
    }
    console::be_json_log(command_line.log_format == Some(LogFormat::Json));
    let mut config = Config::from_env().map_err(|error| Failure::usage(error.to_string()))?;
    config.own_compiler = own_compiler;
    let log_format = command_line.log_format.unwrap_or(config.telemetry.log_format);
    config.telemetry.log_format = log_format;
    console::be_json_log(log_format == LogFormat::Json);
    config.read_policy(command_line.policy.as_deref())?;
    if command_line.locked {
        Arc::make_mut(&mut config.policy).trust.require_lock = true;
    }
    if let Some(dir) = command_line.coredump_dir {
        config.coredump_dir = Some(dir);
    }
    config.watch_components = match &command_line.command {
        Command::Run(args) => args.watch_plugins,
        Command::Node { command: NodeCommand::Run(args) } => args.watch,
        _ => false,
    };
    if command_line.otlp.is_some() {
        config.telemetry.otlp = command_line.otlp;
    }
    let telemetry = Telemetry::start(&config.telemetry, command_line.command.name())
        .map_err(|error| Failure::usage(error.to_string()))?;
    config.own_trace_context = telemetry.trace_context();
    let host = Host::new(config);
    let done = telemetry.in_scope(|| run_verb(&host, command_line.command, json));
    telemetry.end();
    done
}

fn run_verb(host: &Host, command: Command, json: bool) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(host, &args, json),
        Command::Top(args) => top::top(host, &args, json),
        Command::Validate { manifest } => validate::validate(host, &manifest, json),
        Command::Plan { manifest } => plan::plan(host, &manifest, json),
        Command::Graph { manifest, output } => graph::graph(host, &manifest, output.as_deref(), json),
        Command::Node { command } => node::node(host, &command, json),
        Command::Nodes { command } => nodes::nodes(host, &command, json),
        Command::Policy { command } => policy::policy(host, &command, json),
        Command::Lock { manifest } => lock::lock(host, &manifest, json),
        Command::Schema => schema::schema(),
        Command::Doctor => doctor::doctor(host, json),
        Command::Completions { .. } | Command::CompileComponent(_) => Ok(()),
    }
}
