//! Conformance: what every node must hold to, checked on a node of any runtime through core's `Node` trait.
//!
//! Owns the checks, one file per family, the input that they feed, and the report. It knows no command line, and of
//! runtimes only their trait. A check looks at a node from outside: what it promises is what a pipeline relies on.

mod caps;
mod cpu_time;
mod cuts;
mod declared;
mod denormals;
mod described;
mod ends;
mod latency;
mod memory;
mod not_finite;
mod param_values;
mod params;
mod recording;
mod repeats;
mod report;
mod running;
mod silence;
mod stream;
mod subject;
mod times;
mod values;

use remotemedia_core::{NodeError, NodeManifest, Runtime};

pub use declared::{Declared, Length};
pub use report::{CheckResult, Report, SCHEMA_VERSION, Verdict};

use report::Outcome;
use running::Fault;
use subject::Subject;

/// How thorough a run is, and what of the process it may measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Shorter streams and fewer params: seconds instead of minutes, and 20 seconds of audio instead of an hour.
    pub quick: bool,
    /// Judge the memory of unsandboxed nodes by the resident memory of this process, which then must do nothing else.
    pub alone_in_process: bool,
    /// How long a call into a sandboxed node may take, in milliseconds of processor time, where its manifest says nothing:
    /// in all checks but `latency`, which judges by the limits that a pipeline would set. Of thousands of calls the
    /// machine makes one late. `None` is the policy's limit.
    pub call_timeout_ms: Option<u64>,
    /// Run this check only; by its name in [`CHECKS`].
    pub only: Option<&'static str>,
}

/// One check: its name in reports, and what a node that passes holds to.
#[derive(Clone, Copy)]
pub struct Check {
    /// The name in reports.
    pub name: &'static str,
    /// What a node that passes holds to.
    pub promise: &'static str,
    run: fn(&Subject<'_>) -> Result<Outcome, Fault>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

/// Every check, in the order of the report.
pub const CHECKS: &[Check] = &[
    Check {
        name: "description",
        promise: "what the node says about itself is sane and the same every time",
        run: described::description,
    },
    Check {
        name: "valid_params",
        promise: "params that the schema allows make a node that runs, or are refused as params",
        run: params::valid,
    },
    Check {
        name: "invalid_params",
        promise: "params that the schema forbids are refused as such",
        run: params::invalid,
    },
    Check {
        name: "refusals",
        promise: "a wrong port or kind of payload is refused as input, and harms nothing",
        run: values::refusals,
    },
    Check {
        name: "odd_values",
        promise: "any value of the right kind is taken, or refused as input",
        run: values::odd_values,
    },
    Check {
        name: "block_sizes",
        promise: "the result does not depend on how the stream was cut",
        run: cuts::block_sizes,
    },
    Check {
        name: "caps",
        promise: "every rate and channel count is taken, or refused as input",
        run: caps::rates_and_channels,
    },
    Check {
        name: "caps_change",
        promise: "a change of rate, channels or format in mid-stream is followed, or refused as input",
        run: caps::changes,
    },
    Check {
        name: "formats",
        promise: "the same samples give the same result in every sample format",
        run: caps::formats,
    },
    Check { name: "silence", promise: "silence gives silence, and no event", run: silence::silence },
    Check {
        name: "not_finite",
        promise: "NaN and infinite samples pass, and are forgotten",
        run: not_finite::not_finite,
    },
    Check {
        name: "denormals",
        promise: "denormal samples take no longer than others",
        run: denormals::denormals,
    },
    Check {
        name: "instances",
        promise: "the same input gives the same bits, whatever other instances do",
        run: repeats::instances,
    },
    Check { name: "ends", promise: "as many frames come out as go in, tail included", run: ends::ends },
    Check {
        name: "times",
        promise: "times follow those of the input, without gap or overlap",
        run: times::times,
    },
    Check {
        name: "memory",
        promise: "memory does not grow with the length of the stream",
        run: memory::memory,
    },
    Check {
        name: "latency",
        promise: "a block takes less time than it plays, on average",
        run: latency::latency,
    },
];

/// Runs every check on nodes that `runtime` makes of `node`. Params that its schema requires and `node` does not give
/// are made up. Takes seconds when quick, minutes else.
///
/// # Errors
/// When there is nothing to check: the runtime does not know the type, or no params make a node.
pub fn conform(
    runtime: &dyn Runtime,
    node: &NodeManifest,
    declared: &Declared,
    options: Options,
) -> Result<Report, NodeError> {
    let mut report = None;
    runtime.enter_thread(&mut || {
        report = Some(Subject::new(runtime, node, declared, options).map(|subject| run(&subject)));
    });
    report.unwrap_or_else(|| Err(NodeError::internal("the runtime gave no thread to run on")))
}

fn run(subject: &Subject<'_>) -> Report {
    let wanted = CHECKS.iter().filter(|check| subject.options.only.is_none_or(|name| name == check.name));
    let results = wanted.map(|check| {
        let outcome =
            (check.run)(subject).unwrap_or_else(|fault| Outcome::fail(format!("the node failed: {fault}")));
        CheckResult::new(check.name, check.promise, outcome)
    });
    Report::new(subject, results.collect())
}
