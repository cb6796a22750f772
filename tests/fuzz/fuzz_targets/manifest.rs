//! Anybody's manifest: parsed, planned or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| remotemedia_fuzz::manifest::manifest(data));
