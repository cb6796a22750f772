//! What the fuzz targets share: the functions under test, which are those that `make test` runs over the corpora, and
//! the runtimes for them. It decides nothing.

/// The host's own reading and writing of files, without the rest of the host.
#[expect(unused_imports, reason = "it offers more to the rest of the host")]
#[path = "../../host/src/media/mod.rs"]
pub mod media;

#[path = "../hostile/hand_made.rs"]
pub mod hand_made;
pub mod here;
#[cfg(feature = "sandbox")]
pub mod sandboxed;

#[path = "../corpora/audio_file.rs"]
pub mod audio_file;
#[cfg(feature = "sandbox")]
#[path = "../corpora/component.rs"]
pub mod component;
#[path = "../corpora/echo.rs"]
pub mod echo;
#[path = "../corpora/manifest.rs"]
pub mod manifest;
#[path = "../corpora/packet.rs"]
pub mod packet;
#[cfg(feature = "sandbox")]
#[path = "../corpora/returned.rs"]
pub mod returned;
#[path = "../corpora/scratch.rs"]
pub mod scratch;

/// Lets panics unwind that the host catches. Those that it does not catch still end the fuzzer.
pub fn catch_panics() {
    drop(std::panic::take_hook());
}
