//! Packets of anything, there and back through every runtime.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: remotemedia_fuzz::sandboxed::compile_if_told(),
    |data: &[u8]| remotemedia_fuzz::packet::packet(data)
);
