//! What the system does to a running host: full disks, signals, limits, inputs that change under it, clocks that jump,
//! streams that nobody reads, and a thousand pipelines or a day of audio in one process. Every fault is a real one, on
//! the real program; its promise is in docs/reliability.md.

mod clock;
mod disk_full;
mod endurance;
mod inputs;
mod job;
mod limits;
mod many;
mod memory;
mod signals;
mod streams;
