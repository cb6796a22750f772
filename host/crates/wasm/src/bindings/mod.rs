//! The component boundary, one module per released WIT version. Nothing outside sees a generated type: a version's
//! module turns everything into core types at once. An older version would be a shim over the newest one.

mod v0_1_0;

pub(crate) use v0_1_0::{Boundary, CallFailure, Prepared, WORLD, add_to_linker};
