//! See `hostile::audio`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open("audio", data));
