//! Anybody's audio file: read within its caps or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: remotemedia_fuzz::catch_panics(),
    |data: &[u8]| remotemedia_fuzz::audio_file::audio_file(data)
);
