//! The wasm runtime on real components: the guests of this repository, and hand-made ones that are wrong.

mod biquad;
mod cache;
mod faults;
mod files;
mod fixture;
mod gain;
mod lies;
mod limits;
mod payloads;
mod wit;
