//! The hostile suite: components that try to read, exhaust, delay, deceive or crash the host. Every case is a test
//! of its own, names the error that the attack must end in, and shows that another pipeline of the same host works
//! afterwards. `watched` runs all of them again in one process and watches that process.

mod bad_files;
mod boundary;
mod canary;
mod descriptor;
mod disk;
mod escape;
mod granted;
pub mod hand_made;
mod lies;
mod memory;
mod noise;
mod promises;
mod spin;
mod stack;
mod trap;
mod trial;
mod watched;

use remotemedia_host::Host;

/// A case: its name, and what it does on a host.
type Case = (&'static str, fn(&Host));

/// Declares the cases of one file: each is a test on a host of its own, and an entry of `CASES`.
macro_rules! cases {
    ($($(#[$about:meta])* fn $name:ident($host:ident) $body:block)*) => {
        /// The cases of this file.
        pub(super) const CASES: &[crate::hostile::Case] =
            &[$((stringify!($name), |$host: &remotemedia_host::Host| $body)),*];
        $($(#[$about])* #[test] fn $name() { crate::hostile::alone(CASES, stringify!($name)) })*
    };
}
use cases;

/// Every case.
fn every_case() -> impl Iterator<Item = Case> {
    let files = [
        bad_files::CASES,
        boundary::CASES,
        descriptor::CASES,
        disk::CASES,
        escape::CASES,
        granted::CASES,
        lies::CASES,
        memory::CASES,
        noise::CASES,
        spin::CASES,
        stack::CASES,
        trap::CASES,
    ];
    files.into_iter().flatten().copied()
}

fn alone(cases: &[Case], wanted: &str) {
    let (_, run) = cases.iter().find(|(name, _)| *name == wanted).unwrap();
    run(&trial::host());
}
