//! What wit-bindgen generates from the WIT. Authors never see it; tests of the sandbox use it to break its rules.
//!
//! It was generated once, not by a macro: compiling the generator takes longer than everything else that a node is
//! made of. A released WIT never changes, so neither does it. Made with wit-bindgen-cli 0.61.1 in the SDK's folder:
//!
//! ```sh
//! wit-bindgen rust wit --world plugin --pub-export-macro --export-macro-name export_component \
//!   --default-bindings-module remotemedia_node::bindings --format --out-dir src/generated
//! ```

#[rustfmt::skip]
#[path = "generated/plugin.rs"]
#[expect(
    unsafe_code,
    missing_docs,
    clippy::allow_attributes,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated"
)]
mod generated;

pub use generated::*;
