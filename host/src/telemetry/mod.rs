//! What a running pipeline tells other programs: one file per way out. The engine counts and records; here it is written.

pub mod inspect;
pub mod inspect_client;
pub mod inspect_socket;
mod perfetto;
pub mod trace_file;
