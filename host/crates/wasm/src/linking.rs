//! Which host functions exist for a guest: WASI 0.2 with sockets that cannot be made, and the node world's own
//! imports.
//!
//! Linking an interface grants nothing: there are no preopened directories, arguments or environment variables.
//! What is here is what the standard libraries of guest languages import. Waiting is bounded, because the epoch
//! deadline does not interrupt host code.

use wasmtime::Engine;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sync};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::runtime::in_tokio;
use wasmtime_wasi_io::bindings::wasi::io::{error as io_error, poll as io_poll};
use wasmtime_wasi_io::poll::DynPollable;

use crate::bindings;
use crate::bounded_random::BoundedRandom;
use crate::deadline::{Deadline, Moment, Verdict};
use crate::files::LimitedFiles;
use crate::guest::Guest;
use crate::no_network;

/// A guest waited in the host for longer than a call may take.
#[derive(Debug, thiserror::Error)]
#[error("waited for longer than a call may take")]
pub(crate) struct WaitedTooLong;

/// A linker with everything a guest may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    bindings::add_to_linker(l)?;
    no_network::add_to_linker(l)?;
    clocks::wall_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    clocks::monotonic_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    filesystem::preopens::add_to_linker::<Guest, LimitedFiles<'static>>(l, Guest::limited_files)?;
    sync::filesystem::types::add_to_linker::<Guest, LimitedFiles<'static>>(l, Guest::limited_files)?;
    random::random::add_to_linker::<Guest, BoundedRandom<'static>>(l, Guest::bounded_random)?;
    random::insecure::add_to_linker::<Guest, BoundedRandom<'static>>(l, Guest::bounded_random)?;
    random::insecure_seed::add_to_linker::<Guest, WasiRandom>(l, |guest| guest.ctx().ctx.random())?;
    cli::exit::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::environment::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stdin::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stdout::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stderr::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_input::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_output::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdin::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdout::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stderr::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    io_error::add_to_linker::<Guest, Table>(l, |guest| &mut guest.table)?;
    sync::io::streams::add_to_linker::<Guest, Table>(l, |guest| &mut guest.table)?;
    sync::io::poll::add_to_linker::<Guest, BoundedPoll<'static>>(l, |guest| BoundedPoll {
        table: &mut guest.table,
        deadline: &mut guest.deadline,
    })?;
    Ok(linker)
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// `wasi:io/poll` that gives up after a while.
struct BoundedPoll<'a> {
    table: &'a mut ResourceTable,
    deadline: &'a mut Deadline,
}

impl HasData for BoundedPoll<'static> {
    type Data<'a> = BoundedPoll<'a>;
}

impl BoundedPoll<'_> {
    fn wait<T>(
        &mut self,
        until: impl AsyncFnOnce(&mut ResourceTable) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let began = Moment::now();
        let patience = self.deadline.patience(began);
        let waited = in_tokio(async { tokio::time::timeout(patience, until(self.table)).await });
        match (self.deadline.waited(began, Moment::now()), waited) {
            (Verdict::GoOn, Ok(waited)) => waited,
            _ => Err(WaitedTooLong.into()),
        }
    }
}

impl sync::io::poll::Host for BoundedPoll<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.wait(async |table| io_poll::Host::poll(table, pollables).await)
    }
}

impl sync::io::poll::HostPollable for BoundedPoll<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.wait(async |table| io_poll::HostPollable::ready(table, pollable).await)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.wait(async |table| io_poll::HostPollable::block(table, pollable).await)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        io_poll::HostPollable::drop(self.table, pollable)
    }
}
