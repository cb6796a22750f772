//! The native nodes: arithmetic and audio, compiled into the host.
//!
//! One file holds one node; `register.rs` lists them; [`NativeRuntime`] creates them by name. A node here knows
//! packets and samples only: no file, no clock, no thread, no other runtime.
#![forbid(unsafe_code)]

mod input;
mod node_type;
mod register;
mod runtime;

mod add;
mod arithmetic;
mod audio_chunker;
mod audio_gain;
mod audio_level;
mod audio_resample;
mod audio_transform;
mod calculator;
mod channel_mixer;
mod denoise;
mod format_converter;
mod frame_rms;
mod mixing;
mod multiply;
mod pass_through;
mod pcm;
mod resampler;
mod spectral_features;
mod vad;

#[cfg(test)]
mod chunk_invariance;
#[cfg(test)]
mod forgetting;
#[cfg(test)]
mod harness;

pub use node_type::NativeNode;
pub use runtime::NativeRuntime;
