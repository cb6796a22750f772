//! What a component returns, byte by byte.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: remotemedia_fuzz::sandboxed::compile_if_told(),
    |data: &[u8]| remotemedia_fuzz::returned::returned(data)
);
