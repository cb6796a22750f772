//! Machine code of a component that this host compiled. The type is the proof: loading anything else would hand the
//! process over to whoever wrote it.

use std::borrow::Cow;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::sealed_code::{SealedCode, name_of};

/// Code that this host's compiler made.
pub(crate) struct MachineCode<'a>(Cow<'a, [u8]>);

impl<'a> MachineCode<'a> {
    /// Vouches for `code`: it comes straight from a compiler of this host, or from a cache entry that its key
    /// authenticated. Nothing else may call this.
    pub fn by_this_host(code: impl Into<Cow<'a, [u8]>>) -> Self {
        Self(code.into())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The code made ready to run.
    ///
    /// # Errors
    /// When another version, or other settings, made it.
    pub fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are in our own memory, and who made a `MachineCode` vouched that they are unchanged output
        // of wasmtime's compiler; wasmtime itself checks version and settings. The tests of the cache flip bits of
        // what is stored, and none gets here.
        #[expect(unsafe_code, reason = "loading machine code is unsafe; the type proves where it comes from")]
        unsafe {
            Component::deserialize(engine, &self.0)
        }
    }
}

/// Code of this host from the cache, made ready to run without a copy.
///
/// The caller vouches for it as [`MachineCode::by_this_host`] says.
///
/// # Errors
/// When another version, or other settings, made it.
pub(crate) fn authentic_component(engine: &Engine, code: SealedCode) -> wasmtime::Result<Component> {
    match code {
        SealedCode::Bytes(bytes) => MachineCode::by_this_host(bytes).component(engine),
        // SAFETY: as above; and as nobody can write to the file any more, what is mapped stays what was authenticated.
        #[expect(
            unsafe_code,
            reason = "loading machine code is unsafe; the type proves that it stays as it is"
        )]
        SealedCode::File(file) => unsafe { Component::deserialize_file(engine, name_of(&file)) },
    }
}
