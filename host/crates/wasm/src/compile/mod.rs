//! From the bytes of a component to machine code. Compilers were not made for hostile input: they may need all the
//! memory and time there is. So it happens in a process of its own, which has limits and nothing to lose; in this
//! process only where the operator says so.

mod child;
mod failure;
mod functions;
mod inside;
mod slots;

use std::ffi::OsString;
use std::path::PathBuf;

use remotemedia_core::policy::CompileLimits;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::machine_code::MachineCode;
pub(crate) use child::find_places as find_places_in_child;
pub(crate) use failure::CompileFailure;
pub use inside::{ChildFailure, ChildLimits, compile_in_this_child, find_places_in_this_child};
use slots::Slots;

/// What the compiling program's hidden verb is called.
pub const CHILD_VERB: &str = "compile-component";

/// How many processes compile at once: each may take what `compile.memory_mb` allows.
const MOST_AT_ONCE: usize = 2;

/// The program that compiles components, in a process of its own: a `remotemedia` of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProgram {
    /// Its file.
    pub program: PathBuf,
    /// What it is told before the verb: what makes an interpreter a `remotemedia`.
    pub arguments: Vec<OsString>,
}

impl From<PathBuf> for CompilerProgram {
    fn from(program: PathBuf) -> Self {
        Self { program, arguments: Vec::new() }
    }
}

/// Compiles components, within limits.
pub(crate) struct Compiler {
    program: Option<CompilerProgram>,
    slots: Slots,
}

impl Compiler {
    /// A compiler that runs `program`.
    pub fn new(program: Option<CompilerProgram>) -> Self {
        Self { program, slots: Slots::new(MOST_AT_ONCE) }
    }

    /// The program that does it.
    pub fn program(&self) -> Option<&CompilerProgram> {
        self.program.as_ref()
    }

    /// Compiles the component in `bytes` for `engine`.
    pub fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        limits: &CompileLimits,
    ) -> Result<(MachineCode<'static>, Component), CompileFailure> {
        functions::check(bytes, limits.functions.into())?;
        if limits.in_process {
            let unsound = |error| {
                CompileFailure::too_large(&error).unwrap_or_else(|| CompileFailure::not_sound(&error))
            };
            let code = MachineCode::by_this_host(engine.precompile_component(bytes).map_err(unsound)?);
            let component = code.component(engine).map_err(unsound)?;
            return Ok((code, component));
        }
        let program = self.program.as_ref().ok_or(CompileFailure::NoCompiler)?;
        let slot = self.slots.take();
        let code = MachineCode::by_this_host(child::compile(program, bytes, limits)?);
        drop(slot);
        // What another version or other settings made is found out now, and never kept.
        let component = code.component(engine).map_err(|error| {
            let other =
                || CompileFailure::unusable(&program.program, &format!("it makes other code: {error:#}"));
            CompileFailure::too_large(&error).unwrap_or_else(other)
        })?;
        Ok((code, component))
    }
}
