//! What happens inside the process that compiles: first it gives away everything that it could do harm with, then it
//! reads a component from standard input and writes machine code, or what its debug info tells, to standard output.

use std::io::{self, Read, Write};

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;

use crate::engine::compiling_config;

/// What the process may use.
#[derive(Clone, Copy, Debug)]
pub struct ChildLimits {
    /// The length of the component that is to come, in bytes.
    pub component_bytes: u64,
    /// Address space, in MiB.
    pub memory_mb: u32,
    /// Processor time, in seconds.
    pub cpu_seconds: u64,
}

/// Why there is no machine code: one line for standard error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
#[non_exhaustive]
pub enum ChildFailure {
    /// The component is at fault.
    Refused(String),
    /// Something else is.
    Unable(String),
}

/// Open files: the three standard ones, and what the system's libraries look at.
const MOST_OPEN_FILES: u64 = 16;

/// Compiles the component on standard input. This process can do nothing else afterwards.
///
/// # Errors
/// When the component is not sound, or the limits cannot be set.
pub fn compile_in_this_child(limits: ChildLimits) -> Result<(), ChildFailure> {
    let component = take_component(limits)?;
    let code = Engine::new(&compiling_config())
        .and_then(|engine| engine.precompile_component(&component))
        .map_err(|error| ChildFailure::Refused(super::failure::shown(&format!("{error:#}"))))?;
    answer(&code)
}

/// Finds the places in the source that the bytes at `offsets` of the component on standard input were made of, and
/// writes them as JSON. This process can do nothing else afterwards.
///
/// # Errors
/// When the limits cannot be set.
pub fn find_places_in_this_child(limits: ChildLimits, offsets: &[u64]) -> Result<(), ChildFailure> {
    let component = take_component(limits)?;
    let places = crate::places::find(&component, offsets);
    let answered = serde_json::to_vec(&places).map_err(|error| unable("the places", error.into()))?;
    answer(&answered)
}

/// Gives up all rights, and reads the component.
fn take_component(limits: ChildLimits) -> Result<Vec<u8>, ChildFailure> {
    give_up_rights(limits).map_err(|error| unable("the compiler cannot limit itself", error))?;
    let mut component = Vec::new();
    io::stdin()
        .lock()
        .take(limits.component_bytes + 1)
        .read_to_end(&mut component)
        .map_err(|error| unable("the component cannot be read", error))?;
    if component.len() as u64 != limits.component_bytes {
        let text = format!("expected {} bytes, got {}", limits.component_bytes, component.len());
        return Err(ChildFailure::Unable(text));
    }
    Ok(component)
}

fn answer(bytes: &[u8]) -> Result<(), ChildFailure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| unable("what came out cannot be written", error))
}

fn unable(what: &str, error: io::Error) -> ChildFailure {
    ChildFailure::Unable(format!("{what}: {error}"))
}

fn give_up_rights(limits: ChildLimits) -> io::Result<()> {
    // When the host ends, nobody would end this process.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    close_inherited_files()?;
    for (resource, most) in [
        (Resource::As, u64::from(limits.memory_mb) << 20),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, MOST_OPEN_FILES),
    ] {
        // At the maximum of processor time the system kills without a word; before that, the signal says why.
        let maximum = if resource == Resource::Cpu { most + 1 } else { most };
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(maximum) })?;
    }
    Ok(())
}

/// Closes every file but the standard ones: a host that embeds other software may have leaked some.
fn close_inherited_files() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/dev/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    // The one that listed the others is closed already.
    let still_open = |descriptor: &i32| std::fs::metadata(format!("/dev/fd/{descriptor}")).is_ok();
    for descriptor in open.into_iter().filter(still_open) {
        // SAFETY: this runs first of all in a process that exists for nothing else: no part of it owns a descriptor
        // above the standard ones yet (a Python that was started to get here has closed the file it runs), so nobody
        // uses it afterwards. A test sees a leaked one go.
        #[expect(unsafe_code, reason = "only an unsafe call closes a descriptor that nothing owns")]
        unsafe {
            rustix::io::close(descriptor);
        }
    }
    Ok(())
}
