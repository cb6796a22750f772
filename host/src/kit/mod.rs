//! The author's kit: makes, builds, tests and measures a node's folder. The command line prints what is found here.
//!
//! Golden cases and benches run in the same sandbox, through the same engine, as nodes of a pipeline.

mod bench;
mod bless;
mod build;
mod compare;
mod error;
mod files;
mod golden;
mod lock;
mod name;
mod new;
mod project;
mod replay;
mod single;
mod stream;
mod tool;

pub use bench::{BenchOptions, BenchReport, bench};
pub use bless::{Blessed, bless_case};
pub use build::{Built, build, unit_tests};
pub use error::KitError;
pub use golden::{CaseReport, Check, case_name, cases, cases_called, run_case};
pub use new::create;
pub use project::{Language, Project};
pub use single::{params_of, single_plan};
