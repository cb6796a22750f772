//! What a store holds for its guest: a WASI with what was granted and nothing else, the meter, the log.

use std::sync::Arc;

use remotemedia_core::policy::{Clock, SandboxLimits};
use remotemedia_core::{ErrorKind, NodeError};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::{Dir, WasiFilesystemCtxView};
use wasmtime_wasi::{FsPerms, OpenMode, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::bounded_random::BoundedRandom;
use crate::clocks::CoarseClock;
use crate::counters::Counters;
use crate::deadline::{Deadline, Terms};
use crate::files::{Disk, LimitedFiles, Listings};
use crate::granted::{Granted, GrantedDir};
use crate::guest_log::GuestLog;
use crate::guest_output::{Channel, GuestOutput};
use crate::meter::ResourceMeter;
use crate::no_network;
use crate::seeded_random::SeededRandom;

/// Nodes have threads of their own to block, and files need no detour over others.
const MAY_BLOCK: bool = true;

pub(crate) struct Guest {
    wasi: WasiCtx,
    pub table: ResourceTable,
    pub meter: ResourceMeter,
    pub log: GuestLog,
    pub counters: Arc<Counters>,
    pub deadline: Deadline,
    disk: Arc<Disk>,
    dirs: Vec<(Dir, String)>,
    listings: Listings,
    random_bytes: u64,
}

impl Guest {
    /// A guest with what was granted.
    ///
    /// # Errors
    /// `Unavailable` when a granted directory cannot be opened, `LimitExceeded` when the tenant has too many open.
    pub fn new(
        node_id: &str,
        limits: &SandboxLimits,
        granted: &Granted,
        meter: ResourceMeter,
        disk: Arc<Disk>,
        counters: Arc<Counters>,
        terms: Terms,
    ) -> Result<Self, NodeError> {
        let log = GuestLog::new(node_id, limits, Arc::clone(&counters));
        let mut wasi = WasiCtxBuilder::new();
        no_network::deny(&mut wasi)
            .stdout(GuestOutput { channel: Channel::Stdout, log: log.clone() })
            .stderr(GuestOutput { channel: Channel::Stderr, log: log.clone() })
            .allow_blocking_current_thread(MAY_BLOCK)
            .envs(&granted.env);
        if granted.clock == Clock::Coarse {
            wasi.wall_clock(CoarseClock::new()).monotonic_clock(CoarseClock::new());
        }
        if let Some(seed) = granted.random_seed {
            let stream = |purpose| SeededRandom::new(seed, node_id, purpose);
            wasi.secure_random(stream("secure"))
                .insecure_random(stream("insecure"))
                .insecure_random_seed(stream("seed").next_u128());
        }
        let dirs = granted.dirs.iter().map(|dir| open(dir, &disk)).collect::<Result<_, _>>()?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let deadline = Deadline::new(terms);
        let listings = Listings::new(limits.directory_entries);
        let random_bytes = limits.random_bytes;
        Ok(Self {
            wasi: wasi.build(),
            table,
            meter,
            log,
            counters,
            deadline,
            disk,
            dirs,
            listings,
            random_bytes,
        })
    }

    pub fn limited_files(&mut self) -> LimitedFiles<'_> {
        let wasi = WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table };
        LimitedFiles { wasi, disk: &self.disk, listings: &mut self.listings, dirs: &self.dirs }
    }

    pub fn bounded_random(&mut self) -> BoundedRandom<'_> {
        BoundedRandom { random: self.wasi.random(), most_bytes: self.random_bytes }
    }
}

/// The directory as it is now, and what the guest calls it.
fn open(dir: &GrantedDir, disk: &Disk) -> Result<(Dir, String), NodeError> {
    let (permissions, mode) = if dir.writable {
        (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE)
    } else {
        (FsPerms::ReadOnly, OpenMode::READ)
    };
    let failed = |kind, reason: &dyn std::error::Error| {
        let message = format!("the directory `{}` ({}) cannot be opened: {reason}", dir.guest, dir.location);
        NodeError::new(kind, message)
    };
    let opening = disk.opening().map_err(|reached| failed(ErrorKind::LimitExceeded, &reached))?;
    let opened = dir.location.open().map_err(|error| failed(ErrorKind::Unavailable, &error))?;
    let opened = Dir::new(opened, permissions, mode, MAY_BLOCK);
    opening.done(&opened.dir);
    Ok((opened, dir.guest.clone()))
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
