//! `wasi:random` that gives only so many bytes at once: the host has to make them all before the guest sees one.

use wasmtime::component::HasData;
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::random::WasiRandomCtx;

use crate::failure::LimitReached;

pub(crate) struct BoundedRandom<'a> {
    pub random: &'a mut WasiRandomCtx,
    pub most_bytes: u64,
}

impl HasData for BoundedRandom<'static> {
    type Data<'a> = BoundedRandom<'a>;
}

impl BoundedRandom<'_> {
    fn check(&self, wanted: u64) -> wasmtime::Result<()> {
        let most = self.most_bytes;
        if wanted <= most {
            return Ok(());
        }
        let refused =
            format!("wanted {wanted} random bytes at once, and its limit is {most} (limits.random_bytes)");
        Err(LimitReached(refused).into())
    }
}

impl random::Host for BoundedRandom<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.check(len)?;
        self.random.get_random_bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random.get_random_u64()
    }
}

impl insecure::Host for BoundedRandom<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.check(len)?;
        self.random.get_insecure_random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random.get_insecure_random_u64()
    }
}
