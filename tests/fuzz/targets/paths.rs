//! See `hostile::paths`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open("paths", data));
