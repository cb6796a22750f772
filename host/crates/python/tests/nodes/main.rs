//! Python classes as nodes, in a real interpreter: one binary, one module per behaviour.
#![cfg(test)]

mod described;
mod found;
mod live;
mod loans;
mod project;
mod raising;
mod running;
mod shared_memory;
mod streaming;
mod threads;
mod values;
