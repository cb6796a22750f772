//! `wasi:sockets` for guests whose language runtime imports it (CPython does): every function is there, and none gives
//! anything. A guest can make no socket and look up no name, so the functions that take a socket cannot be reached.

use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::{sockets, sync};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

use crate::guest::Guest;

/// Refuses sockets and name lookups where they would be made.
pub(crate) fn deny(wasi: &mut WasiCtxBuilder) -> &mut WasiCtxBuilder {
    wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false)
}

/// Adds the interfaces, for stores whose WASI went through [`deny`].
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<Guest, WasiSockets>(linker, &options, Guest::sockets)?;
    sockets::instance_network::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sync::sockets::udp_create_socket::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sync::sockets::tcp::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sync::sockets::udp::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    Ok(())
}
