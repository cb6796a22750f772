//! The vocabulary of the node host: packets, audio, nodes, runtimes, manifests, graphs and errors.
//!
//! It deliberately knows no thread, clock, file, wasmtime or interpreter: every other crate depends on it,
//! so what it names is what the whole house can talk about.
#![forbid(unsafe_code)]

pub mod audio;
pub mod descriptor;
pub mod error;
pub mod foreign;
pub mod graph;
pub mod manifest;
pub mod node;
pub mod notes;
pub mod packet;
pub mod policy;
pub mod runtime;
pub mod tensor;

pub use audio::{AudioBuffer, AudioError, AudioSpec, SampleFormat};
pub use descriptor::{NodeDescriptor, PayloadKind, PortSpec};
pub use error::{ErrorKind, NodeError, Operation};
pub use foreign::Foreign;
pub use graph::{Edge, Graph, GraphNode};
pub use manifest::{Manifest, ManifestError, ManifestErrors, ManifestFormat, NodeManifest, RuntimeHint};
pub use node::{Node, Outputs, Port};
pub use notes::CallNotes;
pub use packet::{Object, Opaque, Packet, Payload};
pub use policy::SandboxPolicy;
pub use runtime::{Runtime, RuntimeKind};
pub use tensor::{DType, Tensor, TensorError};
