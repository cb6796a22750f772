//! Write a RemoteMedia node in Rust: implement [`Node`] for a type, name it in [`export!`], build it for
//! `wasm32-wasip2`, and the `.wasm` file is the node.
//!
//! ```
//! use remotemedia_node::{AudioView, Info, Node, NodeError, schemars, serde};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Params {
//!     /// Amplitude factor; 1.0 changes nothing.
//!     factor: f32,
//! }
//!
//! struct Scale(f32);
//!
//! impl Node for Scale {
//!     type Params = Params;
//!     const INFO: Info = Info::audio("scale", "Multiplies every sample.").stateless();
//!
//!     fn new(params: Params) -> Result<Self, NodeError> {
//!         Ok(Self(params.factor))
//!     }
//!
//!     fn audio(&mut self, audio: &mut AudioView<'_>) -> Result<(), NodeError> {
//!         audio.samples.iter_mut().for_each(|sample| *sample *= self.0);
//!         Ok(())
//!     }
//! }
//!
//! // In a component: remotemedia_node::export!(Scale);
//! let mut node = remotemedia_node::testing::start::<Scale>(r#"{"factor": 0.5}"#).unwrap();
//! assert_eq!(node.audio_f32(48_000, 1, &[1.0, -0.5]).unwrap(), [0.5, -0.25]);
//! ```
//!
//! The SDK hides the bytes of the component boundary. It deliberately offers no threads, files or sockets: a
//! node gets packets and gives packets.

mod audio;
#[doc(hidden)]
pub mod bindings;
mod error;
#[doc(hidden)]
pub mod exported;
mod info;
pub mod log;
mod node;
mod packet;
pub mod testing;

pub use audio::{Audio, AudioView, SampleFormat, frames_ns};
pub use error::NodeError;
pub use info::{Info, PayloadKind, Port};
pub use node::{NoParams, Node};
pub use packet::{DType, Outputs, Packet, Payload, Tensor};
pub use {schemars, serde, serde_json};

/// Makes the component's node out of a type that implements [`Node`]. Call it once per crate.
#[macro_export]
macro_rules! export {
    ($node:ty) => {
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<$crate::exported::Instance<$node>> =
                    const { ::std::cell::RefCell::new($crate::exported::Instance::new()) };
            }

            struct Component;

            impl $crate::bindings::exports::remotemedia::node::node::Guest for Component {
                fn describe() -> $crate::bindings::remotemedia::node::types::Descriptor {
                    $crate::exported::describe::<$node>(env!("CARGO_PKG_VERSION"))
                }
                fn initialize(
                    params_json: String,
                ) -> Result<(), $crate::bindings::remotemedia::node::types::NodeError> {
                    INSTANCE.with_borrow_mut(|instance| instance.initialize(&params_json))
                }
                fn process(
                    port: u16,
                    packet: $crate::bindings::remotemedia::node::types::Packet,
                ) -> Result<
                    Vec<$crate::bindings::remotemedia::node::types::Output>,
                    $crate::bindings::remotemedia::node::types::NodeError,
                > {
                    INSTANCE.with_borrow_mut(|instance| instance.process(port, packet))
                }
                fn flush() -> Result<
                    Vec<$crate::bindings::remotemedia::node::types::Output>,
                    $crate::bindings::remotemedia::node::types::NodeError,
                > {
                    INSTANCE.with_borrow_mut(|instance| instance.flush())
                }
                fn cleanup() {
                    INSTANCE.with_borrow_mut(|instance| instance.cleanup());
                }
            }

    $crate::bindings::export_component!(Component with_types_in $crate::bindings);
        };
    };
}
