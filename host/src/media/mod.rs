//! Files in and out: audio (wav, flac, mp3, ogg/vorbis), JSON lines, and what goes wrong with them.
//!
//! Everything streams: a reader holds one chunk, a writer one block. Nothing here knows pipelines or nodes.

mod decode;
mod error;
mod flac;
mod input;
mod json_lines;
mod output;
mod pipe;
mod wav;
mod wav_write;
mod writer;

pub use error::MediaError;
pub(crate) use error::what_to_do;
pub use flac::FlacWriter;
pub use input::AudioInput;
pub use json_lines::{JsonLines, JsonLinesWriter, payload_to_json};
pub use output::{OutputFile, remove_unfinished_files};
pub use pipe::stop_waiting_for_pipes;
pub use wav_write::WavWriter;
pub use writer::{AudioWriter, FileKind};
