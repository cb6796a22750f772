//! The list of native nodes. Adding a node: write its file, add its `mod` to `lib.rs`, add one line here.

use crate::node_type::NodeType;

/// Every native node type, in the order `remotemedia nodes list` prints them.
pub(crate) static REGISTER: &[NodeType] = &[NodeType::of::<crate::pass_through::PassThrough>()];
