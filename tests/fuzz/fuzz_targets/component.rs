//! Anybody's component: described within limits or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: remotemedia_fuzz::sandboxed::compile_if_told(),
    |data: &[u8]| remotemedia_fuzz::component::component(data)
);
